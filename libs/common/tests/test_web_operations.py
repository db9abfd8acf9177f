"""The operations API that every service has: what is shown, what is hidden, and what may be done."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from common import auth, clock, jobs, migrate, outbox
from common.events.notifications import EmailFailed, EmailSent
from common.inbox import Delivery, Reject, Retry
from common.jobs import JobRow
from common.outbox import OutboxRow
from common.runtime import Runtime
from common.service import Service
from common.settings import Settings
from common.web.app import create_app

OPERATOR = {"type": "staff", "id": "op", "name": "Olga Operator"}
BOTH = "operations:read operations:write"


class Desk:
    """A service with one handler that does as `mood` says, and its API through a test client."""

    def __init__(self, folder: Path) -> None:
        self.mood: Exception | None = None
        auth.make_keys(folder / "keys")
        service = Service("payments", "", list, {EmailSent: self._handle}, [], [])
        self.runtime = Runtime.open(service, Settings(var_dir=folder))
        migrate.upgrade(service, self.runtime.database)
        self.app = create_app(self.runtime)
        self.portal = auth.Signer(folder / "keys" / "portal.key.json")

    def _handle(self, events: Sequence[EmailSent], session: Session) -> None:
        if self.mood is not None:
            raise self.mood
        failed = [
            EmailFailed(business_id="b1", email_id="m", kind="x", about="y", reason="z@home.example") for _ in events
        ]
        outbox.emit(session, "tests", failed)

    def call(self, method: str, path: str, body: Any = None, **token: Any) -> Any:
        claims = {"scope": BOTH, "business": "*", "actor": OPERATOR, **token}
        signed = self.portal.sign("portal", claims["scope"], claims["business"], 60, claims["actor"])
        headers = {"Authorization": f"Bearer {signed}"}
        return self.app.test_client().open(f"/v1/operations{path}", method=method, json=body, headers=headers)

    def deliver(self, *bodies: bytes) -> None:
        self.runtime.consumer.consume([Delivery(body) for body in bodies])

    def trouble(self, event_id: str = "e1", mood: Exception | None = None) -> None:
        self.mood = mood or Reject("no such client ada@home.example")
        self.deliver(sent(event_id))
        self.mood = None


def sent(event_id: str) -> bytes:
    return EmailSent(business_id="b1", event_id=event_id, email_id="m1", kind="receipt", about="x").to_wire("tests")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    found = Desk(tmp_path)
    yield found
    found.runtime.database.close()


def test_the_state_counts_what_waits_where(desk: Desk) -> None:
    desk.trouble("dead")
    desk.trouble("parked", Retry("not yet"))
    with desk.runtime.database.write() as session:
        outbox.emit(session, "tests", [EmailSent(business_id="b1", email_id="m", kind="x", about="y")])
        jobs.add(session, [("mail", key, "b1", {}) for key in ("k1", "k2", "k3")])
        rows = {row.key: row for row in session.scalars(select(JobRow))}
        rows["k2"].state = "failed"
        rows["k3"].state, rows["k3"].next_at = "claimed", clock.now() - timedelta(seconds=1)
    found = desk.call("GET", "/state").json
    assert (found["service"], found["ready"], found["queue"]) == ("payments", True, None)
    assert found["outbox"]["waiting"] == 1
    assert found["outbox"]["oldest"] is not None
    assert found["inbox"] == {"parked": 1, "dead": 1, "discarded": 0}
    assert found["jobs"] == {"due": 1, "claimed": 1, "failed": 1, "in_doubt": 1}


def test_the_state_is_told_without_a_database(desk: Desk) -> None:
    def broken() -> None:
        raise OSError("gone")

    desk.runtime.database.ping = broken  # type: ignore[method-assign]
    answer = desk.call("GET", "/state")
    assert answer.status_code == 200
    assert answer.json["ready"] is False
    assert answer.json["checks"]["database"].startswith("away (OSError")
    assert answer.json["inbox"] is None


def test_events_are_listed_by_state_in_pages(desk: Desk) -> None:
    for number in range(5):
        desk.trouble(f"dead-{number}")
    desk.trouble("parked", Retry("not yet"))
    listed: list[str] = []
    cursor = ""
    while cursor is not None:
        found = desk.call("GET", f"/inbox?state=dead&limit=2{'&cursor=' + cursor if cursor else ''}").json
        assert len(found["items"]) <= 2
        listed += [item["event_id"] for item in found["items"]]
        cursor = found["next_cursor"]
    assert listed == [f"dead-{number}" for number in range(5)]
    assert [item["event_id"] for item in desk.call("GET", "/inbox?state=parked").json["items"]] == ["parked"]
    assert len(desk.call("GET", "/inbox").json["items"]) == 6
    assert desk.call("GET", "/inbox?state=done").status_code == 422


def test_a_body_is_shown_without_secrets_and_whole_addresses(desk: Desk) -> None:
    desk.deliver(
        b'{"id": "e1", "type": "Odd", "data": {"to": "ada@home.example", "api_token": "abc", "key": "sk_live_1234",'
        b' "url": "https://p.example/pay?amount=1&signature=AbC-9_x"}}'
    )
    found = desk.call("GET", "/inbox/e1").json
    assert found["state"] == "dead"
    for secret in ("ada@", "abc", "sk_live", "AbC-9_x"):
        assert secret not in found["body"]
    assert "a***@home.example" in found["body"]
    desk.deliver(b"[" * 20_000)
    (item,) = [item for item in desk.call("GET", "/inbox").json["items"] if item["event_id"] != "e1"]
    assert desk.call("GET", f"/inbox/{item['event_id']}").json["body"].startswith("[[[")


def test_a_preview_says_what_would_happen_and_changes_nothing(desk: Desk) -> None:
    desk.trouble()
    before = desk.call("GET", "/inbox/e1").json
    found = desk.call("POST", "/inbox/e1/replay?preview=true").json
    assert [event["type"] for event in found["would_emit"]] == ["EmailFailed"]
    assert found["would_emit"][0]["data"]["reason"] == "z***@home.example"
    desk.mood = Reject("still wrong for ada@home.example")
    failing = desk.call("POST", "/inbox/e1/replay?preview=true").json
    assert failing == {"would_emit": [], "would_fail": "Reject: still wrong for a***@home.example"}
    assert desk.call("GET", "/inbox/e1").json == before
    with desk.runtime.database.read() as session:
        assert session.scalars(select(OutboxRow)).all() == []


def test_a_replayed_event_is_tried_again_and_done(desk: Desk) -> None:
    desk.trouble("an/odd id?".replace(" ", "-").replace("?", ""))
    answer = desk.call("POST", "/inbox/an/odd-id/replay")
    assert (answer.status_code, answer.json["state"]) == (202, "parked")
    assert desk.runtime.consumer.retry_due() == 1
    assert desk.call("GET", "/inbox/an/odd-id").status_code == 404  # done: no longer in trouble
    for path in ("/inbox/an/odd-id/replay", "/inbox/an/odd-id/replay?preview=true", "/inbox/none/replay"):
        assert desk.call("POST", path).status_code == 404
    with desk.runtime.database.read() as session:
        assert len(session.scalars(select(OutboxRow)).all()) == 1


def test_an_event_is_discarded_with_a_reason(desk: Desk) -> None:
    desk.trouble()
    assert desk.call("POST", "/inbox/e1/discard", {"reason": ""}).status_code == 422
    assert desk.call("POST", "/inbox/e1/discard", {"reason": "a test of ours"}).json["state"] == "discarded"
    assert desk.call("GET", "/inbox/e1").json["reason"] == "a test of ours"
    assert desk.call("POST", "/inbox/e1/discard", {"reason": "again"}).status_code == 404


def test_calls_are_listed_and_made_again(desk: Desk) -> None:
    with desk.runtime.database.write() as session:
        jobs.add(session, [("mail", f"k{number}", "b1", {"secret": "x"}) for number in range(3)])
        row = session.get_one(JobRow, ("mail", "k1"))
        row.state, row.reason = "failed", "no letter box ada@home.example"
    first = desk.call("GET", "/jobs?limit=2").json
    second = desk.call("GET", f"/jobs?limit=2&cursor={first['next_cursor']}").json
    assert [job["key"] for job in first["items"] + second["items"]] == ["k0", "k1", "k2"]
    (failed,) = desk.call("GET", "/jobs?state=failed").json["items"]
    assert failed["reason"] == "no letter box a***@home.example"
    assert "payload" not in failed
    assert desk.call("POST", "/jobs/retry", {"kind": "mail", "key": "k1"}).json["state"] == "due"
    assert desk.call("POST", "/jobs/retry", {"kind": "mail", "key": "k1"}).status_code == 404
    assert desk.call("GET", "/jobs?state=failed").json["items"] == []


@pytest.mark.parametrize(
    ("token", "status"),
    [
        ({"business": "b1"}, 403),
        ({"actor": {"type": "client", "id": "c1", "name": "Ada"}}, 401),
        ({"scope": "payments:read billing:write gateway:settings events:read"}, 403),
    ],
)
def test_whoever_does_not_operate_remit_gets_nothing(desk: Desk, token: dict[str, Any], status: int) -> None:
    desk.trouble()
    for method, path in (
        ("GET", "/state"), ("GET", "/inbox"), ("GET", "/inbox/e1"), ("POST", "/inbox/e1/replay"),
        ("POST", "/inbox/e1/replay?preview=true"), ("POST", "/inbox/e1/discard"), ("GET", "/jobs"),
        ("POST", "/jobs/retry"),
    ):  # fmt: skip
        assert desk.call(method, path, {} if method == "POST" else None, **token).status_code == status, path
    assert desk.call("POST", "/inbox/e1/discard", {"reason": "x"}, scope="operations:read").status_code == 403


def test_a_body_with_what_is_no_text_is_refused(desk: Desk) -> None:
    path = "/jobs/retry"
    assert desk.call("POST", path, {"kind": "a\0", "key": "b"}).status_code == 422
    assert desk.call("POST", path, {"kind": "a", "key": "b"}).status_code == 404
