"""The inbox: each event's row is inserted in the transaction of its effect, so a second delivery does nothing.

An event whose handler fails alone is parked here with its body and reason and tried again later; one that is
refused, undecodable or out of attempts is dead, and waits for an operator. `consume` is the one way in for both buses.
"""

import hashlib
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Index, String, Text, delete, func, select, tuple_, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from common import clock, logs
from common.context import correlate
from common.db import Database, Model, Moment, insert_or, is_contended, is_unavailable, partial_index
from common.events import ID_PATTERN, Event, UndecodableEvent, correlation_of, decode
from common.metrics import EVENT_LAG_SECONDS, EVENTS_HANDLED

MAX_ATTEMPTS = 10
CONTENTION_RERUNS = 6
FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 600.0
# A message this often redelivered is handled alone, and then not at all: it may be what kills the worker.
SUSPECT_DELIVERIES = 3
KILLER_DELIVERIES = 10
KEEP_DONE = timedelta(days=90)
MAX_REASON = 2_000
LOGGED_TOGETHER = 50  # a line of the log stays under the 16 kB at which Docker cuts it
EVENT_ID = re.compile(ID_PATTERN)

log = logs.get("inbox")

Handler = Callable[[Sequence[Any], Session], None]
Handlers = Mapping[type[Event], Handler]


class Retry(Exception):
    """Raised by a handler: not yet (a predecessor is missing, say). The event is parked and tried again."""


class Reject(Exception):
    """Raised by a handler: never. The event is dead at once, with this reason."""


