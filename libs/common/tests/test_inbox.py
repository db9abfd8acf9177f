"""The inbox: each event has its effect once; what fails alone is parked, and dead when it is hopeless."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from common import clock, inbox
from common.db import Database
from common.events import Event
from common.events.notifications import EmailFailed, EmailSent
from common.inbox import KILLER_DELIVERIES, MAX_ATTEMPTS, Consumer, Delivery, InboxRow, Reject, Retry
from common.outbox import emit


def made(event_id: str, about: str = "fine") -> EmailSent:
    return EmailSent(business_id="b1", event_id=event_id, email_id="m1", kind="receipt", about=about)


def delivery(event: Event, count: int = 0) -> Delivery:
    return Delivery(event.to_wire("notifications"), count)


class Handling:
    """A handler that does as the event's `about` says, and leaves an effect in the database."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.mood: dict[str, Exception] = {}

    def __call__(self, events: Sequence[EmailSent], session: Session) -> None:
        self.calls.append([event.event_id for event in events])
        for event in events:
            if event.about in self.mood:
                raise self.mood[event.about]
        emit(
            session,
            "tests",
            [EmailFailed(business_id="b1", email_id=e.event_id, kind="x", about="y", reason="z") for e in events],
        )


@pytest.fixture
def handling() -> Handling:
    return Handling()


@pytest.fixture
def consumer(database: Database, handling: Handling) -> Consumer:
    return Consumer("tests", database, {EmailSent: handling})


def rows(database: Database) -> dict[str, InboxRow]:
    with database.read() as session:
        return {row.event_id: row for row in session.scalars(select(InboxRow))}


def effects(database: Database) -> list[str]:
    from common.outbox import OutboxRow

    with database.read() as session:
        bodies = session.scalars(select(OutboxRow.body).order_by(OutboxRow.seq))
        return [orjson.loads(body)["subject"] for body in bodies]


def later(monkeypatch: pytest.MonkeyPatch, delta: timedelta) -> None:
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + delta)


def test_a_batch_is_one_call_and_a_second_delivery_does_nothing(
    consumer: Consumer, database: Database, handling: Handling
) -> None:
    batch = [delivery(made("e1")), delivery(made("e2")), delivery(made("e1"))]
    consumer.consume(batch)
    consumer.consume(batch)
    assert handling.calls == [["e1", "e2"]]
    assert effects(database) == ["e1", "e2"]


def test_one_bad_event_does_not_hold_back_the_others(
    consumer: Consumer, database: Database, handling: Handling
) -> None:
    handling.mood = {"odd": ValueError("cannot"), "never": Reject("no such business"), "early": Retry("not yet")}
    consumer.consume([delivery(made(f"e-{about}", about)) for about in ("fine", "odd", "never", "early", "well")])
    found = rows(database)
    assert {event_id: row.state for event_id, row in found.items()} == {
        "e-fine": "done", "e-well": "done", "e-odd": "parked", "e-never": "dead", "e-early": "parked",
    }  # fmt: skip
    assert found["e-never"].reason == "Reject: no such business"
    assert found["e-odd"].body is not None
    assert sorted(effects(database)) == ["e-fine", "e-well"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"not json", "not JSON"),
        (b"\x80\x04\x95pickle", "not JSON"),
        (b"[]", "not an event envelope"),
        (b'{"data": {}, "type": "Odd", "id": "x"}', "unknown type 'Odd'"),
        (made("x").to_wire("n").replace(b'"email_id":"m1",', b""), "email_id"),
        (made("x").to_wire("n").replace(b'"m1"', b"null"), "email_id"),
        (b"x" * 300_000, "more than an event may have"),
    ],
)
def test_an_undecodable_body_is_dead_at_once(consumer: Consumer, database: Database, body: bytes, reason: str) -> None:
    consumer.consume([delivery(made("good")), Delivery(body)])
    states = {row.state: row for row in rows(database).values()}
    assert set(states) == {"done", "dead"}
    assert reason in (states["dead"].reason or "")


def test_a_parked_event_is_tried_again_and_done(
    consumer: Consumer, database: Database, handling: Handling, monkeypatch: pytest.MonkeyPatch
) -> None:
    handling.mood = {"early": Retry("not yet")}
    consumer.consume([delivery(made("e1", "early"))])
    assert consumer.retry_due() == 0
    later(monkeypatch, timedelta(seconds=5))
    assert consumer.retry_due() == 1
    assert rows(database)["e1"].attempts == 2
    handling.mood = {}
    later(monkeypatch, timedelta(seconds=60))
    assert consumer.retry_due() == 1
    row = rows(database)["e1"]
    assert (row.state, row.body, row.reason) == ("done", None, None)
    assert effects(database) == ["e1"]


