"""Clients for staff: the list, adding one and many, one client's pages, and who may do what."""

import io
from typing import Any

import pytest

from portal.domain import closing
from services.portal.tests.others import BALANCE, Others

LINE = {
    "client_id": "c1", "client_name": "Ada Lovelace", "email": "ada@home.example", "phone": "555 0100",
    "external_ref": "C-1", "status": "active", "balance_minor": -1000, "currency": "USD", "in_words": "owes $10.00",
}  # fmt: skip
BALANCES = {"items": [LINE], "next_cursor": "more", "totals": {"owed_minor": 1000, "prepaid_minor": 0, "clients": 1}}
CLIENT = {
    "id": "c1", "name": "Ada Lovelace", "email": "ada@home.example", "phone": None, "external_ref": "C-1",
    "status": "active", "inactive_on": None, "threshold_minor": 2000,
}  # fmt: skip
PAYMENT = {
    "id": "p1", "client_id": "c1", "amount_minor": 4500, "refunded_minor": 500, "currency": "USD", "receipt_number": 7,
    "status": "partially_refunded", "method": "bank_transfer", "received_on": "2026-11-25", "invoice_number": None,
    "reference": "R-9", "memo": None,
}  # fmt: skip
ENTRY = {
    "sequence": 1, "kind": "payment", "description": "Payment received", "memo": "by hand", "change_minor": 3000,
    "balance_after_minor": -1500, "currency": "USD", "effective_on": "2026-11-24", "payment_id": "p1",
    "recorded_at": "2026-11-24T10:00:00Z", "recorded_by": {"type": "staff", "id": "s", "name": "Sam Staff"},
    "source": {"type": "payment", "id": "p1", "href": "http://payments/v1/businesses/b1/payments/p1"},
}  # fmt: skip
STATEMENT = {
    "client_id": "c1", "from": "2026-11-01", "to": "2026-11-25", "currency": "USD", "opening_minor": 0,
    "received_minor": 3000, "charged_minor": 0, "adjusted_minor": 0, "closing_minor": 3000,
    "lines": [{**ENTRY, "balance_minor": 3000}],
}  # fmt: skip
CHECK = {
    "client_id": "c1", "currency": "USD", "balance_minor": -1000, "owed_minor": 1000, "credit_minor": 0,
    "future_sessions": 2, "pending_invoices": 1, "pending_minor": 4500, "draft_invoices": 0, "clear": False,
    "obstacles": ["owed_minor", "future_sessions", "pending_invoices"],
}  # fmt: skip
PAGES = (
    "", "/edit", "/payments", "/balance", "/statement", "/cards", "/availability", "/invoicing", "/adjust",
)  # fmt: skip


@pytest.fixture
def asked(others: Others) -> Others:
    """The stand-ins, knowing one client in full."""
    balance = {**BALANCE, "available_minor": 3000, "threshold_minor": None}
    overview = {"client": CLIENT, "balance": balance, "invoices": [], "sessions": []}
    others.tell("GET", "/balances", 200, BALANCES)
    others.tell("GET", "/clients/c1", 200, CLIENT)
    others.tell("GET", "/clients/c1/overview", 200, overview)
    others.tell("GET", "/clients/c1/ledger", 200, {"items": [ENTRY], "next_cursor": None})
    others.tell("GET", "/clients/c1/statement", 200, STATEMENT)
    others.tell("GET", "/clients/c1/statement.pdf", 200, "%PDF-1")
    others.tell("GET", "/clients/c1/closing-check", 200, CHECK)
    invoicing = {"frequency": "monthly", "delivery": "draft", "starts_on": "2026-12-01", "next_on": "2026-12-01"}
    others.tell("GET", "/clients/c1/invoicing", 200, invoicing)
    others.tell("GET", "/payments", 200, {"items": [PAYMENT], "next_cursor": None})
    return others


def calls(answer: Any) -> int:
    return int(answer.headers["Server-Timing"].partition('desc="')[2].rstrip('"'))


# --- the list ---


def test_the_list_is_one_call_with_balances_in_words(portal: Any, asked: Others) -> None:
    sam = portal.staff()
    sam.get("/clients")  # the business is remembered from here on
    page = sam.get("/clients?q=ada&status=active&sort=-balance&cursor=here")
    assert (page.status_code, calls(page)) == (200, 1)
    query = asked.last("/balances")["query"]
    assert query == {"q": "ada", "status": "active", "sort": "-balance", "cursor": "here", "limit": "50"}
    for words in ("Ada Lovelace", "owes $10.00", "ada@home.example", "555 0100", "cursor=more"):
        assert words in page.text


