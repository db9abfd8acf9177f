"""Locks on what has no row yet: money at a gateway before it is recorded, an invoice's number before it is known,
payments that another request is about to record."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ARRAY, CTE, Text, bindparam, func, select
from sqlalchemy.orm import Session

# The events of a batch are handled type by type, so two workers can want each other's payments. Giving up soon lets the
# inbox run one of them again, long before the database would notice a deadlock.
LOCK_WAIT = "150ms"


def hold(session: Session, names: Iterable[Sequence[str]]) -> None:
    """Serialise what is done about these, up to the commit. Numbers of invoices are held before payments, and each in
    one call, so that callers wait for each other in one order."""
    if not has_many_writers(session):
        return
    wanted = sorted({"\n".join(name) for name in names})
    if not wanted:
        return
    waits = session.scalar(select(func.current_setting("lock_timeout")))
    session.execute(select(func.set_config("lock_timeout", LOCK_WAIT, True)))
    _take(session, func.unnest(bindparam(None, wanted, ARRAY(Text))).column_valued("name"))
    session.execute(select(func.set_config("lock_timeout", waits, True)))


def hold_recording(session: Session, business_id: str) -> None:
    """Serialise what looks for duplicates in a business before it records, up to the commit: twins that look at once
    find nothing. It is held before the receipts' counter, and waited for as long as that is."""
    if has_many_writers(session):
        _take(session, "\n".join(("recording", business_id)))


def turn_at_counter(business_id: str) -> CTE:
    """For PostgreSQL: makes the statement that it is selected from wait for its turn first, up to the commit. Turns are
    given in the order in which they were asked for, and waited for once; who queues for a row instead waits anew each
    time that another was faster, each time as long as a lock may take."""
    return select(_lock("\n".join(("receipts", business_id)))).cte("turn")


def has_many_writers(session: Session) -> bool:
    """SQLite has one, from the beginning of its transaction."""
    return session.get_bind().dialect.name == "postgresql"


def _take(session: Session, name: Any) -> None:
    session.execute(select(_lock(name)))


def _lock(name: Any) -> Any:
    return func.pg_advisory_xact_lock(func.hashtextextended(name, 0))
