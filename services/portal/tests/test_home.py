"""A client's own pages: what they show, that they ask as the client and for that client alone, and PDFs."""

from typing import Any

import pytest

from services.portal.tests.others import BALANCE, CARD, INVOICE, STRIPE, Others
from services.portal.tests.test_clients import PAYMENT, calls

JSON = {"Accept": "application/json"}
SESSION = {
    "id": "s1", "starts_at": "2026-12-03T15:00:00Z", "duration_minutes": 45, "service_name": "Piano", "currency": "USD",
    "price_minor": 3000, "status": "scheduled",
}  # fmt: skip
ADA = {"type": "client", "id": "c1", "name": "Ada Lovelace"}


@pytest.fixture
def asked(others: Others) -> Others:
    client = {
        "id": "c1", "name": "Ada Lovelace", "email": "ada@home.example", "status": "active", "inactive_on": None,
    }  # fmt: skip
    overview = {"client": client, "balance": BALANCE, "invoices": [INVOICE], "sessions": [SESSION]}
    others.tell("GET", "/clients/c1/overview", 200, overview)
    others.tell("GET", "/payments", 200, {"items": [PAYMENT], "next_cursor": "more"})
    others.tell("GET", "/invoices", 200, {"items": [{**INVOICE, "total_minor": 5000}], "next_cursor": None})
    others.tell("GET", "/sessions", 200, {"items": [SESSION], "next_cursor": None})
    others.tell("GET", "/paypal", 200, {"is_ready": False, "allow_client_initiated_payments": False})
    for path in ("/invoices/INV-000012.pdf", "/payments/p1/receipt.pdf", "/clients/c1/statement.pdf"):
        others.tell("GET", path, 200, "%PDF-1")
    others.tell("GET", "/clients/c1/statement.csv", 200, {})
    return others


def scripts(answer: Any) -> str:
    policy = str(answer.headers["Content-Security-Policy"])
    return policy.partition("script-src ")[2].partition(";")[0]


def test_the_first_page_has_all_in_few_calls(portal: Any, asked: Others) -> None:
    ada = portal.client()
    ada.get("/home")
    page = ada.get("/home")
    assert (page.status_code, calls(page)) == (200, 4)
    for words in ("has $30.00 left", "INV-000012", "/home/invoices/INV-000012.pdf", "bank transfer", "No. 7", "Piano",
                  "3 Dec 2026, 15:00"):  # fmt: skip
        assert words in page.text
    assert scripts(page) != "'self'"
    asked.tell("GET", "/stripe", 200, {**STRIPE, "allow_client_initiated_payments": False})
    assert scripts(ada.get("/home")) == "'self'"  # no card is typed there


@pytest.mark.parametrize("path", ["/home/payments", "/home/invoices", "/home/sessions", "/home/cards"])
def test_every_page_is_the_clients_own(portal: Any, asked: Others, path: str) -> None:
    ada = portal.client()
    ada.get("/home")
    before = len(asked.asked)
    page = ada.get(f"{path}?client_id=c2")
    assert page.status_code == 200, page.text
    assert calls(page) <= 3
    made = asked.asked[before:]
    assert made
    for call in made:
        if call["path"] != "/stripe":  # settings are asked for as the portal
            assert call["claims"]["actor"] == ADA
        assert call["query"].get("client_id", "c1") == "c1"
        assert "c2" not in call["path"]


def test_payments_of_some_days(portal: Any, asked: Others) -> None:
    ada = portal.client()
    page = ada.get("/home/payments?from=2026-11-01&to=2026-11-30")
    query = asked.last("/payments")["query"]
    told = {"from": "2026-11-01", "to": "2026-11-30", "client_id": "c1", "sort": "-received_on", "limit": "50"}
    assert query == told
    for words in ("25 Nov 2026", "$45.00", "$5.00 given back", "cursor=more", "statement.pdf?from=2026-11-01"):
        assert words in page.text
    ada.get("/home/payments.csv?from=2026-11-01&client_id=c2")
    last = asked.last("/payments")
    assert (last["accept"], last["query"]) == ("text/csv", {"from": "2026-11-01", "client_id": "c1"})
    asked.tell("GET", "/payments", 503, {"code": "x", "detail": "away"})
    assert "Payments and receipts cannot be shown right now" in ada.get("/home/payments").text


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/home/invoices/INV-000012.pdf", "/invoices/INV-000012.pdf"),
        ("/payments/p1/receipt.pdf", "/payments/p1/receipt.pdf"),
        ("/home/statement.pdf", "/clients/c1/statement.pdf"),
    ],
)
def test_pdfs_are_looked_at_or_kept(portal: Any, asked: Others, path: str, where: str) -> None:
    ada = portal.client()
    looked = ada.get(path)
    assert (looked.status_code, looked.mimetype, looked.text) == (200, "application/pdf", "%PDF-1")
    assert looked.headers["Content-Disposition"].startswith("inline")
    assert ada.get(f"{path}?download=1").headers["Content-Disposition"] == 'attachment; filename="file.pdf"'
    assert asked.last(where)["claims"]["actor"] == ADA  # the service knows who asks, and refuses what is another's


