"""Payments for staff: the list and its filters, adding one, and what is done with one."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from portal.domain import payments as words
from services.portal.tests.others import BALANCE, INVOICE, Others

CLIENT = {"id": "c1", "name": "Ada Lovelace", "email": "ada@home.example", "status": "active"}
PAYMENT = {
    "id": "p1", "client_id": "c1", "client_name": "Ada Lovelace", "amount_minor": 4500, "refunded_minor": 0,
    "refund_pending_minor": 0, "disputed_minor": 0, "currency": "USD", "method": "check", "source": "manual",
    "status": "recorded", "gateway": None, "gateway_payment_id": None, "fee_minor": None,
    "invoice_number": "INV-000012", "reference": "R-9", "memo": "For piano", "received_on": "2026-11-24",
    "recorded_at": "2026-11-25T10:00:00Z", "recorded_by": {"type": "staff", "id": "s", "name": "Sam Staff"},
    "receipt_number": 7, "receipt_revision": 1, "batch_id": None, "void_reason": None,
}  # fmt: skip
BY_CARD = {
    **PAYMENT, "id": "p2", "method": "card", "source": "saved_card", "gateway": "stripe", "gateway_payment_id": "pi_9",
    "fee_minor": 161, "invoice_number": None,
}  # fmt: skip
ANNOUNCED = {
    "gateway": "paypal", "gateway_payment_id": "T1", "client_id": "c1", "amount_minor": 2000, "currency": "USD",
    "method": "paypal", "source": "virtual_terminal", "invoice_number": None, "reason": "echeck",
    "announced_at": "2026-11-25T08:00:00Z",
}  # fmt: skip
REFUND = {
    "refund_id": "r1", "payment_id": "p1", "amount_minor": 500, "status": "succeeded", "reason": "Paid twice",
    "refunded_on": "2026-11-25", "failure": None, "gateway_refund_id": None,
}  # fmt: skip
DISPUTE = {
    "gateway_dispute_id": "du_1", "state": "open", "amount_minor": 4500, "reason": "product_not_received",
    "opened_at": "2026-11-25T09:00:00Z", "closed_at": None,
    "movements": [
        {"gateway_movement_id": "m1", "direction": "withdrawn", "amount_minor": 4500, "moved_on": "2026-11-25"}
    ],
}  # fmt: skip
FORM = {
    "client_id": "c1", "client": "Ada Lovelace", "amount": " 45.00 ", "received_on": "2026-11-24", "method": "check",
    "invoice_number": "INV-000012", "reference": "R-9", "memo": "", "attempt": "a1",
}  # fmt: skip


@pytest.fixture
def asked(others: Others) -> Others:
    """The stand-ins, knowing two payments: p1 by check, p2 by card."""
    others.tell("GET", "/payments", 200, {"items": [PAYMENT], "next_cursor": "more"})
    others.tell("GET", "/payments/pending", 200, {"items": [], "next_cursor": None})
    others.tell("POST", "/payments", 201, PAYMENT)
    for payment in (PAYMENT, BY_CARD):
        path = f"/payments/{payment['id']}"
        others.tell("GET", path, 200, payment)
        others.tell("GET", f"{path}/refunds", 200, {"items": [], "next_cursor": None})
        others.tell("GET", f"{path}/disputes", 200, {"items": [], "next_cursor": None})
        others.tell("POST", f"{path}/receipt/email", 202, {"status": "accepted", "request_id": "q1"})
    return others


def calls(answer: Any) -> int:
    return int(answer.headers["Server-Timing"].partition('desc="')[2].rstrip('"'))


def writes(asked: Others) -> list[dict[str, Any]]:
    return [call for call in asked.asked if call["method"] != "GET" and call["path"] != "/clients/lookup"]


# --- the list ---


def test_the_list_shows_what_was_received_in_words(portal: Any, asked: Others) -> None:
    asked.tell("GET", "/payments", 200, {"items": [{**PAYMENT, "refunded_minor": 500}], "next_cursor": "more"})
    sam = portal.staff()
    sam.get("/payments")  # the business is remembered from here on
    page = sam.get("/payments")
    assert (page.status_code, calls(page)) == (200, 2)
    assert asked.last("/payments")["query"] == {"sort": "-received_on", "limit": "50"}
    for shown in (
        "24 Nov 2026", 'href="/clients/c1"', "Check", "typed by staff", "INV-000012", "R-9", "recorded", "$45.00",
        "$5.00 given back", 'href="/payments/p1/receipt.pdf"', 'href="/payments/p1"', "cursor=more",
    ):  # fmt: skip
        assert shown in page.text, shown
    assert "On its way" not in page.text


def test_every_filter_is_passed_on_and_kept_for_the_export(portal: Any, asked: Others) -> None:
    sam = portal.staff()
    address = (
        "q=piano&client_id=c1&client=Ada+Lovelace&method=check&source=manual&status=recorded&from=2026-11-01"
        "&to=2026-11-30&min=0&max=99.50&invoice_number=INV-000012&recorded_by=Sam+Staff&batch_id=b9&sort=-amount"
    )
    wanted = {
        "q": "piano", "client_id": "c1", "method": "check", "source": "manual", "status": "recorded",
        "from": "2026-11-01", "to": "2026-11-30", "min_minor": "0", "max_minor": "9950", "invoice_number": "INV-000012",
        "recorded_by": "Sam Staff", "batch_id": "b9", "sort": "-amount",
    }  # fmt: skip
    page = sam.get(f"/payments?{address}&cursor=here")
    assert page.status_code == 200
    assert calls(page) <= 5
    assert asked.last("/payments")["query"] == {**wanted, "limit": "50", "cursor": "here"}
    export = re.search(r'href="(/payments\.csv\?[^"]+)"', page.text)
    assert export is not None
    assert sam.get(export[1].replace("&amp;", "&")).status_code == 200
    last = asked.last("/payments")
    assert (last["accept"], last["query"]) == ("text/csv", wanted)


@pytest.mark.parametrize(
    ("address", "field"),
    [
        ("client=Nobody", "client"), ("from=soon", "from"), ("from=2026-11-30&to=2026-11-01", "to"), ("min=x", "min"),
        ("max=1.234", "max"), ("min=9&max=8", "max"), ("client_id=gone", "client"),
    ],
)  # fmt: skip
def test_a_filter_that_is_wrong_says_so_and_shows_no_list(
    portal: Any, asked: Others, address: str, field: str
) -> None:  # fmt: skip
    asked.tell("GET", "/clients", 200, {"items": []})
    sam = portal.staff()
    page = sam.get(f"/payments?{address}")
    assert page.status_code == 422
    assert f'id="{field}-wrong"' in page.text
    assert "24 Nov 2026" not in page.text
    assert sam.get(f"/payments.csv?{address}").status_code == 422
    assert all(call["path"] != "/payments" for call in asked.asked)


def test_what_no_list_knows_is_left_out(portal: Any, asked: Others) -> None:
    assert portal.staff().get("/payments?method=barter&source=x&status=y&sort=memo").status_code == 200
    assert asked.last("/payments")["query"] == {"sort": "-received_on", "limit": "50"}


def test_an_empty_list_says_what_to_do_next(portal: Any, asked: Others) -> None:
    asked.tell("GET", "/payments", 200, {"items": [], "next_cursor": None})
    sam = portal.staff()
    assert "Add the first one" in sam.get("/payments").text
    assert "No payment fits" in sam.get("/payments?q=nobody").text


def test_money_on_its_way_is_named_with_its_client(portal: Any, asked: Others) -> None:
    unknown = {**ANNOUNCED, "client_id": None, "amount_minor": 300}
    asked.tell("GET", "/payments/pending", 200, {"items": [ANNOUNCED, unknown], "next_cursor": None})
    asked.tell("POST", "/clients/lookup", 200, {"items": [CLIENT]})
    sam = portal.staff()
    page = sam.get("/payments")
    for shown in ("On its way", "$20.00", "virtual terminal", "echeck", "Not known yet"):
        assert shown in page.text, shown
    assert asked.last("/clients/lookup")["body"] == {"ids": ["c1"]}
    sam.get("/payments?client_id=c1")
    assert asked.last("/payments/pending")["query"]["client_id"] == "c1"
    assert "On its way" not in sam.get("/payments?cursor=here").text


def test_the_list_does_without_what_is_on_its_way(portal: Any, asked: Others) -> None:
    asked.tell("GET", "/payments/pending", 503, {"code": "payments_unavailable", "detail": "away"})
    page = portal.staff().get("/payments")
    assert page.status_code == 200
    assert "24 Nov 2026" in page.text
    assert "cannot be shown right now" in page.text


def test_clients_see_none_of_it(portal: Any, asked: Others) -> None:
    ada = portal.client()
    for path in ("", ".csv", "/add", "/add/client?client_id=c1", "/p1", "/p1/void"):
        assert ada.get(f"/payments{path}").status_code == 404, path
    for path in ("/add", "/p1/email", "/p1/refund", "/p1/void"):
        assert ada.post(f"/payments{path}", FORM, page="/home").status_code == 404, path
    assert writes(asked) == []


# --- Add Payment ---


def test_a_payment_is_recorded_once_by_whoever_typed_it(portal: Any, asked: Others) -> None:
    sam = portal.staff()
    made = sam.post("/payments/add", FORM, page="/payments/add")
    assert (made.status_code, made.headers["Location"]) == (303, "/payments/p1?said=payment_recorded")
    first = asked.last("/payments")
    assert first["body"] == {
        "client_id": "c1", "amount_minor": 4500, "method": "check", "received_on": "2026-11-24",
        "invoice_number": "INV-000012", "reference": "R-9", "memo": None, "check_duplicates": True,
    }  # fmt: skip
    actor = first["claims"]["actor"]
    assert (actor["type"], actor["name"]) == ("staff", "Sam Staff")
    sam.post("/payments/add", FORM, page="/payments/add")
    assert asked.last("/payments")["key"] == first["key"]  # a double click records one
    sam.post("/payments/add", {**FORM, "attempt": "a2"}, page="/payments/add")
    assert asked.last("/payments")["key"] != first["key"]
    assert "Recorded." in sam.get(made.headers["Location"]).text


def test_a_wrong_payment_is_shown_again_with_words_beside_its_fields(portal: Any, asked: Others) -> None:
    sam = portal.staff()
    wrong = {**FORM, "client_id": "", "client": "", "amount": "much", "received_on": "", "method": "barter"}
    shown = sam.post("/payments/add", wrong, page="/payments/add")
    assert shown.status_code == 422
    for field in ("client", "amount", "received_on", "method"):
        assert f'id="{field}-wrong"' in shown.text, field
    assert 'value="R-9"' in shown.text
    assert 'name="attempt" value="a1"' in shown.text
    assert writes(asked) == []


def test_a_refusal_of_payments_stands_beside_its_field(portal: Any, asked: Others) -> None:
    error = {"field": "received_on", "message": "2030-01-01 is in the future"}
    asked.tell("POST", "/payments", 422, {"code": "x", "detail": "Nothing was recorded.", "errors": [error]})
    shown = portal.staff().post("/payments/add", {**FORM, "received_on": "2030-01-01"}, page="/payments/add")
    assert shown.status_code == 422
    assert "2030-01-01 is in the future" in shown.text
    assert "Nothing was recorded." in shown.text


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (
            "same client and amount within 3 days",
            "$45.00 from Ada Lovelace is recorded already, received on 22 Nov 2026",
        ),
        ("same reference", "with the reference R-9 is recorded already"),
    ],
)
def test_what_looks_recorded_already_is_asked_about_and_recorded_all_the_same(
    portal: Any, asked: Others, why: str, said: str
) -> None:
    like = {
        "row": 1, "why": why, "payment_id": "p0", "client_id": "c1", "amount_minor": 4500, "received_on": "2026-11-22",
        "reference": "R-9",
    }  # fmt: skip
    refused = {"code": "probable_duplicates", "detail": "send it without check_duplicates", "duplicates": [like]}
    asked.tell("POST", "/payments", 409, refused)
    sam = portal.staff()
    shown = sam.post("/payments/add", FORM, page="/payments/add")
    assert shown.status_code == 409
    assert said in shown.text
    assert 'href="/payments/p0"' in shown.text
    assert "check_duplicates" not in shown.text
    first = asked.last("/payments")
    buttons = re.findall(r"<button[^>]*>", shown.text.partition('id="receiving"')[2])
    assert 'value="anyway"' not in buttons[0]  # what Enter does
    asked.tell("POST", "/payments", 201, PAYMENT)
    made = sam.post("/payments/add", {**FORM, "do": "anyway"}, page="/payments/add")
    assert made.status_code == 303
    last = asked.last("/payments")
    assert last["body"]["check_duplicates"] is False
    assert last["key"] != first["key"]


def test_when_nobody_knows_whether_it_was_recorded_the_same_attempt_asks_again(portal: Any, asked: Others) -> None:
    asked.tell("POST", "/payments", 503, {"code": "payments_unavailable", "detail": "away"})
    sam = portal.staff()
    shown = sam.post("/payments/add", FORM, page="/payments/add")
    assert shown.status_code == 503
    assert "It is not known whether it was recorded" in shown.text
    assert 'name="attempt" value="a1"' in shown.text
    assert 'value="R-9"' in shown.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": "paid"}, "is not waiting to be paid"), ({"client_id": "c2"}, "is not one of Ada Lovelace"),
        ({"number": None}, "There is no invoice inv 12"), (None, "There is no invoice inv 12"),
    ],
)  # fmt: skip
def test_a_typed_invoice_that_cannot_take_it_is_refused(
    portal: Any, asked: Others, changes: dict[str, Any] | None, said: str
) -> None:
    if changes is not None:
        asked.tell("GET", "/invoices/inv12", 200, {**INVOICE, **changes})
    typed = {**FORM, "invoice_number": "", "invoice_typed": "inv 12"}
    shown = portal.staff().post("/payments/add", typed, page="/payments/add")
    assert shown.status_code == 422
    assert said in shown.text
    assert 'id="invoice_typed-wrong"' in shown.text
    assert writes(asked) == []


def test_a_typed_invoice_is_sent_as_it_is_written(portal: Any, asked: Others) -> None:
    asked.tell("GET", "/invoices/12", 200, INVOICE)
    typed = {**FORM, "invoice_number": "", "invoice_typed": " # 12 "}
    assert portal.staff().post("/payments/add", typed, page="/payments/add").status_code == 303
    assert asked.last("/payments")["body"]["invoice_number"] == "INV-000012"


def test_the_form_knows_its_client_and_their_invoices(portal: Any, asked: Others) -> None:
    sam = portal.staff()
    sam.get("/payments")
    page = sam.get("/payments/add?client_id=c1&invoice_number=INV-000012")
    assert (page.status_code, calls(page)) == (200, 1)
    assert '<option value="INV-000012" data-amount="45.00" selected>' in page.text
    assert 'value="Ada Lovelace"' in page.text
    assert BALANCE["in_words"] in page.text
    assert re.search(r'id="invoice_typed"[^>]* disabled', page.text)
    page = sam.get("/payments/add")
    assert (page.status_code, calls(page)) == (200, 0)
    assert re.search(r'id="invoice_number"[^>]* disabled', page.text)
    assert sam.get("/payments/add?client_id=gone").status_code == 404


def test_a_script_asks_for_the_same_panel(portal: Any, asked: Others) -> None:
    sam = portal.staff()
    answer = sam.get("/payments/add/client?client_id=c1", headers={"Accept": "application/json"})
    assert str(BALANCE["in_words"]) in answer.json["panel"]
    assert 'data-amount="45.00"' in answer.json["invoices"]
    asked.tell("GET", "/clients/c1/overview", 503, {"code": "billing_unavailable", "detail": "away"})
    answer = sam.get("/payments/add/client?client_id=c1", headers={"Accept": "application/json"})
    assert answer.status_code == 503


# --- one payment ---


def test_a_payment_by_hand_says_everything_and_offers_what_can_be_done(portal: Any, asked: Others) -> None:
    asked.tell("GET", "/payments/p1", 200, {**PAYMENT, "batch_id": "b9"})
    asked.tell("GET", "/payments/p1/refunds", 200, {"items": [REFUND], "next_cursor": None})
    sam = portal.staff()
    sam.get("/payments")
    page = sam.get("/payments/p1")
    assert (page.status_code, calls(page)) == (200, 3)
    for shown in (
        "Receipt no. 7", "Ada Lovelace", "24 Nov 2026", "Check", "INV-000012", "R-9", "For piano", "Typed by staff",
        "25 Nov 2026, 10:00 by Sam Staff", "/payments?batch_id=b9", "Paid twice", "given back",
        'value="ada@home.example"',
        "data-print", "/payments/p1/receipt.pdf", "/payments/p1/void", 'value="45.00"',
    ):  # fmt: skip
        assert shown in page.text, shown
    assert "Fee of" not in page.text


def test_a_payment_by_card_shows_its_gateway_and_cannot_be_voided(portal: Any, asked: Others) -> None:
    held = {**BY_CARD, "status": "disputed", "disputed_minor": 4500, "receipt_revision": 2}
    asked.tell("GET", "/payments/p2", 200, held)
    asked.tell("GET", "/payments/p2/disputes", 200, {"items": [DISPUTE], "next_cursor": None})
    sam = portal.staff()
    sam.get("/payments")
    page = sam.get("/payments/p2")
    assert (page.status_code, calls(page)) == (200, 4)
    for shown in (
        "pi_9", "Fee of Stripe", "$1.61", "Saved card", "version 2", "product not received",
        "$45.00 taken on 25 Nov 2026",
        "$45.00 is held back until that is decided",
    ):  # fmt: skip
        assert shown in page.text, shown
    for offered in ("/payments/p2/void", "/payments/p2/refund"):
        assert offered not in page.text
    assert sam.get("/payments/p2/void").status_code == 404


def test_a_payment_does_without_its_secondary_facts(portal: Any, asked: Others) -> None:
    asked.tell("GET", "/clients/c1", 503, {"code": "billing_unavailable", "detail": "away"})
    page = portal.staff().get("/payments/p1")
    assert page.status_code == 200
    assert "Left empty, it goes to the client" in page.text


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ({"to": "ada@home.example", "own": "ada@home.example"}, {}), ({"to": "", "own": "ada@home.example"}, {}),
        ({"to": ""}, {}), ({"to": " acc@firm.example ", "own": "ada@home.example"}, {"to": "acc@firm.example"}),
    ],
)  # fmt: skip
def test_the_receipt_goes_where_it_is_told(
    portal: Any, asked: Others, typed: dict[str, str], sent: dict[str, str]
) -> None:  # fmt: skip
    sam = portal.staff()
    form = {**typed, "attempt": "a1"}
    answer = sam.post("/payments/p1/email", form, page="/payments/p1")
    assert answer.headers["Location"] == "/payments/p1?said=receipt_emailed"
    first = asked.last("/payments/p1/receipt/email")
    assert first["body"] == sent
    sam.post("/payments/p1/email", form, page="/payments/p1")
    assert asked.last("/payments/p1/receipt/email")["key"] == first["key"]


def test_without_any_address_no_receipt_is_sent(portal: Any, asked: Others) -> None:
    asked.tell("GET", "/clients/c1", 200, {**CLIENT, "email": None})
    sam = portal.staff()
    assert "has no e-mail address" in sam.get("/payments/p1").text
    shown = sam.post("/payments/p1/email", {"to": "", "own": ""}, page="/payments/p1")
    assert shown.status_code == 422
    assert 'id="to-wrong"' in shown.text
    error = {"field": "to", "message": "this is not an e-mail address"}
    asked.tell("POST", "/payments/p1/receipt/email", 422, {"code": "x", "detail": "It was refused.", "errors": [error]})
    shown = sam.post("/payments/p1/email", {"to": "ada@", "own": ""}, page="/payments/p1")
    assert "This is not an e-mail address." in shown.text
    assert 'value="ada@"' in shown.text


@pytest.mark.parametrize(("status", "said"), [("succeeded", "refund_done"), ("pending", "refund_under_way")])
def test_a_part_is_given_back_once(portal: Any, asked: Others, status: str, said: str) -> None:
    asked.tell("POST", "/payments/p1/refunds", 201, {**REFUND, "status": status})
    sam = portal.staff()
    form = {"amount": "5.00", "reason": "Paid twice", "attempt": "a1"}
    answer = sam.post("/payments/p1/refund", form, page="/payments/p1")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/payments/p1?said={said}")
    first = asked.last("/payments/p1/refunds")
    if first["method"] != "POST":
        first = next(call for call in asked.asked if call["method"] == "POST" and call["path"].endswith("/refunds"))
    assert first["body"] == {"amount_minor": 500, "reason": "Paid twice"}
    assert "payments:refund" in first["claims"]["scope"]
    sam.post("/payments/p1/refund", form, page="/payments/p1")
    again = [call for call in asked.asked if call["method"] == "POST" and call["path"].endswith("/refunds")][-1]
    assert again["key"] == first["key"]


def test_a_refund_under_way_is_shown_as_such(portal: Any, asked: Others) -> None:
    asked.tell("GET", "/payments/p2", 200, {**BY_CARD, "refund_pending_minor": 500})
    asked.tell("GET", "/payments/p2/refunds", 200, {"items": [{**REFUND, "status": "pending"}], "next_cursor": None})
    page = portal.staff().get("/payments/p2").text
    for shown in ("$5.00 is on its way back; Stripe has not confirmed it yet.", "under way", "$40.00", 'value="40.00"'):
        assert shown in page, shown


def test_a_refund_that_is_too_much_is_refused_in_words(portal: Any, asked: Others) -> None:
    refused = {
        "code": "refund_exceeds_payment", "detail": "At most 4000 (minor units) can still be given back.",
        "errors": [{"field": "amount_minor", "message": "at most 4000 (minor units)"}],
    }  # fmt: skip
    asked.tell("POST", "/payments/p1/refunds", 422, refused)
    asked.tell("GET", "/payments/p1", 200, {**PAYMENT, "status": "partially_refunded", "refunded_minor": 500})
    sam = portal.staff()
    sam.get("/payments")
    shown = sam.post("/payments/p1/refund", {"amount": "45", "reason": "Paid twice"}, page="/payments/p1")
    assert (shown.status_code, calls(shown) <= 5) == (422, True)
    assert "At most $40.00 can still be given back." in shown.text
    assert "minor units" not in shown.text
    assert '<details class="asks" open>' in shown.text
    assert 'value="Paid twice"' in shown.text
    asked.tell("GET", "/payments/p1", 200, {**PAYMENT, "status": "refunded", "refunded_minor": 4500})
    shown = sam.post("/payments/p1/refund", {"amount": "45", "reason": "Paid twice"}, page="/payments/add")
    assert "nothing of this payment is left" in shown.text


def test_when_nobody_knows_whether_it_was_given_back_the_same_attempt_asks_again(portal: Any, asked: Others) -> None:
    asked.tell("POST", "/payments/p1/refunds", 503, {"code": "payments_unavailable", "detail": "away"})
    form = {"amount": "5", "reason": "Paid twice", "attempt": "a1"}
    shown = portal.staff().post("/payments/p1/refund", form, page="/payments/p1")
    assert shown.status_code == 503
    assert "It is not known whether it was given back" in shown.text
    assert 'name="attempt" value="a1"' in shown.text
    assert 'value="Paid twice"' in shown.text


def test_a_refund_without_an_amount_or_a_reason_is_not_asked_for(portal: Any, asked: Others) -> None:
    shown = portal.staff().post("/payments/p1/refund", {"amount": "0", "reason": " "}, page="/payments/p1")
    assert shown.status_code == 422
    assert 'id="amount-wrong"' in shown.text
    assert 'id="reason-wrong"' in shown.text
    assert writes(asked) == []


def test_a_payment_is_voided_after_it_was_asked_once_more(portal: Any, asked: Others) -> None:
    asked.tell("POST", "/payments/p1/void", 200, {**PAYMENT, "status": "voided"})
    sam = portal.staff()
    page = sam.get("/payments/p1/void").text
    for shown in ("$45.00 is taken off the balance of Ada Lovelace again.", "invoice INV-000012 is asked for again"):
        assert shown in page, shown
    assert writes(asked) == []
    shown = sam.post("/payments/p1/void", {"reason": ""}, page="/payments/p1/void")
    assert (shown.status_code, writes(asked)) == (422, [])
    form = {"reason": "Typed twice", "attempt": "a1"}
    done = sam.post("/payments/p1/void", form, page="/payments/p1/void")
    assert done.headers["Location"] == "/payments/p1?said=payment_voided"
    first = writes(asked)[-1]
    assert first["body"] == {"reason": "Typed twice"}
    sam.post("/payments/p1/void", form, page="/payments/p1/void")
    assert writes(asked)[-1]["key"] == first["key"]
    conflict = {"code": "payment_refunded", "detail": "Part of this payment was given back; refund the rest instead."}
    asked.tell("POST", "/payments/p1/void", 409, conflict)
    shown = sam.post("/payments/p1/void", form, page="/payments/p1/void")
    assert shown.status_code == 409
    assert "refund the rest instead" in shown.text


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "voided", "void_reason": "Typed twice."}, {"refunded_minor": 1, "status": "partially_refunded"},
        {"refund_pending_minor": 1}, {"gateway": "stripe"},
    ],
)  # fmt: skip
def test_only_what_is_untouched_and_by_hand_can_be_voided(changes: Mapping[str, Any]) -> None:
    assert words.can_be_voided(PAYMENT)
    assert not words.can_be_voided({**PAYMENT, **changes})


@pytest.mark.parametrize(
    ("changes", "left_minor", "said"),
    [
        ({}, 4500, ""),
        (
            {"status": "voided", "void_reason": "Typed twice."}, 0,
            "Void: it was recorded by mistake, and counts no more. Why: Typed twice.",
        ),
        ({"status": "refunded", "refunded_minor": 4500}, 0, "All of it was given back."),
        ({"status": "partially_refunded", "refunded_minor": 500}, 4000, "$5.00 of it was given back."),
        ({"status": "charged_back", "disputed_minor": 4500}, 0, "The dispute was lost: $45.00 went back to the payer."),
        ({"status": "disputed"}, 4500, "The payer disputes it. No money was held back so far."),
    ],
)  # fmt: skip
def test_what_became_of_a_payment_in_words(changes: dict[str, Any], left_minor: int, said: str) -> None:
    payment = {**PAYMENT, **changes}
    assert (words.left_minor(payment), words.in_words(payment)) == (left_minor, said)


def test_a_gateways_own_number_is_no_reference() -> None:
    assert words.own_reference(PAYMENT) == "R-9"
    assert words.own_reference({**BY_CARD, "reference": "pi_9"}) == ""
    assert words.own_reference({**PAYMENT, "reference": None}) == ""
