"""Receipts: as JSON, as PDF, and by e-mail."""

import hashlib
from typing import Any

from flask import request
from flask.wrappers import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import Field

from common.errors import NotFound, Unavailable
from common.events.payments import ReceiptRequested
from common.ids import new_id
from common.outbox import emit
from common.web.app import ANY_JSON, PDF, B, caller, endpoint, runtime, session
from common.web.fields import Body, OptionalEmail, Ordinal, Query
from payments.api.payments import PaymentPath, directory
from payments.domain import receipt as receipts
from payments.domain.receipt import ReceiptDocument
from payments.models import Payment, Receipt
from payments.receipt_pdf import render_receipt
from payments.reports import payments as reports

api = APIBlueprint("receipts", __name__, abp_tags=[Tag(name="Receipts")], abp_security=[{"bearer": []}])


class ReceiptQuery(Query):
    revision: Ordinal | None = None


class EmailBody(Body):
    to: OptionalEmail = Field(default=None, description="The client's address unless told")


@api.get(f"{B}/payments/<string:payment_id>/receipt")
@endpoint("payments:read")
def get_receipt(path: PaymentPath, query: ReceiptQuery) -> dict[str, Any]:
    """The receipt; its newest revision unless told"""
    _, _, document = _find(path, query.revision)
    return receipts.as_json(document)


@api.get(f"{B}/payments/<string:payment_id>/receipt.pdf", responses={200: PDF})
@endpoint("payments:read")
def get_receipt_pdf(path: PaymentPath, query: ReceiptQuery) -> Response:
    """The receipt as PDF; its newest revision unless told"""
    _, _, document = _find(path, query.revision)
    return Response(
        render_receipt(document),
        content_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="receipt-{document.receipt_number}.pdf"'},
    )


@api.post(f"{B}/payments/<string:payment_id>/receipt/email", responses={202: ANY_JSON})
@endpoint("payments:write")
def email_receipt(path: PaymentPath, body: EmailBody) -> tuple[dict[str, Any], int]:
    """E-mail the receipt, again or to another address"""
    payment, receipt, _ = _find(path, None)
    request_id = new_id()
    if body.to is None:
        emit(session(), "payments", [
            ReceiptRequested(
                business_id=path.business_id,
                payment_id=payment.payment_id,
                client_id=payment.client_id,
                receipt_number=receipt.number,
                receipt_revision=receipt.revision,
                request_id=request_id,
                sequence=receipt.revision,
            )
        ])  # fmt: skip
        return {"status": "accepted", "request_id": request_id}, 202
    # An address does not travel in events: it is given to notifications itself.
    answer = runtime().ask(
        "notifications", "POST", f"/v1/businesses/{path.business_id}/emails",
        scope="notifications:write", business_id=path.business_id,
        headers={"Idempotency-Key": _key(payment.payment_id) or request_id},
        json={
            "kind": "receipt", "to": body.to, "payment_id": payment.payment_id, "client_id": payment.client_id,
            "receipt_number": receipt.number, "receipt_revision": receipt.revision,
        },
    )  # fmt: skip
    if not answer.ok:
        raise Unavailable("notifications_refused", "The mail was not accepted; try again in a moment.")
    return {"status": "accepted", "request_id": request_id, "email_id": answer.json()["id"]}, 202


def _key(payment_id: str) -> str | None:
    """The caller's key, made one of a kind at notifications: there, all that payments asks for is one caller's."""
    said = request.headers.get("Idempotency-Key")
    return said and hashlib.sha256(f"{caller().sub}/{payment_id}/{said}".encode()).hexdigest()


def _find(path: PaymentPath, revision: int | None) -> tuple[Payment, Receipt, ReceiptDocument]:
    found = reports.receipt(session(), path.business_id, path.payment_id, revision)
    if found is None or caller().client_id not in (None, found[0].client_id):
        raise NotFound("not_found", "There is no such receipt.")
    return *found, receipts.document(*found, directory(path.business_id).business())
