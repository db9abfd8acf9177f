"""Payments: record, void, refund. Each ends in events; the receipt number is taken as late as can be."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from common import clock
from common.auth import Caller
from common.context import correlation_id
from common.db import IN_CHUNK, bulk_insert
from common.directory import BusinessFacts, Directory
from common.errors import Conflict, FieldError, Invalid, NotFound
from common.events.payments import Actor, PaymentRecorded, PaymentRefunded, PaymentVoided
from common.ids import new_id
from common.outbox import emit
from payments.domain import payment as rules
from payments.domain.payment import NewPayment
from payments.models import Payment, Refund
from payments.usecases import duplicates, receipts

PRODUCER = "payments"


def record(
    session: Session,
    directory: Directory,
    new: Sequence[NewPayment],
    *,
    source: str,
    caller: Caller,
    batch_id: str | None = None,
    rows_named: bool = False,
    allow_duplicates: bool = True,
) -> list[dict[str, Any]]:
    """Record payments, all or none; answers their rows with `receipt_number`.

    Raises Invalid with what is wrong (by row when `rows_named`), and Conflict `probable_duplicates`.
    """
    business = directory.business()
    today = clock.today(business.time_zone)
    found = directory.match([payment.client for payment in new])
    errors: list[FieldError] = []
    for place, payment in enumerate(new, start=1):
        row = place if rows_named else None
        fits = found.get(payment.client, [])
        if payment.client_field == "client_id":
            fits = [fit for fit in fits if fit.client_id == payment.client]
        if len(fits) != 1:
            errors.append(_client_error(payment, fits, row))
        errors += [
            FieldError(error.field, error.message, row, error.code)
            for error in rules.check(payment, business.currency, today)
        ]
    if errors:
        raise invalid(errors)
    clients = [found[payment.client][0] for payment in new]
    if not allow_duplicates:
        duplicates.refuse_probable(session, business.business_id, new, [c.client_id for c in clients], today)
    now = clock.now()
    rows = [
        {
            "business_id": business.business_id,
            "payment_id": new_id(),
            "client_id": client.client_id,
            "client_name": client.name,
            "amount_minor": payment.amount_minor,
            "refunded_minor": 0,
            "refund_pending_minor": 0,
            "disputed_minor": 0,
            "currency": business.currency,
            "method": payment.method,
            "source": source,
            "gateway": None,
            "gateway_account": None,
            "gateway_payment_id": None,
            "fee_minor": None,
            "invoice_number": payment.invoice_number,
            "reference": payment.reference,
            "memo": payment.memo,
            "received_on": payment.received_on or today,
            "recorded_at": now,
            "recorded_by_type": caller.actor["type"],
            "recorded_by_id": caller.actor["id"],
            "recorded_by_name": caller.actor["name"],
            "batch_id": batch_id,
            "receipt_revision": 1,
            "voided_at": None,
            "void_reason": None,
        }
        for payment, client in zip(new, clients, strict=True)
    ]
    bulk_insert(session, Payment.__table__, rows)  # type: ignore[arg-type]
    receipts.issue(session, business.business_id, rows)
    actor = Actor(**caller.actor)
    emit(session, PRODUCER, [_recorded(row, actor) for row in rows])
    return rows


def void(session: Session, business: BusinessFacts, payment_id: str, reason: str, caller: Caller) -> Payment:
    """Take back a manual payment that was recorded by mistake. Raises NotFound, Conflict."""
    payment = _lock(session, business.business_id, payment_id)
    refusal = why_not_void(payment)
    if refusal is not None:
        raise refusal
    void_all(session, business, [payment], reason, caller)
    return payment


def why_not_void(payment: Payment) -> Conflict | None:
    """The refusal to void, or None when the payment can be voided."""
    if payment.gateway is not None:
        return Conflict("not_manual", "Money that a gateway took is refunded, not voided.")
    if payment.voided_at is not None:
        return Conflict("already_voided", "This payment was voided before.")
    if payment.refunded_minor or payment.refund_pending_minor:
        return Conflict("payment_refunded", "Part of this payment was given back; refund the rest instead.")
    return None


def refund(
    session: Session,
    business: BusinessFacts,
    payment_id: str,
    amount_minor: int | None,
    reason: str,
    caller: Caller,
) -> tuple[Refund, Payment]:
    """Give money of a manual payment back; all that is left unless told. Raises NotFound, Conflict, Invalid."""
    payment = _lock(session, business.business_id, payment_id)
    if payment.gateway is not None:
        raise Conflict("gateway_away", "Refunds of gateway payments need that gateway, and it is not installed.")
    if payment.voided_at is not None:
        raise Conflict("already_voided", "This payment was voided; there is nothing to give back.")
    left_minor = rules.left_minor(payment)
    wanted_minor = left_minor if amount_minor is None else amount_minor
    if wanted_minor > left_minor or wanted_minor == 0:
        message = f"at most {left_minor} (minor units) of this payment can still be given back"
        raise Invalid("refund_exceeds_payment", f"{message.capitalize()}.", [FieldError("amount_minor", message)])
    refunded = Refund(
        business_id=business.business_id,
        refund_id=new_id(),
        payment_id=payment_id,
        amount_minor=wanted_minor,
        status="succeeded",
        reason=reason,
        refunded_on=clock.today(business.time_zone),
        created_at=clock.now(),
        created_by_name=caller.actor["name"],
    )
    session.add(refunded)
    payment.refunded_minor += wanted_minor
    payment.receipt_revision += 1
    session.flush()
    number = receipts.revise(session, [payment])[payment_id]
    emit(session, PRODUCER, [
        PaymentRefunded(
            **_facts(payment, number, caller),
            amount_minor=wanted_minor,
            refund_id=refunded.refund_id,
            refunded_on=refunded.refunded_on,
            refunded_total_minor=payment.refunded_minor,
            reason=reason,
        )
    ])  # fmt: skip
    return refunded, payment


def _lock(session: Session, business_id: str, payment_id: str) -> Payment:
    payment = session.scalars(
        select(Payment).where(Payment.business_id == business_id, Payment.payment_id == payment_id).with_for_update()
    ).one_or_none()
    if payment is None:
        raise NotFound("not_found", "There is no such payment.")
    return payment


def void_all(
    session: Session, business: BusinessFacts, payments: Sequence[Payment], reason: str, caller: Caller
) -> None:
    """Void payments that `why_not_void` has nothing against."""
    if not payments:
        return
    now = clock.now()
    for start in range(0, len(payments), IN_CHUNK):
        ids = [payment.payment_id for payment in payments[start : start + IN_CHUNK]]
        session.execute(
            update(Payment)
            .where(Payment.business_id == business.business_id, Payment.payment_id.in_(ids))
            .values(voided_at=now, void_reason=reason, receipt_revision=Payment.receipt_revision + 1)
            .execution_options(synchronize_session=False)
        )
    for payment in payments:
        set_committed_value(payment, "voided_at", now)
        set_committed_value(payment, "void_reason", reason)
        set_committed_value(payment, "receipt_revision", payment.receipt_revision + 1)
    numbers = receipts.revise(session, payments)
    voided_on = clock.today(business.time_zone)
    emit(session, PRODUCER, [
        PaymentVoided(
            **_facts(payment, numbers[payment.payment_id], caller),
            amount_minor=payment.amount_minor,
            voided_on=voided_on,
            reason=reason,
        )
        for payment in payments
    ])  # fmt: skip


def _facts(payment: Payment, number: int, caller: Caller) -> dict[str, Any]:
    return {
        "business_id": payment.business_id,
        "payment_id": payment.payment_id,
        "client_id": payment.client_id,
        "currency": payment.currency,
        "method": payment.method,
        "receipt_number": number,
        "receipt_revision": payment.receipt_revision,
        "recorded_by": Actor(**caller.actor),
        "sequence": payment.receipt_revision,
    }


def _recorded(row: dict[str, Any], actor: Actor) -> PaymentRecorded:
    return PaymentRecorded.model_construct(
        business_id=row["business_id"],
        sequence=1,
        event_id=new_id(),
        occurred_at=row["recorded_at"],
        correlation_id=correlation_id(),
        causation_id=None,
        producer="",
        payment_id=row["payment_id"],
        client_id=row["client_id"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        method=row["method"],
        receipt_number=row["receipt_number"],
        receipt_revision=1,
        recorded_by=actor,
        source=row["source"],
        gateway=row["gateway"],
        invoice_number=row["invoice_number"],
        received_on=row["received_on"],
    )


def _client_error(payment: NewPayment, fits: Sequence[Any], row: int | None) -> FieldError:
    shown = payment.client[:80]
    if not fits:
        return FieldError(payment.client_field, f"there is no client '{shown}'", row, "client_unknown")
    candidates = [{"client_id": fit.client_id, "name": fit.name, "external_ref": fit.external_ref} for fit in fits[:20]]
    message = f"'{shown}' fits {len(fits)} clients; use the id of the one who paid"
    return FieldError(payment.client_field, message, row, "client_ambiguous", candidates)


def invalid(errors: Sequence[FieldError]) -> Invalid:
    """The refusal of a request with these errors: their common code when they have one."""
    codes = {error.code for error in errors}
    code = codes.pop() if len(codes) == 1 else None
    first = errors[0]
    where = f"row {first.row}, " if first.row is not None else ""
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return Invalid(
        code or "validation_failed",
        f"Nothing was recorded: {where}{first.field}: {first.message}{more}.",
        errors,
    )
