"""Website Payments Standard, Virtual Terminal and accounts, over HTTP as browsers ask."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from paypal_driver import CANCEL, PAYER, RETURN, SECONDS, Listener, Merchant
from stripe_driver import wait_for


def test_accounts(merchant: Merchant) -> None:
    own = merchant.another()
    first = own.control("GET", f"accounts/{own.email.upper()}")
    assert first == {
        "email": own.email,
        "merchant_id": first["merchant_id"],
        "notify_url": "",
        "charset": "windows-1252",
    }
    assert re.fullmatch("[0-9A-Z]{13}", first["merchant_id"])
    assert own.settings(notify_url="http://shop.test/ipn")["merchant_id"] == first["merchant_id"]
    assert own.settings(charset="Big5")["notify_url"] == "http://shop.test/ipn"
    for wrong in (
        {"charset": "base64"},
        {"charset": "klingon"},
        {"charset": "utf-16"},
        {"charset": "idna"},
        {"notify_url": "nowhere"},
        {"charset": 1},
    ):
        answer = requests.put(f"{own.base}/_control/accounts/{own.email}", json=wrong, timeout=SECONDS)
        assert answer.status_code == 422, wrong
    assert requests.get(f"{own.base}/_control/accounts/nobody", timeout=SECONDS).status_code == 422
    own.control("POST", "accounts", {"email": own.email, "client_id": "bound-1"})
    assert own.token("bound-1").json()["expires_in"] == 32400
    assert own.token("refused-1").status_code == 401
    assert own.token("refused-1").json()["error"] == "invalid_client"


def test_the_settings_page(merchant: Merchant) -> None:
    own, url = merchant.another(), f"{merchant.base}/account"
    assert own.email in requests.get(url, params={"email": own.email}, timeout=SECONDS).text
    form = {"email": own.email, "notify_url": "http://shop.test/ipn", "charset": "Shift_JIS"}
    assert "Saved." in requests.post(url, data=form, timeout=SECONDS).text
    assert own.control("GET", f"accounts/{own.email}")["charset"] == "Shift_JIS"
    assert requests.post(url, data={**form, "charset": "x"}, timeout=SECONDS).status_code == 400
    assert "Business e-mail" in requests.get(url, timeout=SECONDS).text


def test_the_page_a_payer_sees(merchant: Merchant) -> None:
    own = merchant.another()
    for shown in (own.open(), requests.get(f"{own.base}/cgi-bin/webscr", params=own.form(), timeout=SECONDS)):
        assert shown.status_code == 200
        for word in ("Pay 45.00 EUR", own.email, "Lessons", "Cancel and return", "eCheck", "PayPal balance"):
            assert word in shown.text
        policy = shown.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "<script" not in shown.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": "45,00"},
        {"amount": "0.00"},
        {"amount": "-1"},
        {"amount": "1.005"},
        {"amount": "10.00", "currency_code": "JPY"},
        {"currency_code": "XXX"},
        {"business": "nobody"},
        {"custom": "x" * 256},
        {"invoice": "x" * 128},
        {"cmd": "_cart"},
    ],
)
def test_what_cannot_be_paid(merchant: Merchant, wrong: dict[str, str]) -> None:
    shown = merchant.open(**wrong)
    assert shown.status_code == 400
    assert "<form" not in shown.text
    if "cmd" not in wrong:
        assert merchant.pay(**wrong).status_code == 400


def test_paid_and_told(merchant: Merchant, listener: Listener) -> None:
    own = merchant.another()
    back = own.pay(notify_url=listener.url)
    assert (back.status_code, back.headers["Location"]) == (303, RETURN)
    paid = own.transactions()[0]
    assert re.fullmatch("[0-9A-Z]{17}", paid["txn_id"])
    assert (paid["status"], paid["amount"], paid["kind"], paid["fee"]) == ("Completed", "45.00", "web_accept", "1.61")
    wait_for(lambda: listener.came)
    fields = listener.came[0].fields()
    expected = {
        "mc_gross": "45.00", "mc_fee": "1.61", "mc_currency": "EUR", "payment_status": "Completed", "tax": "0.00",
        "charset": "windows-1252", "first_name": "Ada", "last_name": "Byron", "payer_email": PAYER["email"],
        "business": own.email, "receiver_email": own.email, "custom": "token-1", "invoice": "INV-1", "quantity": "1",
        "item_name": "Lessons", "item_number": "7", "txn_id": paid["txn_id"], "txn_type": "web_accept",
        "payment_type": "instant", "test_ipn": "1", "payment_gross": "", "notify_version": "3.9",
        "receiver_id": own.control("GET", f"accounts/{own.email}")["merchant_id"],
    }  # fmt: skip
    assert expected.items() <= fields.items()
    assert re.fullmatch(r"\d\d:\d\d:\d\d [A-Z][a-z]{2} \d\d, \d{4} P[SD]T", fields["payment_date"])
    assert not {"pending_reason", "reason_code", "parent_txn_id"} & set(fields)
    assert fields["verify_sign"]
    assert fields["ipn_track_id"]


def test_where_the_payer_goes(merchant: Merchant) -> None:
    own = merchant.another()
    assert own.pay({"action": "cancel"}).headers["Location"] == CANCEL
    assert own.transactions() == []
    assert "You may close" in own.pay(**{"return": "", "invoice": ""}).text
    assert (
        own.pay(rm="0", invoice="", **{"return": f"{RETURN}?a=b#c"})
        .headers["Location"]
        .startswith(f"{RETURN}?a=b&PayerID=")
    )
    form = own.pay(rm="2", invoice="I-2")
    assert form.status_code == 200
    assert f'action="{RETURN}"' in form.text
    assert "Return to merchant" in form.text
    assert f'value="{own.transactions()[-1]["txn_id"]}"' in form.text


def test_an_invoice_is_paid_once(merchant: Merchant, listener: Listener) -> None:
    own = merchant.another()
    assert own.pay(notify_url=listener.url).status_code == 303
    for again in (own.pay(notify_url=listener.url), own.open()):
        assert again.status_code == 409
        assert "has already been paid" in again.text
    assert merchant.another().pay().status_code == 303
    assert own.pay(invoice="").status_code == 303
    assert own.pay(invoice="").status_code == 303
    assert [found["invoice"] for found in own.transactions()] == ["INV-1", "", ""]
    # A cheque that bounced leaves the invoice free.
    own.pay({"pay_with": "echeck"}, invoice="INV-2")
    assert own.open(invoice="INV-2").status_code == 409
    own.act(own.transactions()[-1]["txn_id"], "bounce")
    assert own.open(invoice="INV-2").status_code == 200


def test_paid_by_many_at_once(merchant: Merchant) -> None:
    own = merchant.another()
    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(lambda _: own.pay().status_code, range(16)))
    assert answers == [303] + 15 * [409]
    assert len(own.transactions()) == 1


def test_amounts_without_decimals(merchant: Merchant, listener: Listener) -> None:
    own = merchant.another()
    own.pay(amount="5000", currency_code="JPY", notify_url=listener.url)
    wait_for(lambda: listener.came)
    fields = listener.came[0].fields()
    assert (fields["mc_gross"], fields["mc_fee"], fields["tax"]) == ("5000", "185", "0")


def test_the_form_in_another_encoding(merchant: Merchant, listener: Listener) -> None:
    own = merchant.another()
    octets = b"&item_name=%83e%83X%83g&charset=Shift_JIS"
    body = f"cmd=_xclick&business={own.email}&amount=5&currency_code=EUR".encode() + octets
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    shown = requests.post(f"{own.base}/cgi-bin/webscr", data=body, headers=headers, timeout=SECONDS)
    assert "テスト" in shown.text


def test_the_terminal(merchant: Merchant, listener: Listener) -> None:
    own, url = merchant.another(), f"{merchant.base}/virtual-terminal"
    own.settings(notify_url=listener.url)
    shown = requests.get(url, timeout=SECONDS).text
    for label in ("Business e-mail", "Amount", "Currency", "Invoice", "Payer e-mail", "First name", "Last name"):
        assert label in shown
    form = {
        "business": own.email.upper(),
        "amount": "12.50",
        "currency": "GBP",
        "invoice": "  inv-77 ",
        "first_name": "Bo",
    }
    done = requests.post(url, data=form, timeout=SECONDS)
    assert "Completed" in done.text
    wait_for(lambda: listener.came)
    fields = listener.came[0].fields()
    assert (fields["txn_type"], fields["invoice"], fields["payer_email"]) == ("virtual_terminal", "  inv-77 ", "")
    assert "custom" not in fields
    assert fields["txn_id"] in done.text
    refused = requests.post(url, data={**form, "amount": "much"}, timeout=SECONDS)
    assert refused.status_code == 400
    assert "inv-77" in refused.text


def test_money_sent(merchant: Merchant, listener: Listener) -> None:
    own = merchant.another()
    wanted = {"business": own.email, "amount": "9.00", "currency": "USD", "txn_type": "send_money", "status": "Pending",
              "pending_reason": "paymentreview", "notify_url": listener.url, "payer_email": "bo@home.test"}  # fmt: skip
    key = own.control("POST", "payments", wanted)["txn_id"]
    wait_for(lambda: listener.came)
    fields = listener.came[0].fields()
    assert (fields["txn_id"], fields["txn_type"], fields["invoice"]) == (key, "send_money", "")
    assert (fields["payment_status"], fields["pending_reason"]) == ("Pending", "paymentreview")
    assert (fields["payment_gross"], fields["payment_fee"]) == ("9.00", "0.56")
    for wrong in ({"amount": "x"}, {"status": "Odd"}, {"business": "x"}, {"currency": 5}):
        answer = requests.post(f"{own.base}/_control/payments", json={**wanted, **wrong}, timeout=SECONDS)
        assert answer.status_code == 422, wrong
    # Without any address nothing is told.
    own.control("POST", "payments", {"business": own.email, "amount": "9.00", "currency": "USD"})
    assert len([found for found in own.control("GET", "ipns")["data"] if found["account"] == own.email]) == 1