def test_the_second_icon_is_the_payment_history(portal: Any, asked: Others) -> None:
    page = portal.staff().get("/clients").text
    options = page.partition('class="options"')[2].partition("</td>")[0]
    places = [part.partition('"')[0] for part in options.split('href="')[1:]]
    assert places == ["/clients/c1/edit", "/clients/c1/payments", "/assist/c1", "/clients/c1/statement"]
    names = [part.partition('"')[0] for part in options.split('aria-label="')[1:]]
    assert names[1] == "Payment history of Ada Lovelace"


def test_the_list_as_csv_keeps_its_filters(portal: Any, asked: Others) -> None:
    assert portal.staff().get("/clients.csv?status=inactive&sort=name").status_code == 200
    last = asked.last("/balances")
    assert (last["accept"], last["query"]) == ("text/csv", {"status": "inactive", "sort": "name"})


def test_who_is_not_active_is_marked(portal: Any, asked: Others) -> None:
    sam = portal.staff()
    assert '<em class="tag' not in sam.get("/clients").text
    asked.tell("GET", "/balances", 200, {**BALANCES, "items": [{**LINE, "status": "inactive"}]})
    assert '<em class="tag off">inactive</em>' in sam.get("/clients").text


def test_an_empty_list_says_what_to_do_next(portal: Any, asked: Others) -> None:
    asked.tell("GET", "/balances", 200, {**BALANCES, "items": [], "next_cursor": None})
    sam = portal.staff()
    assert "Add the first one" in sam.get("/clients").text
    assert "No client fits" in sam.get("/clients?q=nobody").text


# --- adding ---


def test_a_client_is_added_once(portal: Any, asked: Others) -> None:
    asked.tell("POST", "/clients", 201, {**CLIENT, "id": "c1"})
    sam = portal.staff()
    form = {"name": " Ada ", "email": "", "threshold": "20", "status": "prospect", "attempt": "a1"}
    made = sam.post("/clients/add", form, page="/clients/add")
    assert (made.status_code, made.headers["Location"]) == (303, "/clients/c1?said=client_added")
    first = asked.last("/clients")
    assert first["body"] == {
        "name": "Ada", "email": None, "phone": None, "external_ref": None, "threshold_minor": 2000, "status": "prospect"
    }  # fmt: skip
    assert first["claims"]["actor"]["type"] == "staff"
    sam.post("/clients/add", form, page="/clients/add")
    assert asked.last("/clients")["key"] == first["key"]  # a double click adds one
    sam.post("/clients/add", {**form, "attempt": "a2"}, page="/clients/add")
    assert asked.last("/clients")["key"] != first["key"]


def test_a_refused_client_is_shown_again_with_words_beside_the_field(portal: Any, asked: Others) -> None:
    sam = portal.staff()
    shown = sam.post("/clients/add", {"name": " ", "email": "x@y", "threshold": "much"}, page="/clients/add")
    assert shown.status_code == 422
    assert 'id="name-wrong"' in shown.text
    assert 'id="threshold-wrong"' in shown.text
    assert 'value="x@y"' in shown.text
    assert all(call["method"] == "GET" for call in asked.asked)
    error = {"field": "email", "message": "this is not an e-mail address"}
    asked.tell("POST", "/clients", 422, {"code": "x", "detail": "Nothing was added.", "errors": [error]})
    shown = sam.post("/clients/add", {"name": "Ada", "email": "x@y"}, page="/clients/add")
    assert shown.status_code == 422
    assert "This is not an e-mail address." in shown.text
    assert "Nothing was added." in shown.text


