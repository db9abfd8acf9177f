"""What a restored system needs before it starts: events that are still owed, and a feed that does not run backwards."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import func, select, update

from common import clock, jobs, topology
from common.db import IN_CHUNK, Database
from common.ids import new_id
from common.inbox import InboxRow
from common.outbox import OutboxRow

# How far beyond the newest position the feed goes on where that is ahead of the clock, which somebody set back.
LIFT = 1_000_000_000
FLOOR = "FeedLifted"
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


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
    """Let the feed's next positions lie beyond all that may have been given after the backup, and after a restore of
    it before this one: they go on from the clock, in microseconds, which no feed outruns.

    A row that is of no business and goes to nobody holds that place until the next event has one, also where there are
    no others, or all of them are sent again. It is forgotten then, as it was published long ago.
    """
    now = clock.now()
    now_us = int(now.timestamp() * 1_000_000)
    for database in databases.values():
        with database.write() as session:
            newest = session.execute(select(func.max(OutboxRow.position))).scalar_one() or 0
            session.add(
                OutboxRow(
                    event_id=new_id(), business_id="", type=FLOOR, routing_key=FLOOR, body="{}", occurred_at=now,
                    published_at=LONG_AGO, position=now_us if now_us > newest else newest + LIFT,
                )
            )  # fmt: skip


def calls_due(databases: Mapping[str, Database]) -> dict[str, int]:
    """Outside calls that were not done when the backup was made, by service; those without any are left out."""
    found = {}
    for name, database in databases.items():
        with database.read() as session:
            counts = jobs.count_open(session)
        if due := counts.get("due", 0) + counts.get("claimed", 0):
            found[name] = due
    return found
