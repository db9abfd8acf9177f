"""Payments: record one, history, one, void, refund, and the books' figures."""

from collections.abc import Iterator
from datetime import date
from typing import Any, Literal

from flask import request
from flask.wrappers import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from common import clock
from common.db import Database
from common.directory import Directory
from common.errors import Conflict, NotFound
from common.events.payments import Method, Source
from common.money import to_decimal
from common.web import csv as csv_out
from common.web.app import B, caller, endpoint, runtime, session
from common.web.fields import (
    AmountMinor,
    Body,
    BusinessPath,
    Currency,
    Day,
    Id,
    Line,
    OptionalLine,
    OptionalText,
    PageQuery,
    Query,
    SumMinor,
)
from common.web.paging import decode_cursor, page
from payments.domain.payment import NewPayment, Sent
from payments.reports import payments as reports
from payments.usecases import duplicates, locks, payments, refunds

api = APIBlueprint("payments", __name__, abp_tags=[Tag(name="Payments")], abp_security=[{"bearer": []}])

ManualMethod = Literal["cash", "check", "bank_transfer", "card_terminal", "other"]
Sort = Literal["received_on", "-received_on", "amount", "-amount", "client_name", "-client_name"]
Status = Literal["recorded", "voided", "partially_refunded", "refunded", "disputed", "charged_back"]


class PaymentPath(BusinessPath):
    payment_id: Id


class GatewayPath(BusinessPath):
    gateway: Id
    gateway_payment_id: str = Field(max_length=100)


class PaymentBody(Body):
    """A payment that was received."""

    client_id: Id
    amount_minor: AmountMinor
    method: ManualMethod
    currency: Currency | None = None
    received_on: Day | None = None
    invoice_number: OptionalLine = Field(default=None, max_length=50)
    reference: OptionalLine = None
    memo: OptionalText = None

    def to_new(self) -> NewPayment:
        return NewPayment(
            client=self.client_id,
            amount_minor=self.amount_minor,
            method=self.method,
            currency=self.currency,
            received_on=self.received_on,
            invoice_number=self.invoice_number,
            reference=self.reference,
            memo=self.memo,
        )


class SinglePaymentBody(PaymentBody):
    """A payment that was received, by itself."""

    check_duplicates: StrictBool = Field(
        default=False,
        description="Refuse it with 409 `probable_duplicates`, naming the payment, when it looks recorded already: the"
        " same client and amount within 3 days, or the same reference",
    )


class VoidBody(Body):
    reason: Line


class RefundBody(Body):
    amount_minor: AmountMinor | None = None
    reason: Line


class ActorAnswer(BaseModel):
    type: Literal["staff", "client", "team", "system"]
    id: str
    name: str


class PaymentAnswer(BaseModel):
    """A payment as it stands."""

    model_config = ConfigDict(title="Payment")

    id: str
    business_id: str
    client_id: str
    client_name: str
    amount_minor: int
    refunded_minor: int
    refund_pending_minor: int
    disputed_minor: int
    currency: str
    method: Method
    source: Source
    status: Status
    gateway: str | None
    gateway_payment_id: str | None
    fee_minor: int | None
    invoice_number: str | None
    reference: str | None
    memo: str | None
    received_on: date
    recorded_at: str
    recorded_by: ActorAnswer
    receipt_number: int
    receipt_revision: int
    batch_id: str | None
    void_reason: str | None


class PaymentsQuery(PageQuery):
    client_id: str | None = Field(default=None, max_length=64)
    method: Method | None = None
    source: Source | None = None
    status: Status | None = None
    invoice_number: str | None = Field(default=None, max_length=50)
    batch_id: str | None = Field(default=None, max_length=64)
    recorded_by: str | None = Field(default=None, max_length=200)
    from_: Day | None = Field(default=None, alias="from")
    to: Day | None = None
    min_minor: SumMinor | None = None
    max_minor: SumMinor | None = None
    q: str | None = Field(default=None, max_length=200)
    sort: Sort = "-received_on"


class FiguresQuery(Query):
    after: str = Field(default="", max_length=64, description="The last payment id of the page before")
    limit: int = Field(default=1000, ge=1, le=5000)


def directory(business_id: str) -> Directory:
    return Directory(runtime(), session(), business_id)


@api.post(f"{B}/payments", responses={201: PaymentAnswer})
@endpoint("payments:write")
def record_payment(path: BusinessPath, body: SinglePaymentBody) -> tuple[dict[str, Any], int]:
    """Record a payment that was received"""
    caller().require_staff("payment")
    if body.check_duplicates:
        _refuse_duplicate(path.business_id, body)
    (row,) = payments.record(
        session(), directory(path.business_id), [Sent(body.to_new())], source="manual", caller=caller()
    )
    return reports.as_json(row, row["receipt_number"]), 201


@api.get(f"{B}/payments")
@endpoint("payments:read")
def list_payments(path: BusinessPath, query: PaymentsQuery) -> dict[str, Any] | Response:
    """Payment history, newest first unless `sort` says otherwise; all of it as CSV with `Accept: text/csv`"""
    directory(path.business_id).business()
    own = caller().client_id
    if own is not None and query.client_id not in (None, own):
        raise NotFound("not_found", "There is no such client.")
    filters = reports.PaymentFilters(
        business_id=path.business_id,
        client_id=own or query.client_id,
        first=query.from_,
        last=query.to,
        **query.model_dump(exclude={"limit", "cursor", "client_id", "from_", "to", "sort"}),
    )
    if request.accept_mimetypes.best == "text/csv":
        return csv_out.stream(reports.CSV_HEADER, _csv_rows(runtime().database, filters, query.sort), "payments.csv")
    after = decode_cursor(query.cursor, reports.SORTS[query.sort.removeprefix("-")][1], str)
    rows = session().execute(reports.history(filters, after, query.sort).limit(query.limit + 1)).all()
    last = rows[query.limit - 1][0] if len(rows) > query.limit else None
    return page(
        [reports.as_json(payment, number) for payment, number in rows],
        query.limit,
        reports.place_of(last, query.sort) if last else None,
    )


