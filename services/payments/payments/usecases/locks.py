"""Locks on what has no row yet: money at a gateway before it is recorded, an invoice's number before it is known."""

from collections.abc import Iterable, Sequence

from sqlalchemy import ARRAY, Text, bindparam, func, select
from sqlalchemy.orm import Session

# The events of a batch are handled type by type, so two workers can want each other's payments. Giving up soon lets the
# inbox run one of them again, long before the database would notice a deadlock.
LOCK_WAIT = "150ms"


def hold(session: Session, names: Iterable[Sequence[str]]) -> None:
    """Serialise what is done about these, up to the commit. Numbers of invoices are held before payments, and each in
    one call, so that callers wait for each other in one order."""
    if session.get_bind().dialect.name != "postgresql":
        return  # SQLite has one writer
    wanted = sorted({"\n".join(name) for name in names})
    if not wanted:
        return
    waits = session.scalar(select(func.current_setting("lock_timeout")))
    session.execute(select(func.set_config("lock_timeout", LOCK_WAIT, True)))
    name = func.unnest(bindparam(None, wanted, ARRAY(Text))).column_valued("name")
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))
    session.execute(select(func.set_config("lock_timeout", waits, True)))
