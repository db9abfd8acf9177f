"""Timers: due by the clock, once for all workers, and not lost to a failure or to a clock moved back."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from common import clock, timers
from common.db import Database
from common.timers import Timer

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    def move(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    move(NOON)
    return move


def test_every_so_often(database: Database, at: Any) -> None:
    runs: list[Any] = []
    timer = Timer("tick", runs.append, every_seconds=60)
    for seconds, expected in ((0, 1), (0, 1), (59, 1), (61, 2), (100, 2), (200, 3)):
        at(NOON + timedelta(seconds=seconds))
        timers.run_due(database, [timer], "runtime")
        assert len(runs) == expected, seconds
    assert set(runs) == {"runtime"}


def test_once_a_day_after_its_hour(database: Database, at: Any) -> None:
    runs: list[Any] = []
    timer = Timer("nightly", runs.append, daily_at=time(3, 0))
    for moment, expected in (
        (NOON, 1),
        (NOON + timedelta(hours=14), 1),
        (NOON + timedelta(hours=15, seconds=1), 2),
        (NOON + timedelta(hours=30), 2),
        (NOON + timedelta(days=9), 3),
    ):
        at(moment)
        timers.run_due(database, [timer], None)
        assert len(runs) == expected, moment


def test_one_worker_has_the_turn(database: Database, at: Any) -> None:
    timer = Timer("tick", lambda _: None, every_seconds=60)
    assert timers.run_due(database, [timer], None) == 1
    at(NOON + timedelta(seconds=90))
    assert [timers._take_turn(database, timer, clock.now()) for _ in range(3)] == [True, False, False]


def test_a_failure_waits_for_the_next_time_and_holds_up_no_other(database: Database, at: Any) -> None:
    runs: list[Any] = []

    def fail(_runtime: Any) -> None:
        raise RuntimeError("no")

    both = [Timer("bad", fail, every_seconds=60), Timer("good", runs.append, every_seconds=60)]
    assert timers.run_due(database, both, None) == 2
    assert timers.run_due(database, both, None) == 0
    at(NOON + timedelta(seconds=61))
    assert timers.run_due(database, both, None) == 2
    assert len(runs) == 2


def test_a_clock_moved_back_does_not_stop_it(database: Database, at: Any) -> None:
    runs: list[Any] = []
    timer = Timer("tick", runs.append, every_seconds=60)
    timers.run_due(database, [timer], None)
    at(NOON - timedelta(days=30))
    timers.run_due(database, [timer], None)
    assert len(runs) == 2


def test_what_stops_one_business_stops_no_other() -> None:
    done: list[str] = []

    def act(key: str) -> None:
        if key == "odd":
            raise KeyError("amount")
        if key == "away":
            raise TimeoutError("no answer")
        done.append(key)

    with capture_logs() as lines:
        timers.each(["b1", "odd", "b2", "away", "b3"], act, expected=(TimeoutError,))

    assert done == ["b1", "b2", "b3"]
    assert [(line["log_level"], line["key"]) for line in lines] == [("error", "odd"), ("warning", "away")]


def test_a_database_that_is_away_is_no_business_s_fault() -> None:
    asked: list[str] = []

    def act(key: str) -> None:
        asked.append(key)
        raise OperationalError("SELECT 1", {}, psycopg.OperationalError("server closed the connection"))

    with pytest.raises(OperationalError):
        timers.each(["b1", "b2"], act)
    assert asked == ["b1"]