def test_a_file_of_clients_is_taken_whole_or_its_rows_are_named(portal: Any, asked: Others) -> None:
    sam = portal.staff()
    rows = "name\nAda\n" + "Somebody\n" * 20_000  # longer than a form may be

    def send(content: str) -> Any:
        data = {"file": (io.BytesIO(content.encode()), "clients.csv"), "attempt": "a1"}
        return sam.post("/clients/import", data, page="/clients/import", content_type="multipart/form-data")

    asked.tell("POST", "/clients/batch", 201, {"count": 20_001, "clients": []})
    assert send(rows).headers["Location"] == "/clients?said=clients_added"
    sent = asked.last("/clients/batch")
    assert sent["text"] == rows
    error = {"row": 2, "field": "email", "message": "this is not an e-mail address"}
    asked.tell("POST", "/clients/batch", 422, {"code": "x", "detail": "Nothing was added.", "errors": [error]})
    shown = send("name,email\nAda,\nBob,bob@\n")
    assert shown.status_code == 422
    assert '<th scope="row">2</th><td>email</td><td>this is not an e-mail address</td>' in shown.text
    assert asked.last("/clients/batch")["key"] != sent["key"]
    assert send("").status_code == 422
    before = len(asked.asked)
    too_much = send("name\n" + "Somebody\n" * 500_000)
    assert too_much.status_code == 413
    assert "Split the file" in too_much.text
    assert all(call["path"] != "/clients/batch" for call in asked.asked[before:])


# --- one client ---


@pytest.mark.parametrize("page", PAGES)
def test_every_page_of_a_client_has_its_head_and_few_calls(portal: Any, asked: Others, page: str) -> None:
    maria = portal.administrator()
    maria.get("/clients")
    shown = maria.get(f"/clients/c1{page}")
    assert shown.status_code == 200, shown.text
    assert calls(shown) <= 3
    assert "has $30.00 left" in shown.text
    assert f'href="/clients/c1{page}" aria-current="page"' in shown.text
    scripts = shown.headers["Content-Security-Policy"].partition("script-src ")[2].partition(";")[0]
    assert (scripts != "'self'") == (page == "/cards")  # only where a card is typed


def test_payment_history_is_the_clients_alone(portal: Any, asked: Others) -> None:
    page = portal.staff().get("/clients/c1/payments?method=cash&from=2026-01-01&client_id=c2")
    query = asked.last("/payments")["query"]
    told = {"client_id": "c1", "method": "cash", "from": "2026-01-01", "sort": "-received_on", "limit": "50"}
    assert query == told
    for words in ("25 Nov 2026", "bank transfer", "partially refunded", "$5.00 given back", "/payments/p1/receipt.pdf"):
        assert words in page.text
    assert "sort=amount" in page.text  # leads to the other order


def test_the_balance_is_explained_newest_first(portal: Any, asked: Others) -> None:
    sam = portal.staff()
    page = sam.get("/clients/c1/balance?from=2026-11-01")
    assert asked.last("/clients/c1/ledger")["query"] == {"sort": "-sequence", "from": "2026-11-01", "limit": "50"}
    for words in ("Payment received", "by hand", "+$30.00", "owes $15.00", "Sam Staff", "24 Nov 2026, 10:00"):
        assert words in page.text
    sam.get("/clients/c1/balance.csv?sort=sequence")
    last = asked.last("/clients/c1/ledger")
    assert (last["accept"], last["query"]) == ("text/csv", {"sort": "sequence"})


def test_the_statement_is_on_the_page_and_as_files(portal: Any, asked: Others) -> None:
    sam = portal.staff()
    page = sam.get("/clients/c1/statement?from=2026-11-01&to=2026-11-25")
    for words in ("Opening balance", "is settled", "Closing balance", "has $30.00 left"):
        assert words in page.text
    assert "Received $30.00, charged $0.00.</p>" in page.text
    asked.tell("GET", "/clients/c1/statement", 200, {**STATEMENT, "adjusted_minor": -500})
    assert "charged $0.00, adjustments -$5.00.</p>" in sam.get("/clients/c1/statement").text
    looked = sam.get("/clients/c1/statement.pdf?from=2026-11-01")
    assert looked.headers["Content-Disposition"].startswith("inline")
    kept = sam.get("/clients/c1/statement.pdf?from=2026-11-01&download=1")
    assert kept.headers["Content-Disposition"] == 'attachment; filename="file.pdf"'
    assert asked.last("/clients/c1/statement.pdf")["query"] == {"from": "2026-11-01"}
    assert sam.get("/clients/c1/statement.exe").status_code == 404
    asked.tell("GET", "/clients/c1/statement", 422, {"code": "range_invalid", "detail": "Ask for fewer days."})
    refused = sam.get("/clients/c1/statement?from=2027-01-01&to=2026-01-01")
    assert refused.status_code == 422
    assert "Ask for fewer days." in refused.text


