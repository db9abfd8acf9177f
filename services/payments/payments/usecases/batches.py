"""Many payments at once: recorded together, undone together."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from common import clock
from common.auth import Caller
from common.directory import BusinessFacts, Directory
from common.errors import Conflict, FieldError, Invalid, NotFound
from common.ids import new_id
from payments.domain.payment import NewPayment
from payments.models import Batch, Payment
from payments.usecases import payments


def record(
    session: Session,
    directory: Directory,
    new: Sequence[NewPayment],
    *,
    caller: Caller,
    batch_reference: str | None,
    expected_total_minor: int | None,
    allow_duplicates: bool,
) -> tuple[str, list[dict[str, Any]]]:
    """Record many payments together; answers the batch's id and the payments' rows. Raises as `record` does, and
    Invalid `total_mismatch`."""
    total_minor = sum(payment.amount_minor for payment in new)
    if expected_total_minor is not None and total_minor != expected_total_minor:
        message = f"the rows add up to {total_minor}, not {expected_total_minor} (minor units)"
        raise Invalid(
            "total_mismatch", f"Nothing was recorded: {message}.", [FieldError("expected_total_minor", message)],
            total_minor=total_minor,
        )  # fmt: skip
    batch_id = new_id()
    rows = payments.record(
        session, directory, new, source="batch", caller=caller, batch_id=batch_id, rows_named=True,
        allow_duplicates=allow_duplicates,
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
    recorded = session.scalars(
        select(Payment)
        .where(Payment.business_id == business.business_id, Payment.batch_id == batch_id)
        .order_by(Payment.payment_id)
        .with_for_update()
    ).all()
    if not recorded:
        raise NotFound("not_found", "There is no such batch.")
    left = [(payment, refusal) for payment in recorded if (refusal := payments.why_not_void(payment)) is not None]
    kept = {payment.payment_id for payment, _ in left}
    voided = [payment for payment in recorded if payment.payment_id not in kept]
    payments.void_all(session, business, voided, "batch undone", caller)
    return voided, left
