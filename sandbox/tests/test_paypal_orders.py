"""Orders v2, captures, refunds and the report, over HTTP."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from paypal_driver import CANCEL, PAYER, RETURN, SECONDS, Merchant


def issue(answer: requests.Response) -> tuple[int, str]:
    body = answer.json()
    assert set(body) >= {"name", "message", "details", "debug_id"}
    return answer.status_code, body["details"][0]["issue"]


def test_from_order_to_capture(merchant: Merchant) -> None:
    own = merchant.another()
    order = own.order(custom_id="token-1", invoice_id="INV-1", description="Lessons")
    assert order["status"] == "PAYER_ACTION_REQUIRED"
    way = next(link["href"] for link in order["links"] if link["rel"] == "payer-action")
    assert way == f"{own.base}/checkoutnow?token={order['id']}"
    shown = requests.get(way, timeout=SECONDS)
    for word in ("45.00 EUR", "Lessons", "Agree and continue", "Cancel and return", "Card that is declined"):
        assert word in shown.text
    assert "script-src" not in shown.headers["Content-Security-Policy"]
    assert issue(own.capture(order["id"])) == (422, "ORDER_NOT_APPROVED")
    back = own.approve(order["id"])
    assert back.status_code == 303
    place = urlsplit(back.headers["Location"])
    assert f"{place.scheme}://{place.netloc}{place.path}" == RETURN
    query = parse_qs(place.query)
    assert query["token"] == [order["id"]]
    approved = own.ask("GET", f"/v2/checkout/orders/{order['id']}").json()
    assert (approved["status"], approved["payer"]["payer_id"]) == ("APPROVED", query["PayerID"][0])
    done = own.capture(order["id"])
    assert (done.status_code, done.json()["status"]) == (201, "COMPLETED")
    assert done.json()["payer"]["email_address"] == PAYER["email"]
    assert done.json()["payer"]["name"] == {"given_name": "Ada", "surname": "Byron"}
    capture = done.json()["purchase_units"][0]["payments"]["captures"][0]
    assert capture["amount"] == {"currency_code": "EUR", "value": "45.00"}
    breakdown = {name: money["value"] for name, money in capture["seller_receivable_breakdown"].items()}
    assert breakdown == {"gross_amount": "45.00", "paypal_fee": "1.61", "net_amount": "43.39"}
    assert (capture["custom_id"], capture["invoice_id"]) == ("token-1", "INV-1")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", capture["create_time"])
    assert own.ask("GET", f"/v2/payments/captures/{capture['id']}").json() == capture
    assert issue(own.capture(order["id"])) == (422, "ORDER_ALREADY_CAPTURED")
    assert "paid already" in requests.get(way, timeout=SECONDS).text
    kept = own.transactions()
    assert [(found["txn_id"], found["kind"], found["status"]) for found in kept] == [
        (capture["id"], "capture", "Completed")
    ]


def test_canceled_by_the_payer(merchant: Merchant) -> None:
    order = merchant.another().order()
    assert merchant.approve(order["id"], action="cancel").headers["Location"] == f"{CANCEL}?token={order['id']}"
    assert requests.get(f"{merchant.base}/checkoutnow?token=NO", timeout=SECONDS).status_code == 404


def test_without_a_payment_source(merchant: Merchant) -> None:
    wanted = {"intent": "CAPTURE", "purchase_units": [{"amount": {"currency_code": "JPY", "value": "5000"}}],
              "application_context": {"return_url": RETURN, "cancel_url": CANCEL}}  # fmt: skip
    made = merchant.ask("POST", "/v2/checkout/orders", wanted).json()
    assert made["status"] == "CREATED"
    assert "approve" in [link["rel"] for link in made["links"]]
    merchant.approve(made["id"])
    capture = merchant.capture(made["id"]).json()["purchase_units"][0]["payments"]["captures"][0]
    assert capture["seller_receivable_breakdown"]["paypal_fee"] == {"currency_code": "JPY", "value": "185"}


def test_the_same_request_twice(merchant: Merchant) -> None:
    own = merchant.another()
    first = own.order("order-1")
    assert own.order("order-1")["id"] == first["id"]
    assert own.order("order-2")["id"] != first["id"]
    assert merchant.another().order("order-1")["id"] != first["id"]
    assert issue(own.capture(first["id"], "capture-1")) == (422, "ORDER_NOT_APPROVED")
    own.approve(first["id"])
    done = own.capture(first["id"], "capture-1")
    again = own.capture(first["id"], "capture-1")
    assert (done.status_code, again.status_code) == (201, 200)
    assert again.json() == done.json()
    assert issue(own.capture(first["id"], "capture-2")) == (422, "ORDER_ALREADY_CAPTURED")
    assert len(own.transactions()) == 1


def test_the_same_request_many_times_at_once(merchant: Merchant) -> None:
    own = merchant.another()
    order = own.order()
    own.approve(order["id"])
    with ThreadPoolExecutor(8) as pool:
        orders = set(pool.map(lambda _: own.order("order-1")["id"], range(16)))
        captures = {answer.text for answer in pool.map(lambda _: own.capture(order["id"], "capture-1"), range(16))}
    assert len(orders) == len(captures) == len(own.transactions()) == 1


def test_declined_and_then_another_card(merchant: Merchant) -> None:
    own = merchant.another()
    order = own.order()
    own.approve(order["id"], "declined")
    refused = own.capture(order["id"], "capture-1")
    assert issue(refused) == (422, "INSTRUMENT_DECLINED")
    assert refused.json()["links"][0]["rel"] == "redirect"
    own.approve(order["id"])
    assert own.capture(order["id"], "capture-1").status_code == 201


@pytest.mark.parametrize(("action", "status"), [("clear", "COMPLETED"), ("bounce", "DECLINED"), ("deny", "DECLINED")])
def test_an_echeck(merchant: Merchant, action: str, status: str) -> None:
    own = merchant.another()
    capture = own.captured("echeck")
    assert (capture["status"], capture["status_details"]) == ("PENDING", {"reason": "ECHECK"})
    early = own.ask("POST", f"/v2/payments/captures/{capture['id']}/refund", {})
    assert issue(early) == (422, "CAPTURE_STATUS_NOT_VALID")
    own.act(capture["id"], action)
    now = own.ask("GET", f"/v2/payments/captures/{capture['id']}").json()
    assert now["status"] == status
    assert "status_details" not in now


def test_an_invoice_is_captured_once(merchant: Merchant) -> None:
    own = merchant.another()
    own.captured(invoice_id="INV-1")
    order = own.order(invoice_id="INV-1")
    own.approve(order["id"])
    assert issue(own.capture(order["id"])) == (422, "DUPLICATE_INVOICE_ID")
    assert own.open(invoice="INV-1").status_code == 409


def test_refunds(merchant: Merchant) -> None:
    own = merchant.another()
    capture = own.captured(invoice_id="INV-1", custom_id="token-1")
    path = f"/v2/payments/captures/{capture['id']}/refund"

    def refund(request_id: str, **wanted: Any) -> requests.Response:
        return own.ask("POST", path, wanted, headers={"PayPal-Request-Id": request_id})

    part = {"amount": {"currency_code": "EUR", "value": "15.00"}, "custom_id": "refund-1", "note_to_payer": "Sorry"}
    first = refund("r-1", **part)
    assert (first.status_code, first.json()["status"]) == (201, "COMPLETED")
    assert first.json()["amount"] == part["amount"]
    assert (first.json()["custom_id"], first.json()["invoice_id"]) == ("refund-1", "INV-1")
    assert refund("r-1", **part).json() == first.json()
    assert own.ask("GET", f"/v2/payments/refunds/{first.json()['id']}").json() == first.json()
    up = next(link["href"] for link in first.json()["links"] if link["rel"] == "up")
    assert up.endswith(capture["id"])
    over = refund("r-2", amount={"currency_code": "EUR", "value": "30.01"})
    assert issue(over) == (422, "REFUND_AMOUNT_EXCEEDED")
    wrong = refund("r-3", amount={"currency_code": "USD", "value": "1.00"})
    assert issue(wrong) == (422, "REFUND_CAPTURE_CURRENCY_MISMATCH")
    assert own.ask("GET", f"/v2/payments/captures/{capture['id']}").json()["status"] == "PARTIALLY_REFUNDED"
    rest = refund("r-4").json()
    assert rest["amount"]["value"] == "30.00"
    assert rest["seller_payable_breakdown"]["total_refunded_amount"]["value"] == "45.00"
    assert issue(refund("r-5")) == (422, "CAPTURE_FULLY_REFUNDED")
    assert own.ask("GET", f"/v2/payments/captures/{capture['id']}").json()["status"] == "REFUNDED"
    assert [found["amount"] for found in own.transactions()] == ["45.00", "-15.00", "-30.00"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"intent": "AUTHORIZE"}, (400, "INVALID_PARAMETER_VALUE")),
        ({"purchase_units": []}, (400, "MISSING_REQUIRED_PARAMETER")),
        ({"purchase_units": [{}]}, (400, "MISSING_REQUIRED_PARAMETER")),
        ({"purchase_units": [{"amount": "5"}]}, (400, "INVALID_PARAMETER_SYNTAX")),
        ({"purchase_units": [{"amount": {"currency_code": "EUR", "value": "5.001"}}]}, (422, "DECIMAL_PRECISION")),
        ({"purchase_units": [{"amount": {"currency_code": "JPY", "value": "5.00"}}]}, (422, "DECIMALS_NOT_SUPPORTED")),
        ({"purchase_units": [{"amount": {"currency_code": "XXX", "value": "5"}}]}, (422, "CURRENCY_NOT_SUPPORTED")),
        ({"purchase_units": [{"amount": {"currency_code": "EUR", "value": "0"}}]}, (422, "CANNOT_BE_ZERO_OR_NEGATIVE")),
        ({"purchase_units": [{}, {}]}, (422, "MAX_NUMBER_OF_PURCHASE_UNITS_EXCEEDED")),
    ],
)
def test_orders_that_make_no_sense(merchant: Merchant, change: dict[str, Any], told: tuple[int, str]) -> None:
    wanted = {"intent": "CAPTURE", "purchase_units": [{"amount": {"currency_code": "EUR", "value": "5.00"}}], **change}
    assert issue(merchant.ask("POST", "/v2/checkout/orders", wanted)) == told


def test_who_may_ask(merchant: Merchant) -> None:
    own, other = merchant.another(), merchant.another()
    order = own.order()
    assert issue(other.ask("GET", f"/v2/checkout/orders/{order['id']}")) == (404, "INVALID_RESOURCE_ID")
    assert issue(other.ask("GET", f"/v2/payments/captures/{own.captured()['id']}"))[0] == 404
    assert issue(other.ask("GET", "/v2/payments/refunds/X"))[0] == 404
    assert issue(other.ask("PATCH", "/v2/checkout/orders/X"))[0] == 404
    for bearer in ("Bearer nonsense", "Basic eDp5", ""):
        headers = {"Authorization": bearer}
        answer = requests.get(f"{own.base}/v2/checkout/orders/{order['id']}", headers=headers, timeout=SECONDS)
        assert issue(answer) == (401, "INVALID_TOKEN")
    broken = own.ask("POST", "/v2/checkout/orders", data=b"{")
    assert issue(broken) == (400, "MALFORMED_REQUEST_JSON")


def test_a_token_runs_out(alone: Merchant) -> None:
    order = alone.order()
    alone.clock(32_399)
    assert alone.ask("GET", f"/v2/checkout/orders/{order['id']}").status_code == 200
    alone.clock(32_401)
    assert alone.ask("GET", f"/v2/checkout/orders/{order['id']}").status_code == 401


def test_late_refunds(alone: Merchant) -> None:
    capture = alone.captured()
    alone.clock(181 * 24 * 3600)
    alone._token = ""
    late = alone.ask("POST", f"/v2/payments/captures/{capture['id']}/refund", {})
    assert issue(late) == (422, "REFUND_TIME_LIMIT_EXCEEDED")


def report(own: Merchant, days: float = 1, **more: Any) -> requests.Response:
    now = datetime.now(UTC)
    dates = {"start_date": (now - timedelta(days=days)).isoformat(timespec="seconds"),
             "end_date": (now + timedelta(minutes=5)).isoformat(timespec="seconds")}  # fmt: skip
    return own.ask("GET", "/v1/reporting/transactions", params={"fields": "all", **dates, **more})


def test_the_report(merchant: Merchant) -> None:
    own = merchant.another()
    own.pay({"pay_with": "echeck"}, invoice="W-1")
    own.control("POST", "payments", {"business": own.email, "amount": "7.00", "currency": "EUR", "invoice": "V-1"})
    own.control(
        "POST", "payments", {"business": own.email, "amount": "8.00", "currency": "EUR", "txn_type": "send_money"}
    )
    capture = own.captured(invoice_id="O-1", custom_id="token-1")
    own.act(capture["id"], "refund", amount="5.00")
    own.act(own.transactions()[1]["txn_id"], "reverse")
    found = report(own).json()
    infos = [detail["transaction_info"] for detail in found["transaction_details"]]
    shown = [
        (info["transaction_event_code"], info["transaction_amount"]["value"], info["transaction_status"],
         info["fee_amount"]["value"], info.get("invoice_id"))
        for info in infos
    ]  # fmt: skip
    assert shown == [
        ("T0007", "45.00", "P", "-1.61", "W-1"),
        ("T0012", "7.00", "V", "-0.50", "V-1"),
        ("T0000", "8.00", "S", "-0.53", None),
        ("T0006", "45.00", "S", "-1.61", "O-1"),
        ("T1107", "-5.00", "S", "0.15", "O-1"),
        ("T1106", "-7.00", "S", "0.20", "V-1"),
    ]
    assert infos[4]["paypal_reference_id"] == capture["id"] == infos[3]["transaction_id"]
    assert infos[3]["custom_field"] == "token-1"
    assert found["transaction_details"][0]["payer_info"]["email_address"] == PAYER["email"]
    own.act(infos[1]["transaction_id"], "cancel_reversal")
    last = report(own).json()["transaction_details"][-1]["transaction_info"]
    assert (last["transaction_event_code"], last["transaction_amount"]["value"]) == ("T1111", "7.00")
    assert "payer_info" not in report(own, fields="transaction_info").json()["transaction_details"][0]
    assert report(own, transaction_id=capture["id"]).json()["total_items"] == 1


def test_the_report_in_pages(merchant: Merchant) -> None:
    own = merchant.another()
    for _ in range(7):
        own.control("POST", "payments", {"business": own.email, "amount": "1.00", "currency": "EUR"})
    keys = list[str]()
    for number in (1, 2, 3):
        found = report(own, page=number, page_size=3).json()
        assert (found["total_items"], found["total_pages"], found["page"]) == (7, 3, number)
        keys += [detail["transaction_info"]["transaction_id"] for detail in found["transaction_details"]]
    assert keys == [each["txn_id"] for each in own.transactions()]
    assert report(own, page=4, page_size=3).json()["transaction_details"] == []
    assert report(own, days=30).status_code == 200
    for wrong in ({"page_size": 501}, {"page": 0}, {"start_date": "yesterday"}):
        assert report(own, **wrong).status_code == 400
    assert report(own, days=31.1).status_code == 400
