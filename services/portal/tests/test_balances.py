"""Balances: what is filtered and shown; and runs, in which each client is charged or mailed once, or not at all."""

import re
from datetime import timedelta
from typing import Any

import pytest

from common import clock
from portal.domain import runs
from portal.domain.runs import Line
from services.portal.tests.others import BALANCE, STRIPE, Others

JSON = {"Accept": "application/json"}
CHARGES = "/stripe/charges"
LINES = [
    {"client_id": "c1", "client_name": "Ada Lovelace", "email": "ada@home.example", "status": "active",
     "balance_minor": -4500, "currency": "USD", "in_words": "owes $45.00"},
    {"client_id": "c2", "client_name": "Béla <b>", "email": None, "status": "inactive",
     "balance_minor": -500, "currency": "USD", "in_words": "owes $5.00"},
    {"client_id": "c3", "client_name": "Clara", "email": "clara@home.example", "status": "active",
     "balance_minor": 700, "currency": "USD", "in_words": "has $7.00 left"},
]  # fmt: skip
TOTALS = {"owed_minor": 5000, "prepaid_minor": 700, "clients": 3, "currency": "USD"}
AGEING = {
    "owed_minor": 5000,
    "buckets": [
        {"days": "0-30", "owed_minor": 4500, "clients": 1}, {"days": "31-60", "owed_minor": 0, "clients": 0},
        {"days": "61-90", "owed_minor": 0, "clients": 0}, {"days": "over-90", "owed_minor": 500, "clients": 1},
    ],
}  # fmt: skip


@pytest.fixture(autouse=True)
def who_owes(others: Others) -> None:
    others.tell("GET", "/balances", 200, {"items": LINES, "next_cursor": None, "totals": TOTALS})
    others.tell("GET", "/balances/ageing", 200, AGEING)
    clients = [{"id": line["client_id"], "name": line["client_name"], "email": line["email"]} for line in LINES]
    others.tell("POST", "/clients/lookup", 200, {"items": clients})
    others.tell("GET", "/payments", 200, {"items": []})
    owes(others, "c1", 4500)
    owes(others, "c2", 500)


def owes(others: Others, client_id: str, owed_minor: int, sequence: int = 7, provisional_minor: int = 0) -> None:
    figures = {"balance_minor": -owed_minor, "provisional_minor": provisional_minor, "sequence": sequence}
    others.tell("GET", f"/clients/{client_id}/balance", 200, {**BALANCE, "client_id": client_id, **figures})


def asked(others: Others, path: str) -> list[dict[str, Any]]:
    return [request for request in others.asked if request["path"] == path]


def begin(visitor: Any, what: str = "charge", *clients: str, **more: str) -> str:
    """Choose clients (`c1:4500`) for a run; answers the address of its page."""
    chosen = {"whom": "ticked", "client": list(clients or ("c1:4500",)), "attempt": "a1", **more}
    answer = visitor.post("/balances", {"what": what, **chosen}, page="/balances")
    assert answer.status_code == 303, answer.text
    return str(answer.headers["Location"])


def step(visitor: Any, run: str, client_id: str = "c1") -> Any:
    return visitor.post(f"{run}/{client_id}", {}, page=run, headers=JSON)


# --- the list ---


