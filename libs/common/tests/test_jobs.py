"""Jobs: an outside call is made, repeated, given up, or taken over when its maker died."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from common import clock, jobs
from common.db import Database
from common.jobs import Call, GiveUp, Job, JobLoop, JobRow, TryLater


class Outside:
    """The other side: answers, or raises, in the order told."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[Call] = []
        self.recorded: list[tuple[str, Any]] = []

    def call(self, _runtime: Any, call: Call) -> Any:
        self.calls.append(call)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def job(self, max_attempts: int = 3) -> Job:
        return Job(
            kind="ring",
            call=self.call,
            done=lambda _s, _c, answer: self.recorded.append(("done", answer)),
            failed=lambda _s, _c, reason: self.recorded.append(("failed", reason)),
            delayed=lambda _s, _c, reason: self.recorded.append(("delayed", reason)),
            max_attempts=max_attempts,
        )


def loop_of(database: Database, outside: Outside) -> JobLoop:
    with database.write() as session:
        jobs.add(session, [("ring", "k1", "b1", {"number": 7})])
    return JobLoop("tests", database, [outside.job()], runtime=None)


def row(database: Database) -> JobRow:
    with database.read() as session:
        return session.scalars(select(JobRow)).one()


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(seconds=seconds))


def test_a_call_is_made_once(database: Database) -> None:
    outside = Outside("hello")
    loop = loop_of(database, outside)
    assert [loop.run_due(), loop.run_due()] == [1, 0]
    assert outside.calls[0].payload == {"number": 7}
    assert outside.recorded == [("done", "hello")]
    assert row(database).state == "done"


def test_a_call_is_repeated_with_backoff_and_then_given_up(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = Outside(TryLater("busy"), OSError("broken"), ConnectionError("again"))
    loop = loop_of(database, outside)
    assert [loop.run_due(), loop.run_due()] == [1, 0]
    for _ in range(2):
        later(monkeypatch, 60)
        assert loop.run_due() == 1
    assert outside.recorded == [
        ("delayed", "busy"),
        ("delayed", "OSError: broken"),
        ("failed", "ConnectionError: again"),
    ]
    assert row(database).state == "failed"


def test_a_refusal_for_good_is_not_repeated(database: Database) -> None:
    outside = Outside(GiveUp("no such number"))
    loop = loop_of(database, outside)
    assert [loop.run_due(), loop.run_due()] == [1, 0]
    assert outside.recorded == [("failed", "no such number")]


def test_a_stale_claim_is_taken_over(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = Outside(KeyboardInterrupt(), "hello")  # the process dies during the call
    loop = loop_of(database, outside)
    with pytest.raises(KeyboardInterrupt):
        loop.run_due()
    assert loop.run_due() == 0
    later(monkeypatch, jobs.STALE_AFTER.total_seconds() + 1)
    assert loop.run_due() == 1
    assert [call.attempts for call in outside.calls] == [1, 2]
    assert outside.recorded == [("done", "hello")]


def test_who_lost_the_claim_records_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = Outside("late", "first")
    loop = loop_of(database, outside)
    (slow,) = loop._claim()
    later(monkeypatch, jobs.STALE_AFTER.total_seconds() + 1)
    loop._make(*loop._claim()[0])
    loop._make(*slow)
    assert outside.recorded == [("done", "late")]


def test_an_ended_job_can_be_made_due_again(database: Database) -> None:
    outside = Outside(GiveUp("no"), "yes")
    loop = loop_of(database, outside)
    loop.run_due()

    def again(session: Session) -> bool:
        return jobs.retry(session, "ring", "k1")

    with database.write() as session:
        assert again(session)
        assert not again(session)
        assert not jobs.retry(session, "ring", "unknown")
    assert loop.run_due() == 1
    assert outside.recorded == [("failed", "no"), ("done", "yes")]


def test_what_came_of_a_call_is_recorded_once_the_database_is_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = Outside("hello")
    loop = loop_of(database, outside)
    record, tries = loop._record, []

    def away_at_first(*arguments: Any) -> None:
        tries.append(arguments)
        if len(tries) < 3:
            raise PoolTimeoutError("no connection")
        record(*arguments)

    monkeypatch.setattr(loop, "_record", away_at_first)
    monkeypatch.setattr(jobs, "RECORD_AGAIN_SECONDS", 0)
    loop.run_due()
    assert (len(outside.calls), outside.recorded) == (1, [("done", "hello")])
