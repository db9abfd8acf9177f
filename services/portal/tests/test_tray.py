"""The unmatched tray: what is shown of money of nobody, whose it is said to be, and payers remembered and forgotten."""

from typing import Any

import pytest

from portal.domain import arrived
from services.portal.tests.others import Others

SUGGESTION = {
    "client_id": "c1", "client_name": "Ada Lovelace", "invoice_number": "INV-000012", "outstanding_minor": 4500,
    "why": ["payer_email", "amount"],
}  # fmt: skip
LINE = {
    "id": "u1", "state": "open", "reason": "the gateway does not say whose it is", "gateway": "paypal",
    "gateway_payment_id": "8XJ", "amount_minor": 4500, "currency": "USD", "fee_minor": 160, "method": "paypal",
    "source": "paypal", "client_id": None, "invoice_number": "inv twelve", "payer_id": "PAYER9",
    "remembered_client": None,
    "suggestions": [SUGGESTION], "suggested": [{"client_id": "c1", "name": "Ada Lovelace", "external_ref": None},
                                               {"client_id": "c2", "name": "Bob", "external_ref": None}],
    "reference": "lesson", "happened_at": "2026-11-20T10:00:00Z", "created_at": "2026-11-20T10:00:01Z",
    "payment_id": None,
    "assigned_to": None, "assigned_at": None, "assigned_by": None,
}  # fmt: skip
FACT = {
    "gateway": "stripe", "gateway_payment_id": "pi_9", "type": "GatewayRefundSucceeded",
    "told": {"amount_minor": 1000, "currency": "USD"}, "reason": "its payment is not recorded yet",
    "received_at": "2026-11-20T10:00:00Z",
}  # fmt: skip
ASSIGN = "/unmatched/u1/assign"


@pytest.fixture
def tray(others: Others) -> Others:
    others.tell("GET", "/unmatched", 200, {"items": [LINE], "next_cursor": None})
    others.tell("GET", "/unmatched/u1", 200, LINE)
    others.tell("GET", "/payments/waiting", 200, {"items": [FACT], "next_cursor": None})
    others.tell("POST", ASSIGN, 201, {"id": "p1"})
    return others


def assign(visitor: Any, **data: str) -> Any:
    return visitor.post(ASSIGN, {"attempt": "a1", **data}, page="/unmatched/u1")


def test_money_of_nobody_is_shown_with_whom_it_may_be_of(portal: Any, tray: Others) -> None:
    page = portal.staff().get("/unmatched")
    for words in (
        "$45.00", "PayPal does not say whose it is.", "inv twelve", "PAYER9", "Assign to Ada Lovelace, INV-000012",
        "The payer has their e-mail address, and the invoice asks for exactly this amount.", "Assign to Bob",
        "Stripe tells of a refund of $10.00.", "Its payment is not recorded yet.",
    ):  # fmt: skip
        assert words in page.text, words
    assert page.text.count("Assign to Ada Lovelace") == 1
    assert 'calls;desc="3"' in page.headers["Server-Timing"]
    assert portal.client().get("/unmatched").status_code == 404


def test_one_click_gives_it_to_the_client_once(portal: Any, tray: Others) -> None:
    sam = portal.staff()
    taken = assign(sam, choice="c1 INV-000012", remember="yes")
    assert taken.headers["Location"] == "/unmatched?said=money_assigned"
    asked = tray.last(ASSIGN)
    assert asked["body"] == {"client_id": "c1", "invoice_number": "INV-000012", "remember_payer": True}
    assert asked["claims"]["actor"]["name"] == "Sam Staff"
    assign(sam, choice="c1 INV-000012", remember="yes")
    assert tray.last(ASSIGN)["key"] == asked["key"]
    assign(sam, choice="c2 ")
    assert tray.last(ASSIGN)["body"] == {"client_id": "c2"}