def test_the_list_shows_totals_ages_and_who_owes(portal: Any, others: Others) -> None:
    sam = portal.staff()
    page = sam.get("/balances")
    assert page.status_code == 200
    for words in ("$50.00", "$7.00", "Net, in your favour", "$43.00", "$45.00, 1 client", "More than 90 days",
                  "owes $45.00", "Béla &lt;b&gt;"):  # fmt: skip
        assert words in page.text, words
    assert page.text.count('type="checkbox"') == 2  # who has credit is not asked for money
    assert asked(others, "/balances")[0]["query"] == {"sort": "balance"}
    calls = int(str(re.search(r'calls;desc="(\d+)"', sam.get("/balances").headers["Server-Timing"])[1]))  # type: ignore[index]
    assert calls <= 5


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("who=owes", {"below_minor": "0"}),
        ("who=credit&above=12.50", {"above_minor": "1250"}),
        ("who=owes&below=-50&sort=-name&q=ad&status=active&cursor=x",
         {"below_minor": "-5000", "sort": "-name", "q": "ad", "status": "active", "cursor": "x"}),
        ("who=owes&below=80", {"below_minor": "0"}),
        ("below=%E2%88%925.00&above=$-9", {"below_minor": "-500", "above_minor": "-900"}),
        ("sort=evil&status=evil", {}),
    ],
)  # fmt: skip
def test_filters_are_typed_in_major_units(portal: Any, others: Others, query: str, expected: dict[str, str]) -> None:
    assert portal.staff().get(f"/balances?{query}").status_code == 200
    assert asked(others, "/balances")[0]["query"] == {"sort": "balance", **expected}


def test_what_is_no_amount_is_said_and_nothing_is_asked(portal: Any, others: Others) -> None:
    page = portal.staff().get("/balances?below=lots")
    assert page.status_code == 422
    assert "Write it as 50.00 or, for what is owed, as -50.00." in page.text
    assert 'value="lots"' in page.text
    assert asked(others, "/balances") == []


def test_the_list_as_a_file(portal: Any, others: Others) -> None:
    assert portal.staff().get("/balances.csv?who=owes").status_code == 200
    (request,) = asked(others, "/balances")
    assert (request["accept"], request["query"]) == ("text/csv", {"below_minor": "0", "sort": "balance"})


def test_without_ages_the_rest_is_shown(portal: Any, others: Others) -> None:
    others.tell("GET", "/balances/ageing", 503, {"code": "x", "detail": "away"})
    page = portal.staff().get("/balances")
    assert (page.status_code, "cannot be shown right now" in page.text, "owes $45.00" in page.text) == (200, True, True)


def test_clients_do_not_see_balances(portal: Any, others: Others) -> None:
    sam = portal.staff()
    run = begin(sam)
    ada = portal.client()
    for path in ("/balances", "/balances.csv", run):
        assert ada.get(path).status_code == 404
    assert ada.post(f"{run}/c1", {}, page="/home").status_code == 404
    assert asked(others, CHARGES) == []


# --- choosing ---


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"whom": "ticked", "what": "charge"}, "Nobody is chosen"),
        ({"whom": "ticked", "client": ["c1:4500"]}, "Choose what to do"),
        ({"whom": "ticked", "client": ["c1:-5"], "what": "charge"}, "too old"),
        ({"whom": "page", "owing": ["c1"], "what": "email"}, "too old"),
    ],
)
def test_a_choice_that_is_none(portal: Any, form: dict[str, Any], words: str) -> None:
    answer = portal.staff().post("/balances?who=owes", form, page="/balances")
    assert answer.status_code == 422
    assert words in answer.text


def test_a_run_says_of_whom_and_how_much_before_anything_happens(portal: Any, others: Others) -> None:
    sam = portal.staff()
    run = begin(sam, "charge", whom="page", owing=["c1:4500", "c2:500"])
    page = sam.get(run)
    for words in (
        "Charge 2 clients",
        "$50.00",
        "Ada Lovelace",
        "no e-mail address",
        "0 of 2 done",
        "Keep this page open",
    ):
        assert words in page.text, words
    assert int(str(re.search(r'calls;desc="(\d+)"', page.headers["Server-Timing"])[1])) <= 5  # type: ignore[index]
    assert asked(others, CHARGES) == []
    assert begin(sam, "charge", whom="page", owing=["c1:4500", "c2:500"]) == run  # a double click
    assert begin(sam, "email", whom="page", owing=["c1:4500", "c2:500"]) != run


