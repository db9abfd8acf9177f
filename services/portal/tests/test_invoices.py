"""Invoices: found, made from sessions and lines, and what is done with one."""

import re
from typing import Any

import pytest
from werkzeug.datastructures import MultiDict

from portal.domain import invoices as words
from portal.usecases import invoicing
from services.portal.tests.others import BUSINESS, Others

SESSION = {
    "id": "s1", "client_id": "c1", "client_name": "Ada Lovelace", "service_id": "v1", "service_name": "Piano lesson",
    "starts_at": "2026-11-20T15:00:00Z", "duration_minutes": 45, "price_minor": 4500, "currency": "USD",
    "status": "completed", "invoice_id": None,
}  # fmt: skip
AHEAD = {**SESSION, "id": "s2", "starts_at": "2026-12-20T15:00:00Z", "status": "scheduled"}
LINES = [
    {"description": "Piano lesson", "amount_minor": 4500, "service_id": "v1", "session_id": "s1", "day": "2026-11-20"},
    {"description": "Book", "amount_minor": 1250, "service_id": None, "session_id": None, "day": None},
]
INVOICE = {
    "id": "i1", "number": "INV-000012", "client_id": "c1", "client_name": "Ada Lovelace", "status": "pending",
    "overdue": False, "currency": "USD", "total_minor": 5750, "paid_minor": 1000, "outstanding_minor": 4750,
    "issued_on": "2026-11-17", "due_on": "2026-12-01", "memo": None, "void_reason": None, "lines": LINES,
}  # fmt: skip
DRAFT = {
    **INVOICE, "number": None, "status": "draft", "paid_minor": 0, "outstanding_minor": 0, "issued_on": None,
    "due_on": None,
}  # fmt: skip
SHOWN = "/invoices/INV-000012"


@pytest.fixture(autouse=True)
def office(others: Others) -> None:
    others.tell("GET", "", 200, {**BUSINESS, "invoicing": {"invoice_due_days": 14}})
    others.tell("GET", "/services", 200, {"items": [{"id": "v1", "name": "Piano lesson"}], "next_cursor": None})
    others.tell("GET", "/sessions", 200, {"items": [SESSION, AHEAD], "next_cursor": None})
    others.tell("GET", "/invoices", 200, {"items": [INVOICE, DRAFT], "next_cursor": "abc"})
    others.tell("GET", "/invoices/INV-000012", 200, INVOICE)
    others.tell("GET", "/invoices/i1", 200, DRAFT)
    others.tell("POST", "/invoices", 201, INVOICE)
    others.tell("GET", "/clients/c1/credit", 200, {"client_id": "c1", "credit_minor": 2000, "currency": "USD"})


def calls(page: Any) -> int:
    found = re.search(r'calls;desc="(\d+)"', page.headers["Server-Timing"])
    assert found is not None
    return int(found[1])


def plain(page: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page.text))


# --- the list ---


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("", {}),
        ("?status=overdue&sort=due", {"overdue": "true", "sort": "due"}),
        ("?status=paid&client_id=c1&cursor=x", {"status": "paid", "client_id": "c1", "cursor": "x"}),
        ("?status=odd&sort=odd", {}),
    ],
)
def test_invoices_are_found_and_sorted(portal: Any, others: Others, query: str, asked: dict[str, str]) -> None:
    page = portal.staff().get(f"/invoices{query}")
    assert page.status_code == 200
    assert others.last("/invoices")["query"] == asked
    for shown in ("INV-000012", 'href="/invoices/i1"', "$47.50", "cursor=abc", "/invoices/INV-000012.pdf"):
        assert shown in page.text
    assert calls(page) <= 5


def test_an_empty_list_says_what_to_do_next(portal: Any, others: Others) -> None:
    others.tell("GET", "/invoices", 200, {"items": [], "next_cursor": None})
    sam = portal.staff()
    assert "Make the first one" in sam.get("/invoices").text
    assert "No invoice fits" in sam.get("/invoices?status=void").text


def test_invoices_as_csv(portal: Any, others: Others) -> None:
    assert portal.staff().get("/invoices.csv?status=overdue&sort=-total&client_id=c1").status_code == 200
    assert others.last("/invoices")["query"] == {"overdue": "true", "sort": "-total", "client_id": "c1"}


