"""The outbox and its relay: an event waits until the bus has it, and the feed keeps the order of the confirms."""

import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest

from common import clock, outbox, relay
from common.bus import BusUnavailable
from common.db import Database
from common.events.notifications import EmailSent
from common.outbox import Message


class Bus:
    """Confirms what it is told to."""

    def __init__(self, refuse: set[str] | None = None) -> None:
        self.refuse = refuse or set()
        self.taken: list[str] = []
        self.is_away = False

    def publish(self, messages: Sequence[Message]) -> list[int]:
        if self.is_away:
            raise BusUnavailable("away")
        self.taken += [message.event_id for message in messages]
        return [message.seq for message in messages if message.event_id not in self.refuse]

    def close(self) -> None:
        pass


def write(database: Database, *event_ids: str, business_id: str = "b1") -> None:
    with database.write() as session:
        events = [
            EmailSent(business_id=business_id, event_id=e, email_id=e, kind="receipt", about="x") for e in event_ids
        ]
        outbox.emit(session, "notifications", events)


def feed(database: Database, after: int = 0, types: Sequence[str] = ()) -> list[str]:
    with database.read() as session:
        rows = session.execute(outbox.feed("b1", types, after, 100)).all()
        assert [row[0] for row in rows] == sorted(row[0] for row in rows)
        return [body.split('"id":"')[1].split('"')[0] for _, body in rows]


def test_events_reach_the_bus_in_order_and_once(database: Database) -> None:
    write(database, "e1", "e2")
    write(database, "e3")
    bus = Bus()
    assert relay.publish_once("tests", database, bus) == 3
    assert relay.publish_once("tests", database, bus) == 0
    assert bus.taken == ["e1", "e2", "e3"]
    assert feed(database) == ["e1", "e2", "e3"]


def test_what_was_sent_since_a_time_can_be_sent_again(database: Database) -> None:
    write(database, "old")
    relay.publish_once("tests", database, Bus())
    since = clock.now()
    write(database, "e1", "e2", "e3")
    relay.publish_once("tests", database, Bus(refuse={"e2"}))

    def again(after: int, limit: int) -> list[str]:
        with database.read() as session:
            return [message.event_id for message in outbox.published(session, since, after, limit)]

    assert again(0, 100) == ["e1", "e3"]  # the refused one waits for the relay
    assert again(0, 1) == ["e1"]
    assert again(2, 100) == ["e3"]


def test_what_was_not_confirmed_is_published_again(database: Database) -> None:
    write(database, "e1", "e2", "e3")
    bus = Bus(refuse={"e2"})
    assert relay.publish_once("tests", database, bus) == 2
    assert feed(database) == ["e1", "e3"]
    bus.refuse = set()
    assert relay.publish_once("tests", database, bus) == 1
    assert feed(database) == ["e1", "e3", "e2"]


def test_nothing_is_lost_while_the_bus_is_away(database: Database) -> None:
    write(database, "e1")
    bus = Bus()
    bus.is_away = True
    with pytest.raises(BusUnavailable):
        relay.publish_once("tests", database, bus)
    bus.is_away = False
    assert relay.publish_once("tests", database, bus) == 1


def test_a_rolled_back_change_tells_nothing(database: Database) -> None:
    def fail_half_way() -> None:
        with database.write() as session:
            outbox.emit(session, "notifications", [EmailSent(business_id="b1", email_id="m", kind="x", about="y")])
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - the block's own
        fail_half_way()
    assert relay.publish_once("tests", database, Bus()) == 0


def test_the_feed_shows_one_business_and_the_types_asked_for(database: Database) -> None:
    write(database, "e1")
    write(database, "other", business_id="b2")
    relay.publish_once("tests", database, Bus())
    assert feed(database) == ["e1"]
    assert feed(database, types=["EmailSent"]) == ["e1"]
    assert feed(database, types=["EmailFailed"]) == []
    assert feed(database, after=1) == []


def test_marking_again_moves_nothing(database: Database) -> None:
    write(database, "e1", "e2")
    relay.publish_once("tests", database, Bus())
    with database.write() as session:
        outbox.mark_published(session, [2, 1])
    assert feed(database) == ["e1", "e2"]


def test_old_events_are_forgotten_but_positions_go_on(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    write(database, "e1", "e2")
    relay.publish_once("tests", database, Bus())
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=31))
    with database.write() as session:
        assert outbox.forget_old(session) == 1
    write(database, "e3")
    relay.publish_once("tests", database, Bus())
    assert feed(database) == ["e2", "e3"]
    assert feed(database, after=2) == ["e3"]


def test_the_relay_is_woken_by_the_commit(database: Database) -> None:
    wake, stop, bus = threading.Event(), threading.Event(), Bus()
    database.wakers["outbox"] = wake.set
    thread = threading.Thread(target=relay.run, args=("tests", database, bus, wake, stop))
    thread.start()
    write(database, "e1")
    assert wake.is_set() or bus.taken
    deadline = threading.Event()
    for _ in range(200):
        if bus.taken:
            break
        deadline.wait(0.02)
    stop.set()
    thread.join(5)
    assert bus.taken == ["e1"]