def test_all_that_the_filter_finds_is_asked_of_billing_and_bounded(portal: Any, others: Others) -> None:
    others.tell("GET", "/balances", 200, {"items": LINES[:2], "next_cursor": "more", "totals": TOTALS})
    sam = portal.staff()
    answer = sam.post("/balances?q=a&below=20&sort=name", {"whom": "all", "what": "email"}, page="/balances")
    expected = {"q": "a", "below_minor": "0", "sort": "balance", "limit": "200"}
    assert others.last("/balances")["query"] == expected
    page = sam.get(answer.headers["Location"])
    assert "E-mail 2 clients" in page.text


@pytest.mark.parametrize("shut", [{"test_secret_key": None}, {"keys_open": False}])
def test_without_cards_nothing_can_be_begun(portal: Any, others: Others, shut: dict[str, Any]) -> None:
    sam = portal.staff()
    run = begin(sam)
    others.tell("GET", "/stripe", 200, {**STRIPE, **shut})
    page = sam.get(run)
    assert "Cards cannot be charged right now" in page.text
    assert "run-start" not in page.text


def test_a_run_of_another_business_is_not_there(portal: Any) -> None:
    run = begin(portal.staff())
    portal.add("staff", "eve@other.example", business_id="b2")
    eve = portal.visitor()
    eve.sign_in("eve@other.example")
    assert eve.get(run).status_code == 404
    assert eve.post(f"{run}/c1", {}, page="/account").status_code == 404


# --- charging ---


def test_a_client_is_charged_what_was_agreed_to_and_once(portal: Any, others: Others) -> None:
    others.tell("POST", CHARGES, 201, {"status": "succeeded", "payment_intent_id": "pi_1"})
    sam = portal.staff()
    run = begin(sam, "charge", "c1:4500", "c2:500")
    said = step(sam, run).json
    assert (said["state"], said["is_open"], said["summary"]) == (
        "charged", False, "1 of 2 done: 1 charged, $45.00 came in.",
    )  # fmt: skip
    owes(others, "c1", 0, sequence=8)
    assert step(sam, run).json["state"] == "charged"
    (charge,) = asked(others, CHARGES)
    assert charge["body"] == {
        "client_id": "c1", "amount_minor": 4500, "currency": "USD", "invoice_number": None, "payment_method_id": None,
    }  # fmt: skip
    assert charge["key"] == f"run-{run.rpartition('/')[2]}-c1"
    assert charge["claims"]["actor"]["name"] == "Sam Staff"
    assert "1 of 2 done" in sam.get(run).text  # a reload knows


@pytest.mark.parametrize(
    ("owed_minor", "provisional_minor", "words"),
    [(0, 0, "They owe nothing any more"), (4000, 0, "They owe $40.00 by now"), (4500, 100, "$1.00 is on its way")],
)
def test_another_amount_than_was_agreed_to_is_not_charged(
    portal: Any, others: Others, owed_minor: int, provisional_minor: int, words: str
) -> None:
    sam = portal.staff()
    run = begin(sam)
    owes(others, "c1", owed_minor, sequence=8, provisional_minor=provisional_minor)
    said = step(sam, run).json
    assert (said["state"], words in said["detail"], said["is_open"]) == ("changed", True, False)
    assert asked(others, CHARGES) == []


@pytest.mark.parametrize(
    ("status", "answer", "state", "words"),
    [
        (201, {"status": "declined", "decline_code": "stolen_card", "detail": "No."}, "declined", "stolen card."),
        (201, {"status": "authentication_required", "detail": "."}, "needs_client", "link by e-mail"),
        (201, {"status": "processing"}, "processing", "booked when"),
        (404, {"code": "card_not_found", "detail": "."}, "no_card", "Pay Assist"),
        (409, {"code": "client_inactive", "detail": "Ada is inactive."}, "refused", "Ada is inactive. Nothing was"),
        (422, {"code": "amount_too_small", "detail": "Too little."}, "refused", "Too little."),
    ],
)  # fmt: skip
def test_what_became_of_a_charge(
    portal: Any, others: Others, status: int, answer: dict[str, Any], state: str, words: str
) -> None:
    others.tell("POST", CHARGES, status, answer)
    sam = portal.staff()
    run = begin(sam)
    said = step(sam, run).json
    assert (said["state"], words in said["detail"]) == (state, True), said
    assert step(sam, run).json["state"] == state
    assert len(asked(others, CHARGES)) == 1  # what is over is not asked again
    assert words in sam.get(run).text


