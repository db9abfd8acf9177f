"""System: what operators see of the services and gateways, and what nobody else does."""

import re
from typing import Any

import pytest

from portal.models import User
from services.portal.tests.others import Others
from services.portal.tests.support import Portal, Visitor

STATE = {
    "service": "billing", "ready": True, "checks": {"database": "ok", "bus": "ok"}, "queue": 7,
    "outbox": {"waiting": 3, "oldest": "2026-11-20T10:00:00Z"}, "inbox": {"parked": 2, "dead": 0, "discarded": 1},
    "jobs": {"due": 4, "claimed": 0, "failed": 0, "in_doubt": 0}, "clock": "2026-11-20T10:00:00Z",
}  # fmt: skip
EVENT = {
    "event_id": "e1", "type": "PaymentRecorded", "business_id": "b9", "state": "dead", "attempts": 10,
    "received_at": "2026-11-20T10:00:00Z", "next_at": None, "reason": "Reject: no such client",
}  # fmt: skip
JOB = {
    "kind": "send_mail", "key": "receipt:p1", "business_id": "b9", "state": "failed", "in_doubt": False, "attempts": 12,
    "created_at": "2026-11-20T10:00:00Z", "next_at": "2026-11-20T11:00:00Z", "reason": "no letter box",
}  # fmt: skip
NOTICE = {
    "id": "n1", "event_id": "evt_1", "type": "payment_intent.succeeded", "mode": "test", "status": "done",
    "reason": None, "received_at": "2026-11-20T10:00:00Z",
}  # fmt: skip
REPORT = {
    "since": "2026-11-20T00:00:00Z", "compared": 3, "healed": ["pi_2"],
    "drift": [{"payment_intent_id": "pi_3", "kind": "fee", "here": 30, "there": 45}],
}  # fmt: skip
OPERATED = "/operations/inbox/e1"


@pytest.fixture
def operator(portal: Portal) -> Visitor:
    found = portal.administrator()
    with portal.runtime.database.write() as session:
        for user in session.query(User):
            user.is_operator = True
    return found


@pytest.fixture
def stocked(others: Others) -> Others:
    others.tell("GET", "/operations/state", 200, STATE)
    others.tell("GET", "/operations/inbox", 200, {"items": [EVENT], "next_cursor": "more"})
    others.tell("GET", OPERATED, 200, {**EVENT, "body": '{"amount_minor": 100}'})
    others.tell("POST", f"{OPERATED}/replay", 202, {**EVENT, "state": "parked"})
    others.tell("POST", f"{OPERATED}/discard", 200, {**EVENT, "state": "discarded"})
    others.tell("GET", "/operations/jobs", 200, {"items": [JOB], "next_cursor": None})
    others.tell("POST", "/operations/jobs/retry", 200, {**JOB, "state": "due"})
    others.tell("GET", "/notices", 200, {"items": [NOTICE], "next_cursor": None})
    others.tell("GET", "/notices/n1", 200, {**NOTICE, "body": {"type": "payment_intent.succeeded"}})
    others.tell("POST", "/notices/n1/replay", 202, {**NOTICE, "status": "received"})
    others.tell("POST", "/reconcile", 200, REPORT)
    return others


def calls_of(answer: Any) -> int:
    found = re.search(r'calls;desc="(\d+)"', answer.headers["Server-Timing"])
    assert found is not None
    return int(found[1])


def test_every_service_is_shown_in_one_call_each(stocked: Others, operator: Visitor) -> None:
    operator.get("/system")  # by now the business is remembered
    stocked.asked.clear()
    page = operator.get("/system")
    assert page.status_code == 200
    assert calls_of(page) == 5
    # gateway-paypal is away: it says so, and the others are there
    assert page.text.count('<em class="tag good">well</em>') == 4
    assert "away</em>" in page.text
    assert 'href="/system/billing?state=parked"' in page.text
    assert 'href="/system/billing?state=dead"' not in page.text  # there are none
    (asked, *_) = [asked for asked in stocked.asked if asked["path"] == "/operations/state"]
    assert (asked["claims"]["scope"], asked["claims"]["business"]) == ("operations:read", "*")
    assert asked["claims"]["actor"]["type"] == "staff"