def test_invoices_are_the_staffs(portal: Any, others: Others) -> None:
    ada = portal.client()
    for path in ("/invoices", "/invoices.csv", "/invoices/add", SHOWN, f"{SHOWN}/void"):
        assert ada.get(path).status_code == 404
    for what in ("issue", "email", "void", "credit"):
        assert ada.post(f"{SHOWN}/{what}", {}, page="/home").status_code == 404
    others.tell("GET", "/invoices/INV-000012.pdf", 200, "%PDF")
    assert ada.get(f"{SHOWN}.pdf").content_type == "application/pdf"  # the API shows a client its own
    assert others.last("/invoices/INV-000012.pdf")["claims"]["actor"]["id"] == "c1"


# --- making one ---


def make(visitor: Any, **typed: Any) -> Any:
    data = {"client_id": "c1", "attempt": "a1", "session": ["s1"], "description": [""], "amount": [""], **typed}
    data.setdefault("line_service", [""] * len(data["description"]))
    return visitor.post("/invoices/add", data, page="/invoices/add?client_id=c1")


def test_first_whom_it_is_for(portal: Any, others: Others) -> None:
    sam = portal.staff()
    assert "Whom it is for" in sam.get("/invoices/add").text
    assert sam.get("/invoices/add?client=Ada+Lovelace&client_id=").location == "/invoices/add?client_id=c1"
    others.tell("GET", "/clients", 200, {"items": []})
    refused = sam.get("/invoices/add?client=Nobody&client_id=")
    assert refused.status_code == 422
    assert "no client called “Nobody”" in refused.text


def test_what_can_be_asked_for_is_offered(portal: Any, others: Others) -> None:
    page = portal.staff().get("/invoices/add?client_id=c1")
    assert others.last("/sessions")["query"] == {"client_id": "c1", "to_invoice": "true", "limit": "200"}
    assert 'value="s1" id="session-s1" checked' in page.text
    assert 'value="s2" id="session-s2">' in page.text  # what is to come is asked for only when one says so
    assert "14 days after it is issued" in page.text
    assert calls(page) <= 5


def test_an_invoice_of_sessions_and_lines_is_made_once(portal: Any, others: Others) -> None:
    sam = portal.staff()
    typed: dict[str, Any] = {
        "session": ["s1", "s2"], "description": ["Book", "", "Fee"], "amount": ["12.50", "", "$3"],
        "line_service": ["", "", "v1"], "due_on": "2026-12-24", "memo": " Thanks ", "do": "issue",
    }  # fmt: skip
    made = make(sam, **typed)
    assert made.location == "/invoices/INV-000012?said=invoice_issued"
    asked = others.last("/invoices")
    assert asked["body"] == {
        "client_id": "c1", "session_ids": ["s1", "s2"],
        "lines": [
            {"description": "Book", "amount_minor": 1250, "service_id": None},
            {"description": "Fee", "amount_minor": 300, "service_id": "v1"},
        ],
        "due_on": "2026-12-24", "memo": "Thanks", "draft": False,
    }  # fmt: skip
    assert asked["claims"]["actor"]["name"] == "Sam Staff"
    make(sam, **typed)
    assert others.last("/invoices")["key"] == asked["key"]


def test_a_draft_is_kept(portal: Any, others: Others) -> None:
    others.tell("POST", "/invoices", 201, DRAFT)
    assert make(portal.staff(), do="draft").location == "/invoices/i1?said=draft_made"
    assert others.last("/invoices")["body"]["draft"] is True


def test_more_lines_without_the_script(portal: Any, others: Others) -> None:
    page = make(portal.staff(), description=["Book"], amount=["x"], session=["s2"], do="more")
    assert page.status_code == 200
    assert page.text.count('name="description"') == 4
    assert 'value="Book"' in page.text
    assert 'id="session-s2" checked' in page.text
    assert 'id="session-s1">' in page.text  # as it was left
    assert all(asked["method"] == "GET" for asked in others.asked)


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ({"session": []}, "Tick a session, or write a line"),
        ({"description": ["", "Book"], "amount": ["", "x"]}, "is not an amount"),
        ({"description": ["", ""], "amount": ["", "5"]}, "Say what it is for."),
        ({"description": ["Book"], "amount": [""]}, "Say how much."),
        ({"due_on": "soon"}, "such as 2026-03-31"),
    ],
)
def test_what_is_wrong_makes_nothing(portal: Any, others: Others, typed: dict[str, Any], wrong: str) -> None:
    refused = make(portal.staff(), **typed)
    assert refused.status_code == 422
    assert wrong in refused.text
    assert "No invoice was made." in refused.text
    assert all(asked["method"] == "GET" for asked in others.asked)