@pytest.mark.parametrize(
    "silence", [(503, {"code": "x", "detail": "away"}), (201, {"status": "unknown", "detail": "?"})]
)
def test_an_unknown_outcome_is_asked_again_with_the_same_key(
    portal: Any, others: Others, silence: tuple[int, dict[str, str]]
) -> None:
    others.tell("POST", CHARGES, *silence)
    sam = portal.staff()
    run = begin(sam)
    said = step(sam, run).json
    assert (said["state"], said["is_open"], "cannot charge twice" in said["detail"]) == ("unknown", True, True)
    assert "Ask again about the unknown" in sam.get(run).text
    others.tell("POST", CHARGES, 201, {"status": "succeeded", "payment_intent_id": "pi_1"})
    assert step(sam, run).json["state"] == "charged"
    first, second = asked(others, CHARGES)
    assert (first["key"], first["body"]) == (second["key"], second["body"])


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        (409, {"code": "client_inactive", "detail": "Ada is inactive."}),
        (404, {"code": "card_not_found", "detail": "No such card."}),
        (404, {"code": "not_found", "detail": "There is no such client."}),
    ],
)
def test_what_is_refused_when_asked_again_says_nothing_of_the_first_time(
    portal: Any, others: Others, status: int, refusal: dict[str, str]
) -> None:
    others.tell("POST", CHARGES, 503, {"code": "x", "detail": "away"})
    sam = portal.staff()
    run, other = begin(sam), begin(sam, attempt="a2")
    step(sam, run)
    others.tell("POST", CHARGES, status, refusal)
    said = step(sam, run).json
    assert (said["state"], said["is_open"]) == ("unknown", True)
    assert said["detail"] == (
        f"{refusal['detail']} It may have been charged before. Ask again later, or look for it at Stripe."
    )
    assert step(sam, other).json["state"] == "elsewhere"
    others.tell("POST", CHARGES, 201, {"status": "succeeded"})
    assert step(sam, run).json["state"] == "charged"


def test_somebody_else_who_goes_on_uses_the_same_key(portal: Any, others: Others) -> None:
    others.tell("POST", CHARGES, 201, {"status": "unknown", "detail": "?"})
    run = begin(portal.staff())
    portal.add("staff", "kim@harmony.example", name="Kim Staff")
    kim = portal.visitor()
    kim.sign_in("kim@harmony.example")
    step(kim, run)
    portal.add("staff", "lee@harmony.example", name="Lee Staff")
    lee = portal.visitor()
    lee.sign_in("lee@harmony.example")
    step(lee, run)
    first, second = asked(others, CHARGES)
    assert first["key"] == second["key"]
    assert first["claims"]["actor"] != second["claims"]["actor"]


def test_an_unknown_charge_is_not_made_after_the_balance_has_moved(portal: Any, others: Others) -> None:
    others.tell("POST", CHARGES, 201, {"status": "unknown", "detail": "?"})
    sam = portal.staff()
    run = begin(sam)
    step(sam, run)
    owes(others, "c1", 0, sequence=8)
    said = step(sam, run).json
    assert (said["state"], "Look at their payments" in said["detail"]) == ("unknown", True)
    before = (clock.now() - timedelta(days=1)).isoformat()
    others.tell("GET", "/payments", 200, {"items": [{"recorded_at": before}]})  # another charge of that amount
    assert step(sam, run).json["state"] == "unknown"
    query = others.last("/payments")["query"]
    assert query == {
        "client_id": "c1", "source": "saved_card", "min_minor": "4500", "max_minor": "4500", "limit": "1",
    }  # fmt: skip
    after = (clock.now() + timedelta(seconds=1)).isoformat()
    others.tell("GET", "/payments", 200, {"items": [{"recorded_at": after}]})
    assert step(sam, run).json["state"] == "charged"
    assert len(asked(others, CHARGES)) == 1