class InboxRow(Model):
    """One event received. state: done, parked (next try at `next_at`), dead or discarded."""

    __tablename__ = "inbox"
    __table_args__ = (
        partial_index("ix_inbox_parked", "next_at", where="state = 'parked'"),
        partial_index("ix_inbox_troubled", "state", "received_at", where="state <> 'done'"),
        Index("ix_inbox_received_at", "received_at"),
    )

    event_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    type: Mapped[str] = mapped_column(String(100))
    business_id: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int]
    received_at: Mapped[datetime] = mapped_column(Moment)
    next_at: Mapped[datetime | None] = mapped_column(Moment)
    reason: Mapped[str | None] = mapped_column(Text)
    body: Mapped[str | None] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as the bus brought it. `delivery_count`: how often it was handed out before without an ack."""

    body: bytes
    delivery_count: int = 0


@dataclass(frozen=True)
class Consumer:
    """Where a service's events are handled: its database and its table of handlers."""

    service: str
    database: Database
    handlers: Handlers

    def consume(self, deliveries: Sequence[Delivery]) -> None:
        """Handle a batch. When this returns every delivery is done, parked or dead, and may be acknowledged.

        Raises only when the database is away: then nothing was done and nothing is counted.
        """
        together = []
        for delivery in deliveries:
            if delivery.delivery_count >= KILLER_DELIVERIES:
                self._park(delivery, f"handed out {delivery.delivery_count} times without an answer", retry_now=True)
            elif delivery.delivery_count >= SUSPECT_DELIVERIES:
                self._handle_alone(delivery)
            else:
                together.append(delivery)
        if not together:
            return
        try:
            self._handle(together)
        except Exception as error:
            if is_unavailable(error):
                raise
            log.info("batch failed, trying its events alone", count=len(together), reason=str(error)[:200])
            for delivery in together:
                self._handle_alone(delivery)

    def retry_due(self, limit: int = 100) -> int:
        """Try parked events whose time has come; answers how many were tried."""
        with self.database.write() as session:
            due = session.scalars(
                select(InboxRow)
                .where(InboxRow.state == "parked", InboxRow.next_at <= clock.now())
                .order_by(InboxRow.next_at)
                .limit(limit)
                .with_for_update(skip_locked=True)
            ).all()
            # Counted before the attempt, in a transaction of its own: an event that kills the worker runs out too.
            for row in due:
                row.attempts += 1
                row.next_at = clock.now() + _backoff(row.attempts)
                if row.attempts > MAX_ATTEMPTS:  # its last attempt never came to an end
                    row.state, row.next_at = "dead", None
            claimed = [(row.event_id, row.attempts) for row in due if row.state == "parked"]
        for event_id, attempts in claimed:
            self._retry(event_id, attempts)
        return len(due)

    def _handle(self, deliveries: Sequence[Delivery]) -> None:
        events: dict[str, Event] = {}
        for delivery in deliveries:
            try:
                event = decode(delivery.body)
            except UndecodableEvent as error:
                self._park(delivery, str(error), dead=True)
                continue
            events.setdefault(event.event_id, event)
        for rerun in range(CONTENTION_RERUNS + 1):
            try:
                with self.database.write() as session:
                    self._apply(session, _insert_new(session, list(events.values())))
                break
            except Exception as error:
                if rerun == CONTENTION_RERUNS or not is_contended(error):
                    raise
                time.sleep(random.uniform(0.01, 0.05) * 2**rerun)
        self._note_handled(list(events.values()))

    def _note_handled(self, events: Sequence[Event]) -> None:
        now = clock.now()
        for event in events:
            EVENTS_HANDLED.labels(self.service, type(event).__name__, "done").inc()
            EVENT_LAG_SECONDS.labels(self.service).observe(max(0.0, (now - event.occurred_at).total_seconds()))
        for start in range(0, len(events), LOGGED_TOGETHER):
            log.info("events handled", events=[_in_brief(event) for event in events[start : start + LOGGED_TOGETHER]])

    def _apply(self, session: Session, events: Sequence[Event]) -> None:
        by_type: dict[type[Event], list[Event]] = {}
        for event in events:
            by_type.setdefault(type(event), []).append(event)
        for event_type, group in by_type.items():
            handler = self.handlers.get(event_type)
            if handler is None:
                raise Reject(f"{self.service} has no handler for {event_type.__name__}")
            # Several at once belong to several things: each new event then names its own (`caused_by`).
            correlate(correlation_of(group[0]) if len(group) == 1 else None)
            handler(group, session)

    def _handle_alone(self, delivery: Delivery) -> None:
        try:
            self._handle([delivery])
        except Exception as error:
            if is_unavailable(error):
                raise
            self._park(delivery, reason_of(error), dead=isinstance(error, Reject))

    def _park(self, delivery: Delivery, reason: str, *, dead: bool = False, retry_now: bool = False) -> None:
        event_id, event_type, business_id = _identify(delivery.body)
        state = "dead" if dead else "parked"
        next_at = None if dead else clock.now() + (timedelta() if retry_now else _backoff(1))
        row = {
            "event_id": event_id,
            "type": event_type,
            "business_id": business_id,
            "state": state,
            "attempts": 1,
            "received_at": clock.now(),
            "next_at": next_at,
            "reason": _storable(reason, MAX_REASON),
            "body": _storable(delivery.body.decode("utf-8", "backslashreplace")),
        }
        with self.database.write() as session:
            _insert_ignoring(session, [row])
        EVENTS_HANDLED.labels(self.service, event_type, state).inc()
        log.warning("event " + state, event_id=event_id, type=event_type, reason=reason[:200])

    def _retry(self, event_id: str, attempts: int) -> None:
        try:
            with self.database.write() as session:
                row = session.get(InboxRow, event_id, with_for_update={"skip_locked": True})
                if row is None or row.state != "parked" or row.body is None:
                    return
                event = decode(row.body.encode())
                self._apply(session, [event])
                row.state, row.body, row.next_at, row.reason = "done", None, None, None
            self._note_handled([event])
        except Exception as error:
            if is_unavailable(error):
                raise
            dead = isinstance(error, Reject | UndecodableEvent) or attempts >= MAX_ATTEMPTS
            with self.database.write() as session:
                session.execute(
                    update(InboxRow)
                    .where(InboxRow.event_id == event_id, InboxRow.state == "parked")
                    .values(reason=reason_of(error), **({"state": "dead", "next_at": None} if dead else {}))
                )
            log.warning("retry failed", event_id=event_id, attempts=attempts, dead=dead, reason=reason_of(error)[:200])

    def preview(self, event_id: str) -> list[dict[str, Any]]:
        """What handling the event now would emit, with everything rolled back. Raises what the handler raises."""
        from common.outbox import OutboxRow  # noqa: PLC0415 - only the preview looks at the other side

        with self.database.rehearse() as session:
            row = session.get_one(InboxRow, event_id)
            newest = session.execute(select(func.coalesce(func.max(OutboxRow.seq), 0))).scalar_one()
            self._apply(session, [decode((row.body or "").encode())])
            session.flush()
            bodies = session.scalars(select(OutboxRow.body).where(OutboxRow.seq > newest)).all()
            return [orjson.loads(body) for body in bodies]


