"""Receipts: numbers without gaps, and a row for each revision."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from common import clock
from common.db import IN_CHUNK, bulk_insert, insert_or
from payments.models import Payment, Receipt, ReceiptCounter
from payments.usecases import locks


def issue(session: Session, business_id: str, rows: Sequence[dict[str, Any]]) -> None:
    """Give each row its receipt number and revision 1. From here to the commit the business's counter is locked."""
    last = _take_numbers(session, business_id, len(rows))
    for number, row in enumerate(rows, start=last - len(rows) + 1):
        row["receipt_number"] = number
    bulk_insert(session, Receipt.__table__, [  # type: ignore[arg-type]
        {
            "business_id": business_id,
            "payment_id": row["payment_id"],
            "revision": 1,
            "number": row["receipt_number"],
            "refunded_minor": 0,
            "withdrawn_minor": 0,
            "is_void": False,
            "issued_at": row["recorded_at"],
        }
        for row in rows
    ])  # fmt: skip


def _take_numbers(session: Session, business_id: str, count: int) -> int:
    """Take `count` receipt numbers; answers the last of them."""
    statement = insert_or(session, ReceiptCounter.__table__)
    if locks.has_many_writers(session):
        wanted = select(literal(business_id), literal(count)).select_from(locks.turn_at_counter(business_id))
        statement = statement.from_select(["business_id", "last_number"], wanted)
    else:
        statement = statement.values(business_id=business_id, last_number=count)
    statement = statement.on_conflict_do_update(
        index_elements=["business_id"], set_={"last_number": ReceiptCounter.last_number + count}
    )
    return int(session.connection().execute(statement.returning(ReceiptCounter.last_number)).scalar_one())


def revise(session: Session, payments: Sequence[Payment]) -> dict[str, int]:
    """Issue the next revision of each payment's receipt; answers payment id → receipt number."""
    numbers: dict[str, int] = {}
    for start in range(0, len(payments), IN_CHUNK):
        ids = [payment.payment_id for payment in payments[start : start + IN_CHUNK]]
        first = select(Receipt.payment_id, Receipt.number).where(
            Receipt.business_id == payments[0].business_id, Receipt.revision == 1, Receipt.payment_id.in_(ids)
        )
        numbers |= {row[0]: row[1] for row in session.execute(first)}
    bulk_insert(session, Receipt.__table__, [  # type: ignore[arg-type]
        {
            "business_id": payment.business_id,
            "payment_id": payment.payment_id,
            "revision": payment.receipt_revision,
            "number": numbers[payment.payment_id],
            "refunded_minor": payment.refunded_minor,
            "withdrawn_minor": payment.disputed_minor,
            "is_void": payment.voided_at is not None,
            "issued_at": clock.now(),
        }
        for payment in payments
    ])  # fmt: skip
    return numbers
