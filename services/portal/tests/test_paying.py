"""Paying: what is begun for whom, what the answers say, and pay links."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from common import auth
from common.pay_link import PayLinks
from portal.domain import outcomes
from services.portal.tests.others import BUSINESS, INTENT, INVOICE, STRIPE, Others
from services.portal.tests.support import Portal

JSON = {"Accept": "application/json"}
PAYMENT = {
    "id": "p1", "client_id": "c1", "amount_minor": 4500, "currency": "USD", "receipt_number": 7, "status": "recorded",
    "method": "card", "received_on": "2026-11-25",
}  # fmt: skip


def begin(visitor: Any, page: str = "/home", path: str = "/home/pay", **data: str) -> Any:
    return visitor.post(path, {"attempt": "a1", **data}, page=page, headers=JSON)


def test_a_client_begins_a_payment(portal: Any, others: Others) -> None:
    ada = portal.client()
    begun = begin(ada, amount="45.00")
    assert begun.status_code == 200, begun.text
    assert begun.json["money"] == "$45.00"
    assert begun.json["return_path"] == "/home/paid?payment_intent=pi_1"
    asked = others.last("/stripe/payment-intents")
    assert asked["claims"]["actor"] == {"type": "client", "id": "c1", "name": "Ada Lovelace"}
    assert asked["claims"]["business"] == "b1"
    assert asked["claims"]["scope"] == "gateway:charge"
    assert asked["claims"]["exp"] - asked["claims"]["iat"] == 300
    assert (asked["body"]["client_id"], asked["body"]["amount_minor"]) == ("c1", 4500)
    first_key = asked["key"]
    begin(ada, amount="45.00")
    assert others.last("/stripe/payment-intents")["key"] == first_key  # the same attempt begins one payment
    begin(ada, amount="46.00")
    assert others.last("/stripe/payment-intents")["key"] != first_key


def test_an_invoice_says_its_own_amount(portal: Any, others: Others) -> None:
    ada = portal.client()
    assert begin(ada, invoice="INV-000012", amount="1.00").json["money"] == "$45.00"
    asked = others.last("/stripe/payment-intents")["body"]
    assert (asked["amount_minor"], asked["invoice_number"]) == (4500, "INV-000012")
    others.tell("GET", "/invoices/INV-000012", 200, {**INVOICE, "status": "paid", "outstanding_minor": 0})
    assert begin(ada, invoice="INV-000012").status_code == 422
    others.tell("GET", "/invoices/INV-000012", 200, {**INVOICE, "client_id": "c2"})
    assert begin(ada, invoice="INV-000012").status_code == 404


@pytest.mark.parametrize("amount", ["", "0", "-5", "4.555", "a lot", "1e3"])
def test_what_is_no_amount(portal: Any, others: Others, amount: str) -> None:
    refused = begin(portal.client(), amount=amount)
    assert refused.status_code == 422
    assert refused.json["detail"]
    assert all(asked["path"] != "/stripe/payment-intents" for asked in others.asked)


def test_what_was_paid_already_is_not_paid_again(portal: Any, others: Others) -> None:
    others.is_repeat = True
    assert begin(portal.client(), amount="45").json == {"go_to": "/home/paid?payment_intent=pi_1"}


def test_the_way_back_asks_and_does_not_believe(portal: Any, others: Others) -> None:
    ada = portal.client()
    others.tell("POST", "/stripe/payment-intents/pi_1/sync", 200, {"status": "requires_payment_method"})
    page = ada.get("/home/paid?payment_intent=pi_1&redirect_status=succeeded")
    assert "Not paid" in page.text
    others.tell("POST", "/stripe/payment-intents/pi_1/sync", 200, {"status": "succeeded"})
    assert ada.get("/home/paid?payment_intent=pi_1", headers=JSON).json["is_final"] is False  # not recorded yet
    others.tell("GET", "/payments/by-gateway/stripe/pi_1", 200, PAYMENT)
    state = ada.get("/home/paid?payment_intent=pi_1", headers=JSON).json
    assert (state["is_final"], state["detail"]) == (True, "$45.00 was paid. Thank you.")
    assert state["receipt"]["url"] == "/payments/p1/receipt.pdf"
    assert others.last("/stripe/payment-intents/pi_1/sync")["claims"]["actor"]["id"] == "c1"
    for bad in ("", "..", "pi_1/../x", "pi_other"):
        assert ada.get("/home/paid", query_string={"payment_intent": bad}).status_code == 404


ORDERS = "/stripe/mail-and-telephone-orders"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"status": "succeeded", "payment_intent_id": "pi_1"}, {"go_to": "/assist/c1/paid?payment_intent=pi_1"}),
        (
            {"status": "declined", "decline_code": "stolen_card", "detail": "No."},
            {"words": "Declined. No. Reason: stolen card. Nothing was charged.", "is_final": True, "finish_url": None},
        ),
        (
            {"status": "authentication_required", "authenticate_url": "https://x.example/pay", "detail": "."},
            {"is_final": True, "finish_url": "https://x.example/pay"},
        ),
        ({"status": "unknown", "detail": "Silent."}, {"is_final": False, "finish_url": None}),
    ],
)
def test_a_telephone_order(portal: Any, others: Others, answer: dict[str, Any], expected: dict[str, Any]) -> None:
    others.tell("GET", "/stripe", 200, {**STRIPE, "mail_and_telephone_orders": True})
    others.tell("POST", ORDERS, 201, answer)
    sam = portal.staff()
    begun = begin(sam, "/assist/c1", "/assist/c1/pay", amount="45").json
    assert begun == {
        "publishable_key": "pk_test_x", "money": "$45.00", "amount_minor": 4500, "currency": "usd",
        "order_path": "/assist/c1/order",
    }  # fmt: skip
    assert all(asked["path"] != "/stripe/payment-intents" for asked in others.asked)
    typed = {"amount": "45", "payment_method": "pm_9", "amount_minor": "4500"}
    said = begin(sam, "/assist/c1", begun["order_path"], **typed).json
    assert said.items() >= expected.items()
    asked = others.last(ORDERS)
    assert (asked["body"]["payment_method_id"], asked["claims"]["actor"]["type"]) == ("pm_9", "staff")
    begin(sam, "/assist/c1", begun["order_path"], **typed)
    assert others.last(ORDERS)["key"] == asked["key"]
    begin(sam, "/assist/c1", begun["order_path"], **{**typed, "payment_method": "pm_10"})
    assert others.last(ORDERS)["key"] != asked["key"]


def test_a_telephone_order_of_another_amount_than_was_shown(portal: Any, others: Others) -> None:
    others.tell("GET", "/invoices/INV-000012", 200, {**INVOICE, "outstanding_minor": 4000})
    typed = {"invoice": "INV-000012", "payment_method": "pm_9", "amount_minor": "4500"}
    refused = begin(portal.staff(), "/assist/c1", "/assist/c1/order", **typed)
    assert refused.status_code == 422
    assert "$40.00" in refused.json["detail"]
    assert all(asked["path"] != ORDERS for asked in others.asked)


def test_a_business_that_takes_no_cards(portal: Any, others: Others) -> None:
    others.tell("GET", "/stripe", 200, {**STRIPE, "allow_client_initiated_payments": False})
    ada = portal.client()
    assert "does not take payments here" in ada.get("/home").text
    others.tell("GET", "/stripe", 503, {"code": "x", "detail": "away"})
    assert ada.get("/home").status_code == 200


def test_a_service_that_is_away_is_said_so(portal: Any, others: Others) -> None:
    ada = portal.client()
    others.tell("GET", "/payments", 503, {"code": "x", "detail": "away"})
    page = ada.get("/home")
    assert page.status_code == 200
    assert "Payments and receipts cannot be shown right now" in page.text
    assert "has $30.00 left" in page.text  # the rest of it is there
    others.tell("GET", "/clients/c1/overview", 503, {"code": "x", "detail": "away"})
    page = ada.get("/home")
    assert page.status_code == 503
    assert "Clients, balances, sessions and invoices cannot be shown right now" in page.text
    assert "Harmony Music School" in page.text  # which business it is was known before
    assert "contact <strong>whoever runs Remit for you" in page.text


def test_a_receipt_is_fetched_for_whoever_asks(portal: Any, others: Others) -> None:
    others.tell("GET", "/payments/p1/receipt.pdf", 200, "%PDF")
    receipt = portal.client().get("/payments/p1/receipt.pdf")
    assert receipt.content_type == "application/pdf"
    assert others.last("/payments/p1/receipt.pdf")["claims"]["actor"]["id"] == "c1"
    assert portal.visitor().get("/payments/p1/receipt.pdf").status_code == 303
    others.tell("GET", "/payments/p2/receipt.pdf", 404, "There is no such payment.")
    assert portal.staff().get("/payments/p2/receipt.pdf").status_code == 404


def test_without_scripts_nothing_is_begun(portal: Any, others: Others) -> None:
    answer = portal.client().post("/home/pay", {"attempt": "a1", "amount": "45"}, page="/home")
    assert answer.status_code == 422
    assert "needs JavaScript" in answer.text
    assert all(asked["path"] != "/stripe/payment-intents" for asked in others.asked)


def test_staff_and_clients_keep_to_their_pages(portal: Any) -> None:
    ada, sam = portal.client(), portal.staff()
    assert ada.get("/assist").status_code == 404
    assert sam.get("/home").status_code == 404
    assert begin(ada, page="/home", path="/assist/c1/pay", amount="45").status_code == 404


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": "succeeded", "payment_intent_id": "pi_1"}, "Succeeded"),
        ({"status": "declined", "detail": "Too little.", "decline_code": "insufficient_funds"}, "insufficient funds"),
        ({"status": "authentication_required", "detail": "x", "decline_code": "y"}, "Needs the client"),
        ({"status": "authentication_required", "authenticate_url": "https://remit.example/pay/9"}, 'pay/9">Open the'),
        ({"status": "unknown", "detail": "Stripe did not answer."}, "Ask again"),
    ],
)
def test_one_click(portal: Any, others: Others, answer: dict[str, str], words: str) -> None:
    sam = portal.staff()
    assert "Ada Lovelace" in sam.get("/assist?q=ada").text
    others.tell("POST", "/stripe/charges", 201, answer)
    page = "/assist/c1"
    data = {"amount": "45", "attempt": "a9", "card": "pm_1"}
    shown = sam.post("/assist/c1/charge", data, page=page)
    assert shown.status_code == 200
    assert words in shown.text
    asked = others.last("/stripe/charges")
    assert (asked["claims"]["actor"]["type"], asked["claims"]["actor"]["name"]) == ("staff", "Sam Staff")
    assert asked["body"]["payment_method_id"] == "pm_1"
    assert ("Type a card" in shown.text) == (answer["status"] != "unknown")
    if answer["status"] == "unknown":
        again = sam.post("/assist/c1/charge", data, page=page)
        assert "Ask again" in again.text
        assert others.last("/stripe/charges")["key"] == asked["key"]
        assert 'value="a9"' in shown.text


def test_no_card_is_charged_unnamed(portal: Any, others: Others) -> None:
    sam = portal.staff()
    assert sam.post("/assist/c1/charge", {"amount": "45"}, page="/assist/c1").status_code == 422
    assert all(asked["path"] != "/stripe/charges" for asked in others.asked)


@pytest.mark.parametrize(
    ("status", "tone", "is_final"),
    [
        ("succeeded", "good", True),
        ("processing", "wait", False),
        ("authentication_required", "bad", True),
        ("requires_payment_method", "bad", True),
        ("canceled", "bad", True),
    ],
)
def test_every_state_has_words(status: str, tone: str, is_final: bool) -> None:
    outcome = outcomes.on_page(status, "$45.00", to_payer=True)
    assert (outcome.tone, outcome.is_final) == (tone, is_final)
    assert outcome.detail.endswith(".")


# --- pay links ---


def link_of(portal: Any, amount_minor: int = 1500, invoice: str | None = None, key: str = "billing") -> str:
    signer = auth.Signer(portal.runtime.settings.auth_jwks_file.parent / f"{key}.key.json")
    return PayLinks("", signer).to("b1", "c1", amount_minor, invoice)


def test_a_pay_link_pays_its_amount_once(portal: Any, others: Others) -> None:
    path = link_of(portal)
    anybody = portal.visitor()
    page = anybody.get(path)
    assert page.status_code == 200
    assert BUSINESS["name"] in page.text
    assert "$15.00" in page.text
    assert "has $30.00 left" not in page.text  # a link tells nothing of the balance
    query = path.partition("?")[2]
    begun = begin(anybody, page=path, path="/pay", link=query, amount="1.00")
    assert begun.json["money"] == "$15.00"
    asked = others.last("/stripe/payment-intents")
    assert (asked["claims"]["actor"]["type"], asked["claims"]["actor"]["id"]) == ("client", "c1")
    done = anybody.get(begun.json["return_path"])
    assert "Payment received" in done.text
    begin(portal.visitor(), page=path, path="/pay", link=query)
    assert others.last("/stripe/payment-intents")["key"] == asked["key"]
    others.tell("POST", "/stripe/payment-intents/pi_1/sync", 200, {"status": "canceled"})
    others.is_repeat = True
    begin(portal.visitor(), page=path, path="/pay", link=query)
    assert others.last("/stripe/payment-intents")["key"] != asked["key"]  # Stripe gave the first one up


def test_a_changed_pay_link_opens_nothing(portal: Any, others: Others) -> None:
    path = link_of(portal)
    query = path.partition("?")[2]
    facts = dict(parse_qsl(query))
    changed = [
        query.replace("1500", "100"), query.replace("client=c1", "client=c2"),
        query.replace("business=b1", "business=b2"),
        query[:-4] + "AAAA", "", urlencode({**facts, "signature": ""}),
        link_of(portal, key="portal").partition("?")[2],
        link_of(portal, key="operator").partition("?")[2],
    ]  # fmt: skip
    anybody = portal.visitor()
    for query in changed:
        assert anybody.get(f"/pay?{query}").status_code == 404, query
        assert begin(anybody, page=path, path="/pay", link=query).status_code == 404, query
        assert anybody.get("/pay/done", query_string={"link": query, "payment_intent": "pi_1"}).status_code == 404
    assert all(asked["body"] is None for asked in others.asked)
    assert INTENT["payment_intent_id"] == "pi_1"


def test_a_pay_link_of_a_paid_invoice(portal: Any, others: Others) -> None:
    path = link_of(portal, 4500, "INV-000012")
    assert "Pay $45.00 by card" in portal.visitor().get(path).text
    others.tell("GET", "/invoices/INV-000012", 200, {**INVOICE, "status": "paid", "outstanding_minor": 0})
    page = portal.visitor().get(path)
    assert "is not waiting to be paid" in page.text
    assert "Pay $45.00" not in page.text


def test_a_pay_link_of_a_partly_paid_invoice_asks_for_what_is_left(portal: Any, others: Others) -> None:
    path = link_of(portal, 4500, "INV-000012")
    query = path.partition("?")[2]
    others.tell("GET", "/invoices/INV-000012", 200, {**INVOICE, "paid_minor": 3000, "outstanding_minor": 1500})
    anybody = portal.visitor()
    page = anybody.get(path).text
    assert "Pay $15.00 by card" in page
    assert "$45.00" not in page
    assert begin(anybody, page=path, path="/pay", link=query).json["money"] == "$15.00"
    asked = others.last("/stripe/payment-intents")["body"]
    assert (asked["amount_minor"], asked["invoice_number"]) == (1500, "INV-000012")
    others.tell("GET", "/invoices/INV-000012", 200, {**INVOICE, "outstanding_minor": 9000})
    assert "Pay $45.00 by card" in portal.visitor().get(path).text  # never more than it was sent for


def test_a_pay_link_of_a_part_asks_for_no_other_part(portal: Any, others: Others) -> None:
    """30.00 of 45.00, as the client had 15.00 left; the 30.00 are paid, and the 15.00 are not applied yet."""
    path = link_of(portal, 3000, "INV-000012")
    assert "Pay $30.00 by card" in portal.visitor().get(path).text
    others.tell("GET", "/invoices/INV-000012", 200, {**INVOICE, "paid_minor": 3000, "outstanding_minor": 1500})
    page = portal.visitor().get(path)
    assert "has been paid in part since this link was sent" in page.text
    assert "by card" not in page.text
    refused = begin(portal.visitor(), page="/sign-in", path="/pay", link=path.partition("?")[2])
    assert refused.status_code in (409, 422)


def test_a_pay_link_of_a_partly_paid_invoice_leaves_for_paypal_with_what_is_left(
    tmp_path: Path, others: Others
) -> None:
    portal = Portal(tmp_path, others, GATEWAY_PAYPAL_URL=others.url)
    path = link_of(portal, 4500, "INV-000012")
    others.tell("GET", "/invoices/INV-000012", 200, {**INVOICE, "paid_minor": 3000, "outstanding_minor": 1500})
    others.tell("GET", "/paypal", 200, {"is_ready": True, "allow_client_initiated_payments": True})
    checkout = {"checkout_id": "k1", "method": "GET", "action_url": "https://paypal.example/k1", "fields": {}}
    others.tell("POST", "/paypal/checkouts", 201, checkout)
    anybody = portal.visitor()
    assert "Pay $15.00 with PayPal" in anybody.get(path).text
    left = anybody.post("/pay/paypal", {"link": path.partition("?")[2]}, page=path)
    portal.service.close()
    assert "Paying $15.00" in left.text
    asked = others.last("/paypal/checkouts")["body"]
    assert (asked["amount_minor"], asked["invoice_number"]) == (1500, "INV-000012")


def test_pay_assist_begins_with_the_invoice_that_a_link_names(portal: Any, others: Others) -> None:
    _, found = others.answers["GET", "/clients/c1/overview"]
    invoices = [INVOICE, {**INVOICE, "id": "i2", "number": "INV-000013"}]
    others.tell("GET", "/clients/c1/overview", 200, {**found, "invoices": invoices})
    sam = portal.staff()
    assert 'value="INV-000012" checked' in sam.get("/assist/c1").text
    assert 'value="INV-000013" checked' in sam.get("/assist/c1?invoice=INV-000013").text