@api.get(f"{B}/payments/figures")
@endpoint("payments:read")
def list_figures(path: BusinessPath, query: FiguresQuery) -> dict[str, Any]:
    """What was received, given back and withdrawn of every payment, by id, for whoever proves other books against it"""
    caller().require_staff("business")
    rows = session().execute(reports.figures(path.business_id, query.after, query.limit)).all()
    return {
        "items": [
            {
                "payment_id": row.payment_id,
                "client_id": row.client_id,
                "amount_minor": row.amount_minor,
                "refunded_minor": row.refunded_minor,
                "withdrawn_minor": row.disputed_minor,
                "voided": row.voided_at is not None,
                "changed_at": row.changed_at,
            }
            for row in rows
        ]
    }


@api.get(f"{B}/payments/<string:payment_id>", responses={200: PaymentAnswer})
@endpoint("payments:read")
def get_payment(path: PaymentPath) -> dict[str, Any]:
    """One payment"""
    return _visible(reports.find(session(), path.business_id, path.payment_id))


@api.get(f"{B}/payments/by-gateway/<string:gateway>/<string:gateway_payment_id>", responses={200: PaymentAnswer})
@endpoint("payments:read")
def get_payment_by_gateway(path: GatewayPath) -> dict[str, Any]:
    """The payment that a gateway knows by this id"""
    return _visible(reports.find_by_gateway(session(), path.business_id, path.gateway, path.gateway_payment_id))


@api.post(f"{B}/payments/<string:payment_id>/void", responses={200: PaymentAnswer})
@endpoint("payments:write")
def void_payment(path: PaymentPath, body: VoidBody) -> dict[str, Any]:
    """Take back a manual payment that was recorded by mistake"""
    caller().require_staff("payment")
    payments.void(session(), directory(path.business_id).business(), path.payment_id, body.reason, caller())
    return _visible(reports.find(session(), path.business_id, path.payment_id))


@api.post(f"{B}/payments/<string:payment_id>/refunds")
@endpoint("payments:refund")
def refund_payment(path: PaymentPath, body: RefundBody) -> tuple[dict[str, Any], int]:
    """Give money of a payment back; all that is left unless an amount is told

    201 when it is done; 202 with status pending when a gateway has to do it, and the amount is held until it answers.
    """
    caller().require_staff("payment")
    business = directory(path.business_id).business()
    refunded = refunds.refund(session(), business, path.payment_id, body.amount_minor, body.reason, caller())
    payment = _visible(reports.find(session(), path.business_id, path.payment_id))
    answer = {**reports.refund_json(refunded), "payment": payment}
    return answer, 202 if refunded.status == "pending" else 201


@api.get(f"{B}/payments/<string:payment_id>/refunds")
@endpoint("payments:read")
def list_refunds(path: PaymentPath) -> dict[str, Any]:
    """A payment's refunds, oldest first: pending, succeeded, failed, or reversed when their money came back"""
    _visible(reports.find(session(), path.business_id, path.payment_id))
    items = [reports.refund_json(row) for row in reports.refunds(session(), path.business_id, path.payment_id)]
    return {"items": items, "next_cursor": None}


@api.get(f"{B}/payments/<string:payment_id>/disputes")
@endpoint("payments:read")
def list_disputes(path: PaymentPath) -> dict[str, Any]:
    """A payment's disputes, oldest first: open, won, lost or withdrawn, each with the money that was moved for it"""
    caller().require_staff("payment")
    _visible(reports.find(session(), path.business_id, path.payment_id))
    moved = reports.movements(session(), path.business_id, path.payment_id)
    found = reports.disputes(session(), path.business_id, path.payment_id)
    return {"items": [reports.dispute_json(row, moved) for row in found], "next_cursor": None}


def _refuse_duplicate(business_id: str, body: PaymentBody) -> None:
    today = clock.today(directory(business_id).business().time_zone)
    locks.hold_recording(session(), business_id)
    found = duplicates.probable(session(), business_id, [body.to_new()], [body.client_id], today)
    if found:
        raise Conflict(
            "probable_duplicates",
            "This payment looks recorded already. Nothing was recorded; look at it, and send it without"
            " check_duplicates if it is new money.",
            duplicates=found,
        )


def _visible(found: Any) -> dict[str, Any]:
    if found is None or caller().client_id not in (None, found[0].client_id):
        raise NotFound("not_found", "There is no such payment.")
    return reports.as_json(found[0], found[1])


def _csv_rows(database: Database, filters: reports.PaymentFilters, sort: str) -> Iterator[list[Any]]:
    with database.read() as reading:
        rows = reports.history(filters, None, sort).execution_options(yield_per=500)
        for payment, number in reading.execute(rows):
            line = reports.as_json(payment, number)
            line["amount"] = to_decimal(payment.amount_minor, payment.currency)
            line["refunded"] = to_decimal(payment.refunded_minor, payment.currency)
            line["disputed"] = to_decimal(payment.disputed_minor, payment.currency)
            line["fee"] = None if payment.fee_minor is None else to_decimal(payment.fee_minor, payment.currency)
            line["recorded_by"] = payment.recorded_by_name
            line["payment_id"] = payment.payment_id
            yield [line[name] for name in reports.CSV_HEADER]
            reading.expunge(payment)
