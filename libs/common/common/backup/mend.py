"""What a restored system needs before it starts: events that are still owed, and a feed that does not run backwards."""

from collections.abc import Mapping, Sequence

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from common import jobs, topology
from common.db import IN_CHUNK, Database
from common.inbox import InboxRow
from common.outbox import OutboxRow

# Readers of the feed may have come this far in the time that was lost; whatever comes now stands after it.
LIFT = 1_000_000_000


def send_again(databases: Mapping[str, Database]) -> dict[str, int]:
    """Let each event be published again that one of its subscribers does not have; answers how many by sender.

    They were in the queues, or on their way, when the backup was made. Whoever has one already does nothing.
    """
    return {name: _send_again(database, databases) for name, database in databases.items()}


def _send_again(database: Database, databases: Mapping[str, Database]) -> int:
    count, after = 0, 0
    while True:
        with database.write() as session:
            rows = session.execute(
                select(OutboxRow.seq, OutboxRow.event_id, OutboxRow.routing_key)
                .where(OutboxRow.position.is_not(None), OutboxRow.seq > after)
                .order_by(OutboxRow.seq).limit(IN_CHUNK)
            ).all()  # fmt: skip
            if not rows:
                return count
            after = rows[-1].seq
            owed = [seq for service, other in databases.items() for seq in _owed(service, other, rows)]
            session.execute(
                update(OutboxRow).where(OutboxRow.seq.in_(owed)).values(position=None, published_at=None),
                execution_options={"synchronize_session": False},
            )
            count += len(set(owed))


def _owed(service: str, database: Database, rows: Sequence[tuple[int, str, str]]) -> list[int]:
    """The places in the outbox of those events that `service` takes and has not received."""
    keys = set(topology.routing_keys(service))
    due = {event_id: seq for seq, event_id, key in rows if key in keys}
    with database.read() as session:
        received = set(session.scalars(select(InboxRow.event_id).where(InboxRow.event_id.in_(due))))
    return [seq for event_id, seq in due.items() if event_id not in received]


def lift_positions(databases: Mapping[str, Database]) -> None:
    """Let the feed's next positions lie beyond all that may have been given after the backup."""
    for database in databases.values():
        with database.write() as session:
            newest = _newest(session)
            if newest is not None:
                session.execute(
                    update(OutboxRow).where(OutboxRow.position == newest).values(position=newest + LIFT),
                    execution_options={"synchronize_session": False},
                )


def calls_due(databases: Mapping[str, Database]) -> dict[str, int]:
    """Outside calls that were not done when the backup was made, by service; those without any are left out."""
    found = {}
    for name, database in databases.items():
        with database.read() as session:
            counts = jobs.count_open(session)
        if due := counts.get("due", 0) + counts.get("claimed", 0):
            found[name] = due
    return found


def _newest(session: Session) -> int | None:
    return session.execute(select(func.max(OutboxRow.position))).scalar_one()