@pytest.mark.parametrize("status", ["succeeded", "processing", "unknown"])
def test_a_balance_that_one_run_may_have_charged_is_not_charged_by_another(
    portal: Any, others: Others, status: str
) -> None:
    """The payment may take its time to be booked: until then billing says that it is owed."""
    others.tell("POST", CHARGES, 201, {"status": status, "detail": ""})
    sam = portal.staff()
    first, second = begin(sam), begin(sam, attempt="a2")
    step(sam, first)
    said = step(sam, second).json
    assert (said["state"], said["is_open"]) == ("elsewhere", False)
    assert len(asked(others, CHARGES)) == 1


def test_a_run_looks_for_what_another_charged_in_the_ledger(portal: Any, others: Others) -> None:
    others.tell("POST", CHARGES, 201, {"status": "succeeded"})
    sam = portal.staff()
    step(sam, begin(sam))
    owes(others, "c1", 7500, sequence=8)
    others.tell("GET", "/clients/c1/ledger", 200, {"items": []})
    said = step(sam, begin(sam, "charge", "c1:7500")).json
    assert (said["state"], "does not count it yet" in said["detail"]) == ("elsewhere", True)
    yesterday = (clock.now() - timedelta(days=1)).date().isoformat()
    assert others.last("/clients/c1/ledger")["query"] == {"from": yesterday, "limit": "200"}
    owes(others, "c1", 3000, sequence=9)
    booked = {"sequence": 9, "kind": "payment", "change_minor": 4500, "debit_account": "clearing:card"}
    others.tell("GET", "/clients/c1/ledger", 200, {"items": [booked]})
    assert step(sam, begin(sam, "charge", "c1:3000")).json["state"] == "charged"
    assert [charge["body"]["amount_minor"] for charge in asked(others, CHARGES)] == [4500, 3000]


def test_a_balance_that_was_not_charged_may_be_charged_by_another_run(portal: Any, others: Others) -> None:
    others.tell("POST", CHARGES, 201, {"status": "declined", "detail": "No."})
    sam = portal.staff()
    first, second = begin(sam), begin(sam, attempt="a2")
    assert step(sam, first).json["state"] == "declined"
    others.tell("POST", CHARGES, 201, {"status": "succeeded", "payment_intent_id": "pi_1"})
    assert step(sam, second).json["state"] == "charged"
    assert step(sam, first).json["state"] == "declined"
    keys = [charge["key"] for charge in asked(others, CHARGES)]
    assert len(set(keys)) == 2


def test_what_was_begun_and_not_ended_is_led_back_to(portal: Any, others: Others) -> None:
    others.tell("POST", CHARGES, 201, {"status": "unknown", "detail": "?"})
    sam = portal.staff()
    run = begin(sam, "charge", "c1:4500", "c2:500")
    assert "Look at it, or go on" not in sam.get("/balances").text  # looked at, and never begun
    step(sam, run)
    assert "2 clients are left" in sam.get("/balances").text
    assert sam.post(f"{run}/leave", {}, page=run).status_code == 303
    page = sam.get("/balances").text
    assert "1 client is left" in page  # who may be charged is not forgotten
    assert run in page
    assert step(sam, run, "c2").json["state"] == "left"
    others.tell("POST", CHARGES, 201, {"status": "succeeded"})
    assert step(sam, run).json["state"] == "charged"
    assert "Look at it, or go on" not in sam.get("/balances").text
    assert [charge["body"]["client_id"] for charge in asked(others, CHARGES)] == ["c1", "c1"]