def test_another_client_is_given_it_by_name(portal: Any, tray: Others) -> None:
    sam = portal.staff()
    assign(sam, client="Ada Lovelace", invoice_number="12")
    assert tray.last(ASSIGN)["body"] == {"client_id": "c1", "invoice_number": "12"}
    refused = assign(sam, client="")
    assert refused.status_code == 422
    assert "Say which client this is for." in refused.text


def test_money_in_another_currency_needs_a_figure(portal: Any, tray: Others) -> None:
    tray.tell("GET", "/unmatched", 200, {"items": [{**LINE, "currency": "EUR"}], "next_cursor": None})
    tray.tell("GET", "/unmatched/u1", 200, {**LINE, "currency": "EUR"})
    sam = portal.staff()
    assert "Assign to" not in sam.get("/unmatched").text
    refused = assign(sam, client="Ada Lovelace")
    assert refused.status_code == 422
    assert "Say how much." in refused.text
    assign(sam, client="Ada Lovelace", amount="48.60")
    assert tray.last(ASSIGN)["body"] == {"client_id": "c1", "amount_minor": 4860}


def test_a_refusal_stands_beside_what_was_typed(portal: Any, tray: Others) -> None:
    error = {"field": "invoice_number", "message": "there is no such invoice"}
    problem = {
        "code": "invoice_unknown",
        "detail": "Nothing was recorded: there is no such invoice.",
        "errors": [error],
    }
    tray.tell("POST", ASSIGN, 422, problem)
    refused = assign(portal.staff(), client="Ada Lovelace", invoice_number="99")
    assert refused.status_code == 422
    assert 'value="99"' in refused.text
    assert "there is no such invoice" in refused.text
    tray.tell("POST", ASSIGN, 409, {"code": "already_assigned", "detail": "This money is a client's payment already."})
    tray.tell("GET", "/unmatched/u1", 200, {**LINE, "state": "assigned", "payment_id": "p1"})
    late = assign(portal.staff(), client="Ada Lovelace")
    assert (late.status_code, "It is recorded" in late.text) == (409, True)


def test_what_is_resolved_says_whose_it_became(portal: Any, tray: Others) -> None:
    became = {
        "state": "assigned", "payment_id": "p1", "assigned_to": {"client_id": "c1", "client_name": "Ada Lovelace"},
        "assigned_at": "2026-11-21T10:00:00Z", "assigned_by": "Sam Staff", "suggestions": [], "suggested": [],
        "remembered_client": {"client_id": "c1", "client_name": "Ada Lovelace"},
    }  # fmt: skip
    tray.tell("GET", "/unmatched", 200, {"items": [{**LINE, **became}], "next_cursor": "more"})
    page = portal.staff().get("/unmatched?state=assigned")
    assert tray.last("/unmatched")["query"] == {"state": "assigned", "limit": "50"}
    assert "by Sam Staff" in page.text
    assert "This payer is remembered for Ada Lovelace." in page.text
    assert "cursor=more" in page.text


def test_a_payer_is_forgotten(portal: Any, tray: Others) -> None:
    tray.tell("DELETE", "/remembered-payers/paypal/PAYER9", 204, "")
    sam = portal.staff()
    done = sam.post("/unmatched/forget-payer", {"gateway": "paypal", "payer_id": "PAYER9"}, page="/unmatched")
    assert done.headers["Location"] == "/unmatched?said=payer_forgotten"
    assert tray.last("/remembered-payers/paypal/PAYER9")["method"] == "DELETE"


def test_the_tray_is_there_without_what_waits(portal: Any, tray: Others) -> None:
    tray.tell("GET", "/payments/waiting", 503, {"code": "x", "detail": "away"})
    page = portal.staff().get("/unmatched")
    assert page.status_code == 200
    assert "Payments and receipts cannot be shown right now" in page.text
    tray.tell("GET", "/unmatched", 200, {"items": [], "next_cursor": None})
    assert "Nothing waits here." in portal.staff().get("/unmatched").text


def test_reasons_that_have_no_words_yet_are_told_as_they_are() -> None:
    assert arrived.reason({**LINE, "reason": "something new"}) == "Something new."