def test_attempts_are_bounded(
    consumer: Consumer, database: Database, handling: Handling, monkeypatch: pytest.MonkeyPatch
) -> None:
    handling.mood = {"odd": ValueError("still cannot")}
    consumer.consume([delivery(made("e1", "odd"))])
    for _ in range(MAX_ATTEMPTS):
        later(monkeypatch, timedelta(hours=1))
        consumer.retry_due()
    row = rows(database)["e1"]
    assert (row.state, row.attempts) == ("dead", MAX_ATTEMPTS)
    assert "still cannot" in (row.reason or "")


def test_what_kills_the_worker_is_parked_unprocessed(
    consumer: Consumer, database: Database, handling: Handling
) -> None:
    consumer.consume([delivery(made("killer"), KILLER_DELIVERIES), delivery(made("good"))])
    assert handling.calls == [["good"]]
    assert rows(database)["killer"].state == "parked"
    assert consumer.retry_due() == 1  # the innocent among them are done at the next sweep
    assert rows(database)["killer"].state == "done"


def test_what_never_ends_its_last_attempt_is_dead(
    consumer: Consumer, database: Database, handling: Handling, monkeypatch: pytest.MonkeyPatch
) -> None:
    handling.mood = {"killer": KeyboardInterrupt()}  # type: ignore[dict-item]  # the process dies of it
    consumer.consume([delivery(made("e1", "killer"), KILLER_DELIVERIES)])
    for _ in range(MAX_ATTEMPTS - 1):
        with pytest.raises(KeyboardInterrupt):
            consumer.retry_due()
        later(monkeypatch, timedelta(hours=1))
    consumer.retry_due()
    assert rows(database)["e1"].state == "dead"


def test_a_nul_anywhere_is_kept_and_harms_nothing(consumer: Consumer, database: Database) -> None:
    body = made("e1").to_wire("n").replace(b'"e1"', b'"e\\u0000"')
    consumer.consume([Delivery(body), delivery(made("good"))])
    states = {row.state: row for row in rows(database).values()}
    assert set(states) == {"done", "dead"}
    assert states["dead"].event_id.startswith("sha256:")


def test_nothing_is_counted_while_the_database_is_away(
    consumer: Consumer, database: Database, handling: Handling
) -> None:
    class Gone(Exception):
        sqlstate = "57P01"

    handling.mood = {"away": OperationalError("x", {}, Gone("terminating connection"))}
    with pytest.raises(OperationalError):
        consumer.consume([delivery(made("e1", "away")), delivery(made("e2"))])
    assert rows(database) == {}


def test_a_deadlock_is_run_again(consumer: Consumer, database: Database, handling: Handling) -> None:
    class Deadlock(Exception):
        sqlstate = "40P01"

    class Once(dict[str, Exception]):
        def __contains__(self, key: object) -> bool:
            return key == "dead" and len(handling.calls) < 3

        def __getitem__(self, key: str) -> Any:
            return OperationalError("x", {}, Deadlock("deadlock detected"))

    handling.mood = Once()
    consumer.consume([delivery(made("e1", "dead"))])
    assert rows(database)["e1"].state == "done"
    assert len(handling.calls) == 3


def test_operators_replay_discard_and_preview(consumer: Consumer, database: Database, handling: Handling) -> None:
    handling.mood = {"never": Reject("no such business")}
    consumer.consume([delivery(made("e1", "never")), delivery(made("e2", "never"))])
    with pytest.raises(Reject):
        consumer.preview("e1")
    handling.mood = {}
    assert [event["type"] for event in consumer.preview("e1")] == ["EmailFailed"]
    assert rows(database)["e1"].state == "dead"
    assert effects(database) == []
    with database.write() as session:
        assert inbox.replay(session, "e1")
        assert inbox.discard(session, "e2", "a test")
        assert not inbox.replay(session, "unknown")
    assert consumer.retry_due() == 1
    assert {event_id: row.state for event_id, row in rows(database).items()} == {"e1": "done", "e2": "discarded"}
    assert effects(database) == ["e1"]
