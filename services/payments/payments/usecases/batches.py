"""Many payments at once: looked at before, recorded together, undone together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from common import clock
from common.auth import Caller
from common.directory import BusinessFacts, ClientFacts, Directory
from common.errors import Conflict, FieldError, Invalid, NotFound
from common.ids import new_id
from payments.domain import invoice as invoice_rules
from payments.domain.payment import NewPayment, Sent
from payments.models import Batch, Payment
from payments.usecases import duplicates, invoices, payments

# Why a batch's payments had to stay is told of so many.
LEFT_TOLD = 500


@dataclass(frozen=True, slots=True)
class Seen:
    """What a batch would find of one of its lines. `duplicate` is the recorded payment that it resembles, `repeats` the
    row before it that looks like the same money, `doubts` what would be recorded and may not be what was meant."""

    payment: NewPayment
    client: ClientFacts | None
    errors: Sequence[FieldError]
    doubts: Sequence[FieldError]
    duplicate: dict[str, Any] | None
    repeats: int | None


def preview(session: Session, directory: Directory, lines: Sequence[Sent]) -> list[Seen]:
    """What `record` would find of each line; records nothing. Lines with errors are held against no others."""
    business = directory.business()
    today = clock.today(business.time_zone)
    checked = payments.check(directory, business, lines, today, rows_named=True)
    good = [
        (place, line.payment, one.client.client_id)
        for place, (line, one) in enumerate(zip(lines, checked, strict=True))
        if one.client is not None and not one.errors
    ]
    new, client_ids = [payment for _, payment, _ in good], [client_id for _, _, client_id in good]
    recorded = duplicates.probable(session, business.business_id, new, client_ids, today)
    like = {good[found["row"] - 1][0]: found | {"row": good[found["row"] - 1][0] + 1} for found in recorded}
    twice = duplicates.repeats(new, client_ids, today)
    repeats = {good[place][0]: good[before][0] + 1 for place, before in twice.items()}
    doubts = _doubts(session, business.business_id, good)
    return [
        Seen(line.payment, one.client, one.errors, doubts.get(place, []), like.get(place), repeats.get(place))
        for place, (line, one) in enumerate(zip(lines, checked, strict=True))
    ]


def _doubts(
    session: Session, business_id: str, good: Sequence[tuple[int, NewPayment, str]]
) -> dict[int, list[FieldError]]:
    """Place → what speaks against the invoice that its payment names: such money becomes the client's credit."""
    names = {place: invoices.name_of(business_id, payment.invoice_number) for place, payment, _ in good}
    known = invoices.named(session, names.values())
    found: dict[int, list[FieldError]] = {}
    for place, payment, client_id in good:
        if payment.invoice_number is None:
            continue
        doubt = invoice_rules.doubt(payment.invoice_number, invoices.fits(known, names[place]), client_id)
        if doubt is not None:
            code, message = doubt
            found[place] = [FieldError("invoice_number", message, place + 1, code)]
    return found


def record(
    session: Session,
    directory: Directory,
    lines: Sequence[Sent],
    *,
    caller: Caller,
    batch_reference: str | None,
    expected_total_minor: int | None,
    allow_duplicates: bool,
    check_repeats: bool,
) -> tuple[str, list[dict[str, Any]]]:
    """Record many payments together; answers the batch's id and the payments' rows. Raises as `record` does, and
    Invalid `total_mismatch`."""
    total_minor = sum(line.payment.amount_minor for line in lines)
    is_read = not any(line.errors for line in lines)  # what could not be read is told before what it would add up to
    if is_read and expected_total_minor is not None and total_minor != expected_total_minor:
        message = f"the rows add up to {total_minor}, not {expected_total_minor} (minor units)"
        raise Invalid(
            "total_mismatch", f"Nothing was recorded: {message}.", [FieldError("expected_total_minor", message)],
            total_minor=total_minor,
        )  # fmt: skip
    batch_id = new_id()
    rows = payments.record(
        session, directory, lines, source="batch", caller=caller, batch_id=batch_id, rows_named=True,
        allow_duplicates=allow_duplicates, check_repeats=check_repeats,
    )  # fmt: skip
    session.add(
        Batch(
            business_id=rows[0]["business_id"],
            batch_id=batch_id,
            batch_reference=batch_reference,
            payments=len(rows),
            total_minor=total_minor,
            created_at=clock.now(),
            created_by_name=caller.actor["name"],
        )
    )
    session.flush()
    return batch_id, rows


def undo(
    session: Session, business: BusinessFacts, batch_id: str, caller: Caller
) -> tuple[list[Payment], list[tuple[Payment, Conflict]]]:
    """Void every payment of a batch that can be voided; answers those, and those left with the reason."""
    recorded = session.scalars(_of(business.business_id, batch_id).with_for_update()).all()
    if not recorded:
        raise NotFound("not_found", "There is no such batch.")
    left = [(payment, refusal) for payment in recorded if (refusal := payments.why_not_void(payment)) is not None]
    kept = {payment.payment_id for payment, _ in left}
    voided = [payment for payment in recorded if payment.payment_id not in kept]
    payments.void_all(session, business, voided, "batch undone", caller)
    return voided, left


def find(session: Session, business_id: str, batch_id: str) -> tuple[Batch, Sequence[Payment]]:
    """A batch and its payments. Raises NotFound."""
    batch = session.get(Batch, (business_id, batch_id))
    if batch is None:
        raise NotFound("not_found", "There is no such batch.")
    return batch, session.scalars(_of(business_id, batch_id)).all()


def _of(business_id: str, batch_id: str) -> Select[Payment]:
    of_batch = select(Payment).where(Payment.business_id == business_id, Payment.batch_id == batch_id)
    return of_batch.order_by(Payment.payment_id)