def test_what_needs_somebody_is_marked(stocked: Others, operator: Visitor) -> None:
    stocked.tell("GET", "/operations/state", 200, {**STATE, "inbox": {"parked": 0, "dead": 3, "discarded": 0}})
    page = operator.get("/system").text
    assert "needs you" in page
    assert 'href="/system/billing?state=dead"' in page
    broken = {"database": "away (OperationalError after 1.0 s)", "bus": "ok"}
    without = {**STATE, "ready": False, "checks": broken, "inbox": None, "outbox": None, "jobs": None, "queue": None}
    stocked.tell("GET", "/operations/state", 200, without)
    page = operator.get("/system").text
    assert "Does not reach its database: away (OperationalError after 1.0 s)." in page
    assert "Not known without its database." in page


def test_dead_letters_are_listed_and_shown_with_their_body(stocked: Others, operator: Visitor) -> None:
    page = operator.get("/system/billing?state=dead")
    assert stocked.last("/operations/inbox")["query"] == {"state": "dead"}
    assert "Reject: no such client" in page.text
    assert 'href="/system/billing/inbox/e1"' in page.text
    assert "cursor=more" in page.text
    page = operator.get("/system/billing/inbox/e1").text
    assert "&#34;amount_minor&#34;: 100" in page
    assert "b9" in page
    operator.get("/system/billing?state=nonsense")
    assert stocked.last("/operations/inbox")["query"] == {}


def test_a_preview_is_shown_and_replays_nothing(stocked: Others, operator: Visitor) -> None:
    would = {"would_emit": [{"type": "BalanceChanged"}], "would_fail": None}
    stocked.tell("POST", f"{OPERATED}/replay", 200, would)
    page = operator.post("/system/billing/inbox/e1/preview", {}, page="/system/billing/inbox/e1")
    assert page.status_code == 200
    assert "BalanceChanged" in page.text
    replays = [asked["query"] for asked in stocked.asked if asked["path"] == f"{OPERATED}/replay"]
    assert replays == [{"preview": "true"}]
    stocked.tell("POST", f"{OPERATED}/replay", 200, {"would_emit": [], "would_fail": "Reject: <still> wrong"})
    page = operator.post("/system/billing/inbox/e1/preview", {}, page="/system/billing/inbox/e1")
    assert "It would fail again: Reject: &lt;still&gt; wrong" in page.text


def test_a_dead_letter_is_tried_again(stocked: Others, operator: Visitor) -> None:
    answer = operator.post("/system/billing/inbox/e1/replay", {}, page="/system/billing/inbox/e1")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/system/billing?said=event_replayed")
    asked = stocked.last(f"{OPERATED}/replay")
    assert asked["query"] == {}
    assert (asked["claims"]["scope"], asked["claims"]["business"]) == ("operations:write", "*")


def test_discarding_is_asked_again_and_needs_a_reason(stocked: Others, operator: Visitor) -> None:
    path = "/system/billing/inbox/e1/discard"
    assert "as if it had never come" in operator.get(path).text
    refused = operator.post(path, {"reason": " "}, page=path)
    assert refused.status_code == 422
    assert "Say why." in refused.text
    assert [asked for asked in stocked.asked if asked["method"] == "POST"] == []
    answer = operator.post(path, {"reason": "a test of ours"}, page=path)
    assert answer.status_code == 303
    assert stocked.last(f"{OPERATED}/discard")["body"] == {"reason": "a test of ours"}


def test_calls_are_listed_and_made_again(stocked: Others, operator: Visitor) -> None:
    page = operator.get("/system/notifications/jobs?state=failed").text
    assert "no letter box" in page
    form = {"kind": "send_mail", "key": "receipt:p1"}
    answer = operator.post("/system/notifications/jobs/retry", form, page="/system/notifications/jobs")
    assert answer.status_code == 303
    assert stocked.last("/operations/jobs/retry")["body"] == form


def test_odd_ids_reach_their_event(stocked: Others, operator: Visitor) -> None:
    odd = {**EVENT, "event_id": "sha256:a/b?c#d"}
    stocked.tell("GET", "/operations/inbox", 200, {"items": [odd], "next_cursor": None})
    stocked.tell("GET", "/operations/inbox/sha256:a/b?c#d", 200, {**odd, "body": "deadly"})
    found = re.search(r'href="(/system/billing/inbox/[^"]+)"', operator.get("/system/billing").text)
    assert found is not None
    assert "deadly" in operator.get(found[1]).text