def reason_of(error: BaseException) -> str:
    return _storable(f"{type(error).__name__}: {error}", MAX_REASON)


def _in_brief(event: Event) -> dict[str, str]:
    return {"type": type(event).__name__, "event_id": event.event_id, "correlation_id": correlation_of(event)}


def _storable(words: str, length: int | None = None) -> str:
    """Words that PostgreSQL takes as text: a row about a bad message must never fail itself."""
    return words.replace("\0", "\\x00")[:length]


def _backoff(attempts: int) -> timedelta:
    seconds = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** (attempts - 1))
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))


def _insert_new(session: Session, events: Sequence[Event]) -> list[Event]:
    """Insert the inbox rows; answers the events that had none yet."""
    now = clock.now()
    rows = [
        {
            "event_id": event.event_id,
            "type": type(event).__name__,
            "business_id": event.business_id,
            "state": "done",
            "attempts": 1,
            "received_at": now,
        }
        # In one order everywhere, so that two workers with the same events wait instead of deadlocking.
        for event in sorted(events, key=lambda event: event.event_id)
    ]
    new = set(_insert_ignoring(session, rows))
    return [event for event in events if event.event_id in new]


def _insert_ignoring(session: Session, rows: Sequence[dict[str, Any]]) -> Sequence[str]:
    if not rows:
        return []
    statement = insert_or(session, InboxRow).on_conflict_do_nothing().returning(InboxRow.event_id)
    # By the connection: the session would make an object's worth of work of each row.
    return session.connection().execute(statement, list(rows)).scalars().all()


def _identify(body: bytes) -> tuple[str, str, str]:
    """(event id, type, business id) of a body that may be anything."""
    try:
        envelope = orjson.loads(body)
        event_id = envelope["id"]
        if isinstance(event_id, str) and EVENT_ID.fullmatch(event_id):
            type_, business_id = str(envelope.get("type")), str(envelope.get("businessid"))
            return event_id, _storable(type_, 100), _storable(business_id, 64)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        pass
    return "sha256:" + hashlib.sha256(body).hexdigest(), "unknown", "unknown"


TROUBLED = ("parked", "dead", "discarded")


def troubled(
    session: Session, states: Sequence[str], limit: int = 200, after: tuple[datetime, str] | None = None
) -> Sequence[InboxRow]:
    """Parked, dead or discarded events, oldest first; `after` is the (received_at, event_id) of the last one seen."""
    key = tuple_(InboxRow.received_at, InboxRow.event_id)
    query = select(InboxRow).where(InboxRow.state.in_(states)).order_by(InboxRow.received_at, InboxRow.event_id)
    if after is not None:
        query = query.where(key > after)
    return session.scalars(query.limit(limit)).all()


def count_by_state(session: Session) -> dict[str, int]:
    """How many events are parked, dead and discarded."""
    rows = session.execute(
        select(InboxRow.state, func.count()).where(InboxRow.state != "done").group_by(InboxRow.state)
    )
    return {"parked": 0, "dead": 0, "discarded": 0} | dict(rows.all())


def replay(session: Session, event_id: str) -> bool:
    """Let a dead, parked or discarded event be tried again from its first attempt; False when there is none."""
    return _move(session, event_id, ("dead", "parked", "discarded"), state="parked", attempts=0, next_at=clock.now())


def discard(session: Session, event_id: str, reason: str) -> bool:
    """Give up a dead or parked event for good, saying why; False when there is none."""
    return _move(session, event_id, ("dead", "parked"), state="discarded", next_at=None, reason=reason[:MAX_REASON])


def _move(session: Session, event_id: str, from_states: Sequence[str], **values: Any) -> bool:
    result = session.execute(
        update(InboxRow).where(InboxRow.event_id == event_id, InboxRow.state.in_(from_states)).values(**values)
    )
    return bool(result.rowcount)  # type: ignore[attr-defined]


def forget_old(session: Session, limit: int = 5_000) -> int:
    """Delete done rows past their 90 days, a batch at a time; answers how many went."""
    old = (
        select(InboxRow.event_id)
        .where(InboxRow.state == "done", InboxRow.received_at < clock.now() - KEEP_DONE)
        .limit(limit)
    )
    result = session.execute(
        delete(InboxRow).where(InboxRow.event_id.in_(old)), execution_options={"synchronize_session": False}
    )
    return result.rowcount  # type: ignore[attr-defined,no-any-return]