def test_what_billing_refuses_stands_beside_its_line(portal: Any, others: Others) -> None:
    sam = portal.staff()
    errors = [{"field": "lines.0.description", "message": "this looks like a card number"}]
    others.tell("POST", "/invoices", 422, {"code": "validation_failed", "detail": "x", "errors": errors})
    refused = make(sam, description=["", "4242"], amount=["", "5"])
    assert refused.status_code == 422
    assert "This looks like a card number." in refused.text.partition('value="4242"')[2][:300]
    errors = [{"field": "session_ids", "message": "session 01a2 is on another invoice", "row": 1}]
    others.tell("POST", "/invoices", 422, {"code": "session_invoiced", "detail": "01a2", "errors": errors})
    refused = make(sam)
    assert "cannot be invoiced any more" in refused.text
    assert "01a2" not in refused.text


# --- one invoice ---


def test_an_invoice_says_where_it_stands(portal: Any, others: Others) -> None:
    page = portal.staff().get(SHOWN)
    text = plain(page)
    assert "$47.50 is left to pay: $10.00 of $57.50 was paid." in text
    assert "It goes to ada@home.example, with a link that pays what is left." in text
    assert "$20.00 of what Ada Lovelace has paid is set against no invoice yet." in text
    assert 'name="amount" type="text" value="20.00"' in page.text  # as much as there is, and not more than is asked
    assert 'href="/calendar/sessions/s1"' in page.text
    assert "/assist/c1?invoice=INV-000012" in page.text
    assert calls(page) <= 5


def test_an_invoice_without_what_is_beside_it(portal: Any, others: Others) -> None:
    for path in ("/clients/c1/overview", "/clients/c1/credit"):
        others.tell("GET", path, 503, {"code": "x", "detail": "away"})
    page = portal.staff().get(SHOWN)
    assert page.status_code == 200
    assert "is left to pay" in page.text


def test_a_client_without_an_address(portal: Any, others: Others) -> None:
    _, found = others.answers["GET", "/clients/c1/overview"]
    others.tell("GET", "/clients/c1/overview", 200, {**found, "client": {**found["client"], "email": None}})
    page = portal.staff().get(SHOWN)
    assert "has no e-mail address" in page.text
    assert "E-mail the invoice" not in page.text


def test_a_draft_is_issued(portal: Any, others: Others) -> None:
    sam = portal.staff()
    page = sam.get("/invoices/i1")
    assert "nobody was asked to pay it yet" in page.text
    assert "E-mail the invoice" not in page.text
    others.tell("POST", "/invoices/i1/issue", 200, INVOICE)
    issued = sam.post("/invoices/i1/issue", {}, page="/invoices/i1")
    assert issued.location == "/invoices/INV-000012?said=invoice_issued"
    others.tell("POST", "/invoices/i1/issue", 409, {"code": "not_a_draft", "detail": "This invoice is pending."})
    again = sam.post("/invoices/i1/issue", {}, page="/invoices/i1")
    assert (again.status_code, "This invoice is pending." in again.text) == (409, True)


def test_an_invoice_is_e_mailed_once(portal: Any, others: Others) -> None:
    sam = portal.staff()
    others.tell("POST", "/invoices/INV-000012/email", 202, {"status": "accepted"})
    assert sam.post(f"{SHOWN}/email", {"attempt": "a1"}, page=SHOWN).location == f"{SHOWN}?said=invoice_emailed"
    key = others.last("/invoices/INV-000012/email")["key"]
    sam.post(f"{SHOWN}/email", {"attempt": "a1"}, page=SHOWN)
    assert others.last("/invoices/INV-000012/email")["key"] == key
    sam.post(f"{SHOWN}/email", {"attempt": "a2"}, page=SHOWN)
    assert others.last("/invoices/INV-000012/email")["key"] != key