@pytest.mark.parametrize("path", ["/home/invoices/INV-000099.pdf", "/payments/p2/receipt.pdf", "/home/statement.exe"])
def test_what_is_anothers_is_not_there(portal: Any, asked: Others, path: str) -> None:
    assert portal.client().get(path).status_code == 404


def test_sessions_to_come_and_those_that_were(portal: Any, asked: Others) -> None:
    ada = portal.client()
    assert "Piano" in ada.get("/home/sessions").text
    coming = asked.last("/sessions")["query"]
    assert (coming["status"], "from" in coming, coming["client_id"]) == ("scheduled", True, "c1")
    ada.get("/home/sessions?when=past")
    past = asked.last("/sessions")["query"]
    assert (past["sort"], past["to"], "status" in past) == ("-starts_at", coming["from"], False)
    asked.tell("GET", "/sessions", 200, {"items": [], "next_cursor": None})
    assert "No session is planned" in ada.get("/home/sessions").text


def test_invoices_by_status(portal: Any, asked: Others) -> None:
    page = portal.client().get("/home/invoices?status=paid")
    assert asked.last("/invoices")["query"] == {"status": "paid", "client_id": "c1", "limit": "50"}
    assert "$50.00" in page.text


def test_a_card_is_saved_by_stripe_and_removed(portal: Any, asked: Others) -> None:
    begun = {"setup_intent_id": "seti_1", "client_secret": "seti_1_secret", "publishable_key": "pk_test_x"}
    asked.tell("POST", "/stripe/setup-intents", 201, begun)
    asked.tell("DELETE", "/clients/c1/payment-methods/pm_1", 200, {"removed": "pm_1"})
    ada = portal.client()
    page = ada.get("/home/cards")
    assert "Visa ending in 4242" in page.text
    assert scripts(page) != "'self'"
    form = {"attempt": "a1", "client_id": "c2"}
    answer = ada.post("/home/cards", form, page="/home/cards", headers=JSON).json
    assert answer == {
        "client_secret": "seti_1_secret", "publishable_key": "pk_test_x", "is_to_save": True,
        "return_path": "/home/cards", "done_path": "/home/cards?said=card_saved",
    }  # fmt: skip
    sent = asked.last("/stripe/setup-intents")
    assert (sent["body"], sent["claims"]["actor"]) == ({"client_id": "c1"}, ADA)
    ada.post("/home/cards", form, page="/home/cards", headers=JSON)
    assert asked.last("/stripe/setup-intents")["key"] == sent["key"]
    assert ada.post("/home/cards/remove", {"card": CARD["id"]}, page="/home/cards").status_code == 303
    assert asked.last("/clients/c1/payment-methods/pm_1")["claims"]["actor"] == ADA
    assert ada.post("/home/cards/remove", {"card": "pm_2"}, page="/home/cards").status_code == 404


def test_no_card_is_saved_where_clients_may_not_pay(portal: Any, asked: Others) -> None:
    asked.tell("GET", "/stripe", 200, {**STRIPE, "allow_client_initiated_payments": False})
    refusal = {"code": "client_payments_not_allowed", "detail": "Harmony takes payments through its staff only."}
    asked.tell("POST", "/stripe/setup-intents", 403, refusal)
    ada = portal.client()
    page = ada.get("/home/cards")
    assert "Type a card" not in page.text
    assert "Visa ending in 4242" in page.text  # it can still be removed
    assert scripts(page) == "'self'"
    refused = ada.post("/home/cards", {"attempt": "a1"}, page="/home/cards", headers=JSON)
    assert refused.status_code == 403
    assert "through its staff only" in refused.json["detail"]


def test_a_gateway_that_is_away_keeps_its_cards(portal: Any, asked: Others) -> None:
    ada = portal.client()
    asked.tell("GET", "/clients/c1/payment-methods", 503, {"code": "x", "detail": "away"})
    assert "Cards cannot be shown right now" in ada.get("/home/cards").text
    asked.tell("GET", "/stripe", 503, {"code": "x", "detail": "away"})
    assert "does not take cards here right now" in ada.get("/home/cards").text


@pytest.mark.parametrize("path", ["/home", "/home/payments", "/home/invoices", "/home/sessions", "/home/cards"])
def test_staff_have_no_page_of_a_client(portal: Any, asked: Others, path: str) -> None:
    assert portal.staff().get(path).status_code == 404