def test_while_billing_is_away_nothing_is_charged_and_the_client_stays_open(portal: Any, others: Others) -> None:
    sam = portal.staff()
    run = begin(sam)
    others.tell("GET", "/clients/c1/balance", 503, {"code": "x", "detail": "away"})
    answer = step(sam, run)
    assert (answer.status_code, bool(answer.json["detail"])) == (503, True)
    assert asked(others, CHARGES) == []
    owes(others, "c1", 4500)
    others.tell("POST", CHARGES, 201, {"status": "succeeded"})
    assert step(sam, run).json["state"] == "charged"


def test_who_is_not_part_of_a_run_is_not_charged(portal: Any, others: Others) -> None:
    sam = portal.staff()
    run = begin(sam)
    assert step(sam, run, "c2").status_code == 404
    assert asked(others, CHARGES) == []


def test_without_a_script_a_button_does_one_client(portal: Any, others: Others) -> None:
    others.tell("POST", CHARGES, 201, {"status": "succeeded"})
    sam = portal.staff()
    run = begin(sam)
    answer = sam.post(f"{run}/c1", {}, page=run)
    assert (answer.status_code, answer.headers["Location"]) == (303, run)
    assert "1 of 1 done: 1 charged" in sam.get(run).text


# --- mailing ---


@pytest.mark.parametrize(
    ("status", "answer", "state", "words"),
    [
        (202, {"owed_minor": 4000, "currency": "USD", "email": "ada@home.example"}, "mailed", "$40.00, to ada@home"),
        (409, {"code": "nothing_owed", "detail": "Ada owes nothing right now."}, "changed", "owes nothing"),
        (409, {"code": "no_address", "detail": "Ada has no e-mail address."}, "no_address", "no e-mail"),
        (409, {"code": "client_inactive", "detail": "Ada is inactive."}, "refused", "inactive"),
    ],
)
def test_what_became_of_a_mail(
    portal: Any, others: Others, status: int, answer: dict[str, Any], state: str, words: str
) -> None:
    others.tell("POST", "/clients/c1/balance-email", status, answer)
    sam = portal.staff()
    run = begin(sam, "email")
    said = step(sam, run).json
    assert (said["state"], words in said["detail"]) == (state, True), said
    step(sam, run)
    (request,) = asked(others, "/clients/c1/balance-email")
    assert (request["key"], request["claims"]["scope"]) == (f"run-{run.rpartition('/')[2]}-c1", "billing:write")
    assert asked(others, CHARGES) == []


def test_a_mail_that_was_not_taken_is_asked_for_again(portal: Any, others: Others) -> None:
    others.tell("POST", "/clients/c1/balance-email", 503, {"code": "x", "detail": "away"})
    sam = portal.staff()
    run = begin(sam, "email")
    assert step(sam, run).status_code == 503
    taken = {"owed_minor": 4500, "currency": "USD", "email": "ada@home.example"}
    others.tell("POST", "/clients/c1/balance-email", 202, taken)
    assert step(sam, run).json["state"] == "mailed"
    first, second = asked(others, "/clients/c1/balance-email")
    assert first["key"] == second["key"]


# --- words ---


def test_a_summary_counts_what_is_known() -> None:
    lines = [
        Line(f"c{number}", 1000, "USD", state, "")
        for number, state in enumerate(("charged", "charged", "declined", "unknown", "waiting", "asked"))
    ]
    assert runs.summary(lines) == "3 of 6 done: 2 charged, 1 declined, 1 unknown, $20.00 came in."
    assert runs.summary(lines[4:]) == "0 of 2 done."


def test_every_state_has_words() -> None:
    assert set(runs.OPEN) | set(runs.HELD) <= set(runs.WORDS)
