"""Many payments at once, as JSON or CSV, all or nothing; and their undoing."""

from typing import Any

from flask import request
from flask_openapi3 import APIBlueprint, RawModel, Tag
from pydantic import Field, StrictBool, StrictInt, ValidationError

from common.web.app import B, caller, endpoint, session
from common.web.fields import Body, BusinessPath, Id, OptionalLine, Query
from common.web.problems import field_errors
from payments.api.payments import PaymentBody, directory
from payments.domain import batch_csv
from payments.reports import payments as reports
from payments.usecases import batches, payments

api = APIBlueprint("batches", __name__, abp_tags=[Tag(name="Batches")], abp_security=[{"bearer": []}])

BATCH_BYTES = 16 * 1024 * 1024


class BatchBody(Body):
    batch_reference: OptionalLine = None
    expected_total_minor: StrictInt | None = None
    allow_duplicates: StrictBool = False
    payments: list[PaymentBody] = Field(min_length=1)


class BatchQuery(Query):
    """For CSV, where the body has no place for these."""

    batch_reference: OptionalLine = None
    expected_total_minor: int | None = None
    allow_duplicates: bool = False


class BatchRaw(RawModel):
    """JSON, or text/csv with the header client,amount,method,received_on,currency,invoice_number,reference,memo."""

    mimetypes: list[str] = ["application/json", "text/csv"]


class BatchPath(BusinessPath):
    batch_id: Id


@api.post(f"{B}/payments/batch")
@endpoint("payments:write", max_body_bytes=BATCH_BYTES)
def record_batch(path: BusinessPath, query: BatchQuery, raw: BatchRaw) -> tuple[dict[str, Any], int]:
    """Record up to 10,000 payments, all or none

    Any bad row refuses the whole batch, and every bad row is named. Payments that look recorded already answer 409
    `probable_duplicates` unless `allow_duplicates` is true.
    """
    caller().require_staff("payment")
    directory_ = directory(path.business_id)
    if request.mimetype == "text/csv":
        new, errors = batch_csv.parse(request.get_data(), directory_.business().currency)
        if errors:
            raise payments.invalid(errors)
        options: BatchBody | BatchQuery = query
    else:
        body = _parse_json()
        new, options = [payment.to_new() for payment in body.payments], body
    batch_id, rows = batches.record(
        session(), directory_, new, caller=caller(), batch_reference=options.batch_reference,
        expected_total_minor=options.expected_total_minor, allow_duplicates=options.allow_duplicates,
    )  # fmt: skip
    return {
        "batch_id": batch_id,
        "count": len(rows),
        "total_minor": sum(row["amount_minor"] for row in rows),
        "payments": [reports.as_json(row, row["receipt_number"]) for row in rows],
    }, 201


@api.post(f"{B}/payments/batch/<string:batch_id>/undo")
@endpoint("payments:write")
def undo_batch(path: BatchPath) -> dict[str, Any]:
    """Void every payment of a batch, and name those that had to stay"""
    caller().require_staff("payment")
    business = directory(path.business_id).business()
    voided, left = batches.undo(session(), business, path.batch_id, caller())
    return {
        "batch_id": path.batch_id,
        "voided": len(voided),
        "total_minor": sum(payment.amount_minor for payment in voided),
        "left": [
            {"payment_id": payment.payment_id, "code": refusal.code, "detail": refusal.detail}
            for payment, refusal in left
        ],
    }


def _parse_json() -> BatchBody:
    sent = request.get_json(silent=True)
    rows = sent.get("payments") if isinstance(sent, dict) else None
    if isinstance(rows, list) and len(rows) > batch_csv.MAX_ROWS:
        raise payments.invalid([batch_csv.too_many(batch_csv.MAX_ROWS + 1)])
    try:
        return BatchBody.model_validate(sent)
    except ValidationError as error:
        raise payments.invalid(field_errors(error, rows_field="payments")) from None