def test_only_what_is_otherwise_is_changed(portal: Any, asked: Others) -> None:
    asked.tell("PATCH", "/clients/c1", 200, CLIENT)
    sam = portal.staff()
    page = sam.get("/clients/c1/edit").text
    assert 'value="20.00"' in page
    form = {"name": "Ada Byron", "email": "ada@home.example", "external_ref": "C-1", "threshold": "20", "phone": "",
            "status": "active"}  # fmt: skip
    assert sam.post("/clients/c1/edit", form, page="/clients/c1/edit").status_code == 303
    assert asked.last("/clients/c1")["body"] == {"name": "Ada Byron"}
    sam.post("/clients/c1/edit", {**form, "name": "Ada Lovelace", "threshold": "0"}, page="/clients/c1/edit")
    assert asked.last("/clients/c1")["body"] == {"threshold_minor": 0}
    asked.tell("PATCH", "/clients/c1", 409, {"code": "x", "detail": "Another client has this external reference."})
    shown = sam.post("/clients/c1/edit", {**form, "external_ref": "C-2"}, page="/clients/c1/edit")
    assert shown.status_code == 409
    assert "Another client has this external reference." in shown.text
    assert 'value="C-2"' in shown.text


@pytest.mark.parametrize(
    ("form", "changes"),
    [
        ({"what": "now"}, {"status": "inactive", "inactive_on": None}),
        ({"what": "on", "inactive_on": "2027-01-31"}, {"inactive_on": "2027-01-31"}),
        ({"what": "never"}, {"inactive_on": None}),
        ({"what": "back"}, {"status": "active", "inactive_on": None}),
        ({"what": "on", "inactive_on": "soon"}, None),
        ({"what": "on", "inactive_on": ""}, None),
        ({"what": "delete"}, None),
    ],
)
def test_availability(portal: Any, asked: Others, form: dict[str, str], changes: dict[str, Any] | None) -> None:
    asked.tell("PATCH", "/clients/c1", 200, CLIENT)
    answer = portal.staff().post("/clients/c1/availability", form, page="/clients/c1/availability")
    changed = [call["body"] for call in asked.asked if call["method"] == "PATCH"]
    assert (answer.status_code, changed) == ((422, []) if changes is None else (303, [changes]))


def test_what_is_still_open_says_what_to_do(portal: Any, asked: Others) -> None:
    page = portal.staff().get("/clients/c1/availability").text
    for words in (
        "$10.00 is owed",
        "2 sessions are still scheduled",
        "1 invoice waits to be paid: $45.00",
        "Take a payment",
    ):
        assert words in page
    assert closing.obstacles({**CHECK, "owed_minor": 0, "future_sessions": 0, "pending_invoices": 0}) == []
    (left,) = closing.obstacles(
        {**CHECK, "owed_minor": 0, "credit_minor": 5, "future_sessions": 0, "pending_invoices": 0}
    )
    assert (left.words, left.endpoint) == ("$0.05 is left", "clients.history")


def test_a_balance_is_corrected_by_administrators_once(portal: Any, asked: Others) -> None:
    asked.tell("POST", "/clients/c1/adjustments", 201, {"id": "a"})
    maria = portal.administrator()
    form = {"kind": "credit", "amount": "12.50", "reason": "Goodwill", "attempt": "a1"}
    made = maria.post("/clients/c1/adjust", form, page="/clients/c1/adjust")
    assert made.headers["Location"] == "/clients/c1/balance?said=balance_corrected"
    sent = asked.last("/clients/c1/adjustments")
    assert sent["body"] == {"kind": "credit", "amount_minor": 1250, "reason": "Goodwill"}
    assert (sent["claims"]["scope"], sent["claims"]["actor"]["name"]) == ("billing:adjust", "Maria Harmony")
    maria.post("/clients/c1/adjust", form, page="/clients/c1/adjust")
    assert asked.last("/clients/c1/adjustments")["key"] == sent["key"]
    before = len(asked.asked)
    bad = maria.post("/clients/c1/adjust", {"amount": "-1", "attempt": "a2"}, page="/clients/c1/adjust")
    assert bad.status_code == 422
    for field in ("kind", "amount", "reason"):
        assert f'id="{field}-wrong"' in bad.text
    assert all(call["method"] == "GET" for call in asked.asked[before:])


