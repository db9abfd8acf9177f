"""What operators see of the outbox and of outside calls, and making a failed call again."""

import json
from argparse import ArgumentParser
from types import SimpleNamespace
from typing import Any

import pytest

from common import jobs, operations, outbox
from common.db import Database
from common.events.notifications import EmailSent
from common.jobs import Call, GiveUp, Job, JobLoop

ADD = {"outbox": operations.add_outbox, "jobs": operations.add_jobs}
RUN = {"outbox": operations.run_outbox, "jobs": operations.run_jobs}


def operate(
    database: Database, capsys: pytest.CaptureFixture[str], what: str, *words: str
) -> tuple[int, list[dict[str, Any]]]:
    """The exit status, and the JSON that was printed."""
    parser = ArgumentParser()
    ADD[what](parser)
    capsys.readouterr()  # what was logged until now
    status = RUN[what](SimpleNamespace(database=database), parser.parse_args(words))  # type: ignore[arg-type]
    printed, told = capsys.readouterr()
    assert ("remit: none" in told) == (printed == "")
    lines = [printed] if printed.startswith("{\n") else printed.splitlines()
    return status, [json.loads(line) for line in lines]


def test_what_waits_in_the_outbox(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert operate(database, capsys, "outbox", "list") == (0, [])
    event = EmailSent(business_id="b1", email_id="e1", kind="receipt", about="receipt:p1:1")
    with database.write() as session:
        outbox.emit(session, "notifications", [event])
    assert operate(database, capsys, "outbox", "list") == (
        0, [{"seq": 1, "event_id": event.event_id, "type": "EmailSent"}]
    )  # fmt: skip


def test_a_failed_call_is_shown_and_made_again(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    answers: list[Any] = [GiveUp("no such number"), "hello"]

    def ring(_runtime: Any, _call: Call) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    ends: list[str] = []
    job = Job("ring", ring, lambda *_: ends.append("done"), lambda *_: ends.append("failed"))
    with database.write() as session:
        jobs.add(session, [("ring", "k1", "b1", {"number": 7})])
    loop = JobLoop("tests", database, [job], runtime=None)
    loop.run_due()
    _, (listed,) = operate(database, capsys, "jobs", "list", "--state", "failed")
    assert (listed["key"], listed["state"], listed["reason"]) == ("k1", "failed", "no such number")
    assert operate(database, capsys, "jobs", "show", "ring", "k1")[1][0]["payload"]["number"] == 7
    assert operate(database, capsys, "jobs", "retry", "--all-failed")[1][0]["due"] == ["ring k1"]
    loop.run_due()
    assert ends == ["failed", "done"]
    assert operate(database, capsys, "jobs", "list") == (0, [])
    for words in (("show", "ring", "k2"), ("retry", "ring", "k2")):
        status, (answer,) = operate(database, capsys, "jobs", *words)
        assert status == 1
        assert "jobs list" in answer["error"]
