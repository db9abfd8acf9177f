"""Many payments at once, as JSON or CSV, all or nothing; what would become of them; and their undoing."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from flask import request
from flask_openapi3 import APIBlueprint, RawModel, Tag
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError

from common.directory import Directory
from common.errors import Conflict, FieldError
from common.web.app import ANY_JSON, B, caller, endpoint, session
from common.web.fields import Body, BusinessPath, Id, OptionalLine, Query
from common.web.problems import field_errors
from payments.api.payments import PaymentBody, directory
from payments.domain import batch_csv
from payments.domain.payment import NewPayment, Sent
from payments.models import Payment
from payments.reports import payments as reports
from payments.usecases import batches, payments

api = APIBlueprint("batches", __name__, abp_tags=[Tag(name="Batches")], abp_security=[{"bearer": []}])

BATCH_BYTES = 16 * 1024 * 1024


class BatchOptions(Body):
    batch_reference: OptionalLine = None
    expected_total_minor: StrictInt | None = None
    allow_duplicates: StrictBool = False
    check_repeats: StrictBool = False


class BatchBody(BatchOptions):
    payments: list[PaymentBody] = Field(min_length=1)


class BatchQuery(Query):
    """For CSV, where the body has no place for these."""

    batch_reference: OptionalLine = None
    expected_total_minor: int | None = None
    allow_duplicates: bool = False
    check_repeats: bool = False


class BatchRaw(RawModel):
    """JSON, or text/csv with the header client,amount,method,received_on,currency,invoice_number,reference,memo."""

    mimetypes: list[str] = ["application/json", "text/csv"]


class BatchPath(BusinessPath):
    batch_id: Id


class FaultAnswer(BaseModel):
    """What is wrong with a field, or may be. A client that fits several comes with those."""

    field: str
    message: str
    row: int | None = None
    code: str | None = None
    candidates: list[dict[str, Any]] | None = None


class DuplicateAnswer(BaseModel):
    """A recorded payment that looks like the same money."""

    row: int
    why: str
    payment_id: str
    client_id: str
    amount_minor: int
    received_on: date
    reference: str | None


class SeenAnswer(BaseModel):
    """What a batch would find of a row."""

    row: int = Field(description="From 1")
    client_id: str | None = Field(description="None when nobody, or more than one, is meant")
    client_name: str | None
    amount_minor: int | None = Field(description="None when it could not be read")
    errors: list[FaultAnswer] = Field(description="For any of these the whole batch is refused")
    doubts: list[FaultAnswer] = Field(
        description="Recorded, and may not be what was meant: an invoice that is not known here yet, is another"
        " client's, or asks for nothing. Such money becomes the client's credit"
    )
    duplicates: list[DuplicateAnswer] = Field(description="For these it answers 409 unless `allow_duplicates` is true")
    repeats_row: int | None = Field(
        description="The row before it that looks like the same money: the same reference, or the same client, amount"
        " and day without references that differ. A batch refuses this with `check_repeats` alone"
    )


class PreviewAnswer(BaseModel):
    count: int
    total_minor: int = Field(description="Of the amounts that could be read")
    currency: str
    rows: list[SeenAnswer]


class LeftAnswer(BaseModel):
    payment_id: str
    client_name: str
    amount_minor: int
    code: str
    detail: str


class BatchAnswer(BaseModel):
    """Payments recorded together, as they stand."""

    model_config = ConfigDict(title="Batch")

    batch_id: str
    batch_reference: str | None
    count: int
    total_minor: int
    currency: str
    recorded_at: datetime
    recorded_by: str
    voided: int
    voided_minor: int
    left_count: int
    left: list[LeftAnswer] = Field(description="At most 500 of those that cannot be voided any more")


@api.post(f"{B}/payments/batch", responses={201: ANY_JSON})
@endpoint("payments:write", max_body_bytes=BATCH_BYTES)
def record_batch(path: BusinessPath, query: BatchQuery, raw: BatchRaw) -> tuple[dict[str, Any], int]:
    """Record up to 10,000 payments, all or none

    Any bad row refuses the whole batch, and every bad row is named. Payments that look recorded already answer 409
    `probable_duplicates` unless `allow_duplicates` is true; with `check_repeats` those that look like a row before them
    do as well.
    """
    caller().require_staff("payment")
    directory_ = directory(path.business_id)
    lines, options = _read(directory_, query)
    batch_id, rows = batches.record(
        session(), directory_, lines, caller=caller(), batch_reference=options.batch_reference,
        expected_total_minor=options.expected_total_minor, allow_duplicates=options.allow_duplicates,
        check_repeats=options.check_repeats,
    )  # fmt: skip
    return {
        "batch_id": batch_id,
        "count": len(rows),
        "total_minor": sum(row["amount_minor"] for row in rows),
        "payments": [reports.as_json(row, row["receipt_number"]) for row in rows],
    }, 201


@api.post(f"{B}/payments/batch/preview", responses={200: PreviewAnswer})
@endpoint("payments:read", idempotent=False, max_body_bytes=BATCH_BYTES)
def preview_batch(path: BusinessPath, query: BatchQuery, raw: BatchRaw) -> dict[str, Any]:
    """What a batch would find of its rows: whose they are, all that is wrong, and what looks recorded already

    Takes what `POST B/payments/batch` takes, and records nothing. What refuses a batch as a whole (a file without its
    columns, too many rows) refuses the preview as well.
    """
    caller().require_staff("payment")
    directory_ = directory(path.business_id)
    lines, _ = _read(directory_, query)
    seen = batches.preview(session(), directory_, lines)
    return {
        "count": len(seen),
        "total_minor": sum(one.payment.amount_minor for one in seen),
        "currency": directory_.business().currency,
        "rows": [_seen_json(row, one) for row, one in enumerate(seen, start=1)],
    }


@api.get(f"{B}/payments/batch/<string:batch_id>", responses={200: BatchAnswer})
@endpoint("payments:read")
def get_batch(path: BatchPath) -> dict[str, Any]:
    """A batch: what was recorded, what of it is voided by now, and what an undoing would have to leave, and why"""
    caller().require_staff("batch")
    batch, recorded = batches.find(session(), path.business_id, path.batch_id)
    voided = [payment for payment in recorded if payment.voided_at is not None]
    valid = [payment for payment in recorded if payment.voided_at is None]
    left = [(payment, refusal) for payment in valid if (refusal := payments.why_not_void(payment)) is not None]
    return {
        "batch_id": batch.batch_id,
        "batch_reference": batch.batch_reference,
        "count": batch.payments,
        "total_minor": batch.total_minor,
        "currency": recorded[0].currency,
        "recorded_at": batch.created_at,
        "recorded_by": batch.created_by_name,
        "voided": len(voided),
        "voided_minor": sum(payment.amount_minor for payment in voided),
        "left_count": len(left),
        "left": [_left_json(payment, refusal) for payment, refusal in left[: batches.LEFT_TOLD]],
    }


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
        "left": [_left_json(payment, refusal) for payment, refusal in left],
    }


def _read(directory: Directory, query: BatchQuery) -> tuple[list[Sent], BatchOptions | BatchQuery]:
    """The lines that were sent, and what else was told. Raises Invalid with what is wrong with the whole."""
    if request.mimetype != "text/csv":
        return _read_json()
    lines, errors = batch_csv.parse(request.get_data(), directory.business().currency)
    if errors:
        raise payments.invalid([*errors, *(error for line in lines for error in line.errors)])
    return lines, query


def _read_json() -> tuple[list[Sent], BatchOptions]:
    sent = request.get_json(silent=True)
    rows = sent.get("payments") if isinstance(sent, dict) else None
    if isinstance(rows, list) and len(rows) > batch_csv.MAX_ROWS:
        raise payments.invalid([batch_csv.too_many(batch_csv.MAX_ROWS + 1)])
    try:
        body = BatchBody.model_validate(sent)
    except ValidationError as error:
        found = field_errors(error, rows_field="payments")
        if not isinstance(sent, dict) or not isinstance(rows, list) or any(one.row is None for one in found):
            raise payments.invalid(found) from None
        options = BatchOptions.model_validate({name: told for name, told in sent.items() if name != "payments"})
        return [_line(row, place, found) for place, row in enumerate(rows, start=1)], options
    return [Sent(payment.to_new()) for payment in body.payments], body


def _line(sent: Any, place: int, errors: Sequence[FieldError]) -> Sent:
    """A row of which at least one is wrong: what could be read of it."""
    own = [error for error in errors if error.row == place]
    if not own:
        return Sent(PaymentBody.model_validate(sent).to_new())
    told = sent if isinstance(sent, dict) else {}
    wrong = {error.field for error in own}
    client_id, amount_minor = (None if name in wrong else told.get(name) for name in ("client_id", "amount_minor"))
    return Sent(NewPayment(client_id or "", amount_minor or 0, ""), own)


def _seen_json(row: int, seen: batches.Seen) -> dict[str, Any]:
    return {
        "row": row,
        "client_id": seen.client.client_id if seen.client else None,
        "client_name": seen.client.name if seen.client else None,
        "amount_minor": seen.payment.amount_minor or None,
        "errors": [error.as_json() for error in seen.errors],
        "doubts": [doubt.as_json() for doubt in seen.doubts],
        "duplicates": [seen.duplicate] if seen.duplicate else [],
        "repeats_row": seen.repeats,
    }


def _left_json(payment: Payment, refusal: Conflict) -> dict[str, Any]:
    return {
        "payment_id": payment.payment_id, "client_name": payment.client_name, "amount_minor": payment.amount_minor,
        "code": refusal.code, "detail": refusal.detail,
    }  # fmt: skip
