"""Payments: record and void. Each ends in events; the receipt number is taken as late as can be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from common import clock
from common.auth import Caller
from common.context import correlation_id
from common.db import IN_CHUNK, bulk_insert
from common.directory import BusinessFacts, ClientFacts, Directory
from common.errors import Conflict, FieldError, Invalid, NotFound
from common.events import Event, caused_by
from common.events.payments import Actor, PaymentRecorded, PaymentVoided
from common.ids import new_id
from common.invoice_number import tidy
from common.outbox import emit
from payments.domain import payment as rules
from payments.domain.payment import NewPayment, Sent
from payments.models import Payment
from payments.usecases import duplicates, receipts

PRODUCER = "payments"


class Named(Protocol):
    """A client, from wherever it is known."""

    @property
    def client_id(self) -> str: ...
    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Checked:
    """Whose a payment is, when that is clear, and all that is wrong with it."""

    client: ClientFacts | None
    errors: Sequence[FieldError]


def record(
    session: Session,
    directory: Directory,
    lines: Sequence[Sent],
    *,
    source: str,
    caller: Caller,
    batch_id: str | None = None,
    rows_named: bool = False,
    allow_duplicates: bool = True,
    check_repeats: bool = False,
) -> list[dict[str, Any]]:
    """Record payments, all or none; answers their rows with `receipt_number`.

    Raises Invalid with what is wrong (by row when `rows_named`), and Conflict `probable_duplicates`.
    """
    business = directory.business()
    today = clock.today(business.time_zone)
    checked = check(directory, business, lines, today, rows_named=rows_named)
    errors = [error for one in checked for error in one.errors]
    if errors:
        raise invalid(errors)
    new = [line.payment for line in lines]
    clients = [one.client for one in checked if one.client is not None]
    if not allow_duplicates:
        client_ids = [client.client_id for client in clients]
        duplicates.refuse_probable(session, business.business_id, new, client_ids, today, check_repeats=check_repeats)
    rows = [
        new_row(
            business.business_id,
            client,
            amount_minor=payment.amount_minor,
            currency=business.currency,
            method=payment.method,
            source=source,
            invoice_number=payment.invoice_number,
            reference=payment.reference,
            memo=payment.memo,
            received_on=payment.received_on or today,
            actor=caller.actor,
            batch_id=batch_id,
        )
        for payment, client in zip(new, clients, strict=True)
    ]
    insert(session, rows)
    return rows


def check(
    directory: Directory, business: BusinessFacts, lines: Sequence[Sent], today: date, *, rows_named: bool
) -> list[Checked]:
    """What `record` finds of each line, where it is `today`."""
    found = directory.match([line.payment.client for line in lines if line.payment.client])
    return [
        _check(line, found, business.currency, today, place if rows_named else None)
        for place, line in enumerate(lines, start=1)
    ]


def _check(
    line: Sent, found: Mapping[str, list[ClientFacts]], currency: str, today: date, row: int | None
) -> Checked:  # fmt: skip
    payment = line.payment
    errors = list(line.errors)
    fits = found.get(payment.client, [])
    if payment.client_field == "client_id":
        fits = [fit for fit in fits if fit.client_id == payment.client]
    if payment.client and len(fits) != 1:
        errors.append(_client_error(payment, fits, row))
    errors += [
        FieldError(error.field, error.message, row, error.code) for error in rules.check(payment, currency, today)
    ]
    return Checked(fits[0] if len(fits) == 1 else None, errors)


def new_row(
    business_id: str,
    client: Named,
    *,
    amount_minor: int,
    currency: str,
    method: str,
    source: str,
    received_on: date,
    actor: dict[str, str],
    invoice_number: str | None = None,
    reference: str | None = None,
    memo: str | None = None,
    gateway: str | None = None,
    gateway_account: str | None = None,
    gateway_payment_id: str | None = None,
    fee_minor: int | None = None,
    batch_id: str | None = None,
) -> dict[str, Any]:
    """A new payment's row: nothing given back, nothing disputed."""
    return {
        "business_id": business_id,
        "payment_id": new_id(),
        "client_id": client.client_id,
        "client_name": client.name,
        "amount_minor": amount_minor,
        "refunded_minor": 0,
        "refund_pending_minor": 0,
        "disputed_minor": 0,
        "currency": currency,
        "method": method,
        "source": source,
        "gateway": gateway,
        "gateway_account": gateway_account,
        "gateway_payment_id": gateway_payment_id,
        "fee_minor": fee_minor,
        "invoice_number": invoice_number,
        "invoice_tidied": tidy(invoice_number) or invoice_number,
        "reference": reference,
        "memo": memo,
        "received_on": received_on,
        "recorded_at": clock.now(),
        "recorded_by_type": actor["type"],
        "recorded_by_id": actor["id"],
        "recorded_by_name": actor["name"],
        "batch_id": batch_id,
        "receipt_revision": 1,
        "voided_at": None,
        "void_reason": None,
        "dispute_state": None,
    }


def insert(session: Session, rows: Sequence[dict[str, Any]], cause: Event | None = None) -> None:
    """Insert new payments of one business with their receipts, and tell of them; adds `receipt_number` to each row."""
    bulk_insert(session, Payment.__table__, rows)  # type: ignore[arg-type]
    receipts.issue(session, rows[0]["business_id"], rows)
    first = rows[0]  # recorded together is recorded by one
    actor = Actor(type=first["recorded_by_type"], id=first["recorded_by_id"], name=first["recorded_by_name"])
    emit(session, PRODUCER, [_recorded(new, actor, cause) for new in rows])


def void(session: Session, business: BusinessFacts, payment_id: str, reason: str, caller: Caller) -> Payment:
    """Take back a manual payment that was recorded by mistake. Raises NotFound, Conflict."""
    payment = lock(session, business.business_id, payment_id)
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


def lock(session: Session, business_id: str, payment_id: str) -> Payment:
    """The payment, locked to the commit. Raises NotFound."""
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
            **facts(payment, numbers[payment.payment_id], Actor(**caller.actor)),
            amount_minor=payment.amount_minor,
            voided_on=voided_on,
            reason=reason,
        )
        for payment in payments
    ])  # fmt: skip


def revise(session: Session, payment: Payment) -> int:
    """Issue the next revision of the receipt of a payment whose money was moved; answers the receipt's number."""
    payment.receipt_revision += 1
    session.flush()
    return receipts.revise(session, [payment])[payment.payment_id]


def facts(payment: Payment, number: int, actor: Actor) -> dict[str, Any]:
    """What every event that moves a payment's money tells."""
    return {
        "business_id": payment.business_id,
        "payment_id": payment.payment_id,
        "client_id": payment.client_id,
        "currency": payment.currency,
        "method": payment.method,
        "receipt_number": number,
        "receipt_revision": payment.receipt_revision,
        "recorded_by": actor,
        "sequence": payment.receipt_revision,
    }


def _recorded(row: dict[str, Any], actor: Actor, cause: Event | None) -> PaymentRecorded:
    return PaymentRecorded.known(
        business_id=row["business_id"],
        sequence=1,
        event_id=new_id(),
        occurred_at=row["recorded_at"],
        **(caused_by(cause) if cause else {"correlation_id": correlation_id(), "causation_id": None}),
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