def test_notices_are_of_the_operators_own_business(stocked: Others, operator: Visitor) -> None:
    page = operator.get("/system/notices?gateway=stripe").text
    assert 'href="/system/notices/stripe/n1"' in page
    assert stocked.last("/notices")["claims"]["business"] == "b1"
    assert "payment_intent.succeeded" in operator.get("/system/notices/stripe/n1").text
    would = {"status": "done", "reason": None, "events": [{"event": "GatewayPaymentSucceeded", "already_told": True}]}
    stocked.tell("POST", "/notices/n1/replay", 200, would)
    page = operator.post("/system/notices/stripe/n1/preview", {}, page="/system/notices/stripe/n1").text
    assert "told already, and not told again" in page
    answer = operator.post("/system/notices/stripe/n1/replay", {}, page="/system/notices/stripe/n1")
    assert answer.headers["Location"] == "/system/notices/stripe/n1?said=notice_replayed"
    refusal = {"code": "notice_not_taken", "detail": "Nobody knows who sent it."}
    stocked.tell("POST", "/notices/n1/replay", 409, refusal)
    answer = operator.post("/system/notices/stripe/n1/replay", {}, page="/system/notices/stripe/n1")
    assert (answer.status_code, "Nobody knows who sent it." in answer.text) == (409, True)
    assert operator.get("/system/notices/visa/n1").status_code == 404
    assert operator.get("/system/notices?gateway=paypal").status_code == 503  # away


def test_the_drift_is_told_in_words_and_figures(stocked: Others, operator: Visitor) -> None:
    from common import clock

    today = clock.today("UTC")
    page = operator.post("/system/drift", {"gateway": "stripe", "since": today.isoformat()}, page="/system/drift")
    assert page.status_code == 200
    assert "3 payments at Stripe were compared. 1 payment had been missed and is recorded now." in page.text
    assert "pi_3" in page.text
    assert "$0.30" in page.text
    assert "$0.45" in page.text
    assert stocked.last("/reconcile")["body"] == {"since_hours": 24}
    empty = {**REPORT, "compared": 0, "healed": [], "drift": []}
    stocked.tell("POST", "/reconcile", 200, empty)
    page = operator.post("/system/drift", {"gateway": "stripe", "since": today.isoformat()}, page="/system/drift")
    assert "no payments since then" in page.text


@pytest.mark.parametrize("since", ["", "yesterday", "2020-01-01", "2199-01-01"])
def test_a_drift_of_no_day_that_can_be_had_asks_nobody(stocked: Others, operator: Visitor, since: str) -> None:
    answer = operator.post("/system/drift", {"gateway": "stripe", "since": since}, page="/system/drift")
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert [asked for asked in stocked.asked if asked["path"] == "/reconcile"] == []


def test_nobody_else_sees_any_of_it(stocked: Others, portal: Portal) -> None:
    for visitor, own in (
        (portal.staff(), "/account"),
        (portal.administrator(), "/account"),
        (portal.client(), "/home"),
    ):
        assert "/system" not in visitor.get(own).text
        for path in (
            "/system", "/system/billing", "/system/billing/inbox/e1", "/system/billing/inbox/e1/discard",
            "/system/billing/jobs", "/system/notices", "/system/notices/stripe/n1", "/system/drift",
        ):  # fmt: skip
            assert visitor.get(path).status_code == 404, path
        for path in (
            "/system/billing/inbox/e1/replay", "/system/billing/inbox/e1/preview", "/system/billing/inbox/e1/discard",
            "/system/billing/jobs/retry", "/system/drift", "/system/notices/stripe/n1/replay",
        ):  # fmt: skip
            assert visitor.post(path, {}, page="/account").status_code == 404, path
    assert [asked for asked in stocked.asked if "operations" in asked["claims"]["scope"]] == []
    assert [asked for asked in stocked.asked if asked["path"] in ("/notices", "/reconcile")] == []


def test_a_service_that_is_none_is_not_there(stocked: Others, operator: Visitor) -> None:
    for path in ("/system/portal", "/system/nonsense", "/system/nonsense/jobs"):
        assert operator.get(path).status_code == 404