def test_voiding_is_asked_again_with_what_it_does(portal: Any, others: Others) -> None:
    sam = portal.staff()
    page = plain(sam.get(f"{SHOWN}/void"))
    for said in ("The $12.50 that it charged beside sessions goes back", "The $10.00 that was paid on it is not given"):
        assert said in page
    refused = sam.post(f"{SHOWN}/void", {"reason": " "}, page=f"{SHOWN}/void")
    assert (refused.status_code, "Say why." in refused.text) == (422, True)
    assert all(asked["method"] == "GET" for asked in others.asked)
    others.tell("POST", "/invoices/INV-000012/void", 200, {**INVOICE, "status": "void"})
    voided = sam.post(f"{SHOWN}/void", {"reason": "Wrong client"}, page=f"{SHOWN}/void")
    assert voided.location == f"{SHOWN}?said=invoice_voided"
    assert others.last("/invoices/INV-000012/void")["body"] == {"reason": "Wrong client"}
    others.tell("POST", "/invoices/INV-000012/void", 409, {"code": "already_void", "detail": "It is void already."})
    again = sam.post(f"{SHOWN}/void", {"reason": "x"}, page=f"{SHOWN}/void")
    assert (again.status_code, "It is void already." in again.text) == (409, True)


def test_a_draft_is_thrown_away(portal: Any, others: Others) -> None:
    sam = portal.staff()
    assert "thrown away" in sam.get("/invoices/i1/void").text
    others.tell("POST", "/invoices/i1/void", 200, {**DRAFT, "status": "void"})
    gone = sam.post("/invoices/i1/void", {"reason": "x"}, page="/invoices/i1/void")
    assert gone.location == "/invoices?said=draft_thrown_away"


def test_credit_is_applied_once(portal: Any, others: Others) -> None:
    sam = portal.staff()
    path = "/clients/c1/allocations"
    others.tell("POST", path, 201, {"invoices": [], "credit_minor": 0, "currency": "USD"})
    applied = sam.post(f"{SHOWN}/credit", {"amount": "12.50", "attempt": "a1"}, page=SHOWN)
    assert applied.location == f"{SHOWN}?said=credit_applied"
    asked = others.last(path)
    assert asked["body"] == {"allocations": [{"invoice_number": "INV-000012", "amount_minor": 1250}]}
    sam.post(f"{SHOWN}/credit", {"amount": "12.50", "attempt": "a1"}, page=SHOWN)
    assert others.last(path)["key"] == asked["key"]


def test_credit_that_cannot_be_applied(portal: Any, others: Others) -> None:
    sam = portal.staff()
    refused = sam.post(f"{SHOWN}/credit", {"amount": "all", "attempt": "a1"}, page=SHOWN)
    assert (refused.status_code, "is not an amount" in refused.text) == (422, True)
    problem = {
        "code": "credit_exceeded", "detail": "Nothing was applied.",
        "errors": [{"field": "allocations", "message": "at most $20.00 together"}],
    }  # fmt: skip
    others.tell("POST", "/clients/c1/allocations", 422, problem)
    refused = sam.post(f"{SHOWN}/credit", {"amount": "99", "attempt": "a1"}, page=SHOWN)
    assert 'id="amount-wrong">At most $20.00 together.' in refused.text
    assert 'value="99"' in refused.text
    assert sam.post("/invoices/i1/credit", {"amount": "1"}, page="/invoices/i1").status_code == 404


# --- pure ---


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"paid_minor": 0, "outstanding_minor": 5750}, "$57.50 is to be paid."),
        ({"overdue": True}, "$47.50 is left to pay: $10.00 of $57.50 was paid. It was due on 1 Dec 2026."),
        ({"status": "paid"}, "$57.50 was paid. Nothing is left to pay."),
        ({"status": "void", "void_reason": "Twice."}, "Void: nothing is asked for any more. Why: Twice."),
        ({"status": "draft"}, "A draft of $57.50: it has no number, and nobody was asked to pay it yet."),
    ],
)
def test_every_state_has_words(changes: dict[str, Any], sentence: str) -> None:
    assert words.in_words({**INVOICE, **changes}) == sentence


def test_there_is_always_a_line_to_write_on() -> None:
    assert invoicing.lines_of(MultiDict()) == [invoicing.Line()]
