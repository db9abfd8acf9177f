"""The outbox: events are rows in the producer's database, written in the transaction of the change they tell of.

The relay (`common.relay`) hands them to the bus and marks each after the bus has it. The order of marking is the
order of the events feed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Index, Select, String, Text, bindparam, delete, func, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from common import clock, topology
from common.context import correlation_id
from common.db import BigId, Model, Moment, bulk_insert, partial_index
from common.events import Event

KEEP_PUBLISHED = timedelta(days=30)
# One advisory lock per database: the relay's turn, and the order of the feed.
RELAY_LOCK = 0x52454D49
MARK_LOCK = 0x52454D4A


class OutboxRow(Model):
    """One event, waiting for or past its confirm."""

    __tablename__ = "outbox"
    __table_args__ = (
        partial_index("ix_outbox_unpublished", "seq", where="position IS NULL"),
        Index("ix_outbox_feed", "business_id", "position"),
        Index("ix_outbox_published_at", "published_at"),
    )

    seq: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    event_id: Mapped[str] = mapped_column(String(100), unique=True)
    business_id: Mapped[str] = mapped_column(String(64))
    type: Mapped[str] = mapped_column(String(100))
    routing_key: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    occurred_at: Mapped[datetime] = mapped_column(Moment)
    published_at: Mapped[datetime | None] = mapped_column(Moment)
    position: Mapped[int | None] = mapped_column(BigId, unique=True)


@dataclass(frozen=True, slots=True)
class Message:
    """What travels: an event's bytes and where they are to go."""

    seq: int
    event_id: str
    type: str
    routing_key: str
    body: bytes

    @property
    def is_subscribed(self) -> bool:
        return bool(topology.subscribers_of(self.routing_key))


def emit(session: Session, producer: str, events: Sequence[Event]) -> None:
    """Write `events` to the outbox through the caller's transaction."""
    current = correlation_id()
    rows = []
    for event in events:
        if current is not None and event.correlation_id is None:
            event = event.model_copy(update={"correlation_id": current})  # noqa: PLW2901
        rows.append(
            {
                "event_id": event.event_id,
                "business_id": event.business_id,
                "type": type(event).__name__,
                "routing_key": event.routing_key(producer),
                "body": event.to_wire(producer).decode(),
                "occurred_at": event.occurred_at,
            }
        )
    bulk_insert(session, OutboxRow.__table__, rows)  # type: ignore[arg-type]
    session.info.setdefault("wake", set()).add("outbox")


def unpublished(session: Session, limit: int) -> list[Message]:
    """The oldest events that the bus has not confirmed."""
    return _oldest(session, limit, OutboxRow.position.is_(None))


def published(session: Session, since: datetime, after_seq: int, limit: int) -> list[Message]:
    """The oldest events that the bus confirmed at `since` or later, of those written after `after_seq`."""
    return _oldest(session, limit, OutboxRow.published_at >= since, OutboxRow.seq > after_seq)


def _oldest(session: Session, limit: int, *conditions: ColumnElement[bool]) -> list[Message]:
    rows = session.execute(
        select(OutboxRow.seq, OutboxRow.event_id, OutboxRow.type, OutboxRow.routing_key, OutboxRow.body)
        .where(*conditions)
        .order_by(OutboxRow.seq)
        .limit(limit)
    )
    return [Message(seq, event_id, type_, key, body.encode()) for seq, event_id, type_, key, body in rows]


def mark_published(session: Session, seqs: Sequence[int]) -> None:
    """Give each row its place in the feed, in the order given; rows that have one already keep it."""
    if not seqs:
        return
    if session.get_bind().dialect.name == "postgresql":
        # Serialised, so that positions become visible in their order and a feed cursor never skips one.
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MARK_LOCK})
        session.execute(
            text(
                "UPDATE outbox SET published_at = :now, position = marked.base + marked.place "
                "FROM (SELECT seq, place, (SELECT coalesce(max(position), 0) FROM outbox) AS base"
                "      FROM unnest(CAST(:seqs AS bigint[])) WITH ORDINALITY AS given (seq, place)) AS marked "
                "WHERE outbox.seq = marked.seq AND outbox.position IS NULL"
            ),
            {"now": clock.now(), "seqs": list(seqs)},
        )
        return
    base = session.execute(select(func.max(OutboxRow.position))).scalar_one() or 0
    session.connection().execute(
        update(OutboxRow)
        .where(OutboxRow.seq == bindparam("row_seq"), OutboxRow.position.is_(None))
        .values(published_at=clock.now(), position=bindparam("place")),
        [{"row_seq": seq, "place": base + place} for place, seq in enumerate(seqs, start=1)],
    )


def feed(business_id: str, types: Sequence[str], after: int, limit: int) -> Select[int | None, str]:
    """Published events of one business after a position: (position, body), in the order they were confirmed."""
    query = select(OutboxRow.position, OutboxRow.body).where(
        OutboxRow.business_id == business_id, OutboxRow.position > after
    )
    if types:
        query = query.where(OutboxRow.type.in_(types))
    return query.order_by(OutboxRow.position).limit(limit)


def waiting(session: Session) -> tuple[int, datetime | None]:
    """How many events wait for the bus, and when the oldest of them happened."""
    count, oldest = session.execute(
        select(func.count(), func.min(OutboxRow.occurred_at)).where(OutboxRow.position.is_(None))
    ).one()
    return count, oldest


def forget_old(session: Session, limit: int = 5_000) -> int:
    """Delete published events past their 30 days, a batch at a time; answers how many went."""
    old = (
        select(OutboxRow.seq)
        .where(OutboxRow.published_at < clock.now() - KEEP_PUBLISHED, OutboxRow.position.is_not(None))
        .limit(limit)
    )
    newest = select(func.max(OutboxRow.position)).scalar_subquery()  # kept, so that positions never start again
    result = session.execute(
        delete(OutboxRow).where(OutboxRow.seq.in_(old), OutboxRow.position < newest),
        execution_options={"synchronize_session": False},
    )
    return result.rowcount  # type: ignore[attr-defined,no-any-return]