def test_staff_do_not_correct_balances(portal: Any, asked: Others) -> None:
    sam = portal.staff()
    assert "/clients/c1/adjust" not in sam.get("/clients/c1").text
    assert sam.get("/clients/c1/adjust").status_code == 404
    form = {"kind": "credit", "amount": "1", "reason": "x"}
    assert sam.post("/clients/c1/adjust", form, page="/clients/c1/edit").status_code == 404
    assert all(call["path"] != "/clients/c1/adjustments" for call in asked.asked)


def test_automated_invoicing(portal: Any, asked: Others) -> None:
    asked.tell("PUT", "/clients/c1/invoicing", 200, {})
    sam = portal.staff()
    assert "1 Dec 2026" in sam.get("/clients/c1/invoicing").text
    form = {"frequency": "weekly", "delivery": "sent", "starts_on": ""}
    assert sam.post("/clients/c1/invoicing", form, page="/clients/c1/invoicing").status_code == 303
    assert asked.last("/clients/c1/invoicing")["body"] == {**form, "starts_on": None}
    error = {"field": "starts_on", "message": "this is more than a year ago"}
    asked.tell("PUT", "/clients/c1/invoicing", 422, {"code": "x", "detail": "No.", "errors": [error]})
    shown = sam.post("/clients/c1/invoicing", {**form, "starts_on": "2020-01-01"}, page="/clients/c1/invoicing")
    assert shown.status_code == 422
    assert "This is more than a year ago." in shown.text


def test_cards_are_saved_by_stripe_and_removed(portal: Any, asked: Others) -> None:
    begun = {"setup_intent_id": "seti_1", "client_secret": "seti_1_secret", "publishable_key": "pk_test_x"}
    asked.tell("POST", "/stripe/setup-intents", 201, begun)
    asked.tell("DELETE", "/clients/c1/payment-methods/pm_1", 200, {"removed": "pm_1"})
    sam = portal.staff()
    assert "Visa ending in 4242" in sam.get("/clients/c1/cards").text
    json = {"Accept": "application/json"}
    answer = sam.post("/clients/c1/cards", {"attempt": "a1"}, page="/clients/c1/cards", headers=json).json
    assert answer == {
        "client_secret": "seti_1_secret", "publishable_key": "pk_test_x", "is_to_save": True,
        "return_path": "/clients/c1/cards", "done_path": "/clients/c1/cards?said=card_saved",
    }  # fmt: skip
    assert asked.last("/stripe/setup-intents")["body"] == {"client_id": "c1"}
    removed = sam.post("/clients/c1/cards/remove", {"card": "pm_1"}, page="/clients/c1/cards")
    assert removed.status_code == 303
    assert asked.last("/clients/c1/payment-methods/pm_1")["method"] == "DELETE"
    for card in ("", "../x", "pm_2"):
        assert sam.post("/clients/c1/cards/remove", {"card": card}, page="/clients/c1/cards").status_code == 404


def test_a_page_does_without_what_is_away(portal: Any, asked: Others) -> None:
    away = {"code": "x", "detail": "away"}
    sam = portal.staff()
    asked.tell("GET", "/payments", 503, away)
    page = sam.get("/clients/c1/payments")
    assert page.status_code == 200
    assert "Payments and receipts cannot be shown right now" in page.text
    asked.tell("GET", "/stripe", 503, away)
    assert "Cards are not set up" in sam.get("/clients/c1/cards").text
    asked.tell("GET", "/clients/c1/overview", 404, {"code": "not_found", "detail": "There is no such client."})
    assert sam.get("/clients/c1").status_code == 404


@pytest.mark.parametrize("page", ["/clients", "/clients.csv", "/clients/add", "/clients/import", "/clients/c1",
                                  *(f"/clients/c1{page}" for page in PAGES), "/clients/c1/statement.pdf"])  # fmt: skip
def test_clients_do_not_see_staffs_pages(portal: Any, asked: Others, page: str) -> None:
    before = len(asked.asked)
    ada = portal.client()
    assert ada.get(page).status_code == 404
    assert {call["path"] for call in asked.asked[before:]} <= {"", "/clients/c1"}  # the business, their own standing
