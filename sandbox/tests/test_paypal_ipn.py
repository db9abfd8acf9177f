"""IPNs: their bytes, the check of them, what follows a payment, and what happens when nobody listens."""

from __future__ import annotations

import base64
import http.client
from urllib.parse import urlsplit

import pytest
import requests
from paypal_driver import SECONDS, Came, Listener, Merchant
from stripe_driver import wait_for


def paid(own: Merchant, listener: Listener, **answers: str) -> str:
    own.pay(answers, notify_url=listener.url)
    wait_for(lambda: listener.came)
    return str(own.transactions()[-1]["txn_id"])


def latest(listener: Listener, count: int) -> Came:
    wait_for(lambda: len(listener.came) >= count)
    assert len(listener.came) == count
    return listener.came[-1]


@pytest.mark.parametrize(
    ("charset", "name", "octets"),
    [
        ("windows-1252", "Jörg", b"J%F6rg"),
        ("Shift_JIS", "山田", b"%8ER%93c"),
        ("Big5", "王小明", b"%A4%FD%A4p%A9%FA"),
        ("UTF-8", "Jörg", b"J%C3%B6rg"),
        ("KOI8_R", "Анна", b"%E1%CE%CE%C1"),
    ],
)
def test_checked_byte_for_byte(merchant: Merchant, listener: Listener, charset: str, name: str, octets: bytes) -> None:
    own = merchant.another()
    own.settings(charset=charset)
    paid(own, listener, first_name=name)
    body = listener.came[0].body
    assert b"&first_name=" + octets + b"&" in body
    assert listener.came[0].fields(charset)["first_name"] == name
    good = own.check(body)
    assert (good.status_code, good.content) == (200, b"VERIFIED")
    assert good.headers["Content-Type"] == "text/html; charset=UTF-8"
    for other in (body + b" ", body[:-1], body.replace(b"=&", b"=x&", 1), b"", body.replace(octets, octets.lower())):
        assert other == body or own.check(other).content == b"INVALID"
    first, _, rest = body.partition(b"&")
    assert own.check(rest + b"&" + first).content == b"INVALID"


def test_how_it_is_asked(merchant: Merchant, listener: Listener) -> None:
    own = merchant.another()
    paid(own, listener)
    body, place = listener.came[0].body, urlsplit(own.base)
    appended = requests.post(f"{own.base}/cgi-bin/webscr", data=body + b"&cmd=_notify-validate", timeout=SECONDS)
    assert appended.content == b"INVALID"
    client = http.client.HTTPConnection(place.hostname or "", place.port, timeout=SECONDS)
    client.request("POST", "/paypal/cgi-bin/webscr", b"cmd=_notify-validate&" + body)  # http.client names no agent
    assert client.getresponse().status == 403
    client.close()
    headers = listener.came[0].headers
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert headers["User-Agent"].startswith("PayPal IPN")


def test_letters_the_encoding_does_not_have(merchant: Merchant, listener: Listener) -> None:
    own = merchant.another()
    paid(own, listener, first_name="山")
    assert b"&first_name=%3F&" in listener.came[0].body
    assert own.check(listener.came[0].body).text == "VERIFIED"


def test_refunds(merchant: Merchant, listener: Listener) -> None:
    own = merchant.another()
    key = paid(own, listener)
    made = own.act(key, "refund", amount="15.00")
    assert (made["parent_txn_id"], made["amount"], made["kind"]) == (key, "-15.00", "refund")
    fields = latest(listener, 2).fields()
    assert (fields["txn_id"], fields["parent_txn_id"], fields["mc_gross"]) == (made["txn_id"], key, "-15.00")
    assert (fields["payment_status"], fields["reason_code"], fields["mc_fee"]) == ("Refunded", "refund", "-0.44")
    assert (fields["custom"], fields["invoice"]) == ("token-1", "INV-1")
    assert "txn_type" not in fields
    assert own.check(listener.came[1].body).text == "VERIFIED"
    assert [found["status"] for found in own.transactions()] == ["Partially_Refunded", "Refunded"]
    over = requests.post(f"{own.base}/_control/transactions/{key}/refund", json={"amount": "30.01"}, timeout=SECONDS)
    assert (over.status_code, over.json()["code"]) == (422, "REFUND_AMOUNT_EXCEEDED")
    assert own.act(key, "refund")["amount"] == "-30.00"
    latest(listener, 3)
    assert own.transactions()[0]["status"] == "Refunded"
    for action in ("refund", "reverse", "clear", "cancel_reversal"):
        answer = requests.post(f"{own.base}/_control/transactions/{key}/{action}", timeout=SECONDS)
        assert answer.status_code == 422, action


def test_reversed_and_given_back(merchant: Merchant, listener: Listener) -> None:
    own = merchant.another()
    key = paid(own, listener)
    case = own.act(key, "case", type="complaint")["case_id"]
    fields = latest(listener, 2).fields()
    assert (fields["txn_type"], fields["case_id"], fields["case_type"]) == ("new_case", case, "complaint")
    assert fields["txn_id"] == key
    assert "mc_gross" not in fields
    own.act(key, "reverse")
    fields = latest(listener, 3).fields()
    assert (fields["payment_status"], fields["mc_gross"], fields["parent_txn_id"]) == ("Reversed", "-45.00", key)
    assert own.transactions()[0]["status"] == "Reversed"
    own.act(key, "cancel_reversal")
    fields = latest(listener, 4).fields()
    assert (fields["payment_status"], fields["mc_gross"]) == ("Canceled_Reversal", "45.00")
    assert fields["parent_txn_id"] == key
    assert own.transactions()[0]["status"] == "Completed"


@pytest.mark.parametrize(("action", "status"), [("clear", "Completed"), ("bounce", "Failed"), ("deny", "Denied")])
def test_what_becomes_of_an_echeck(merchant: Merchant, listener: Listener, action: str, status: str) -> None:
    own = merchant.another()
    key = paid(own, listener, pay_with="echeck")
    fields = listener.came[0].fields()
    assert (fields["payment_status"], fields["pending_reason"]) == ("Pending", "echeck")
    assert fields["payment_type"] == "echeck"
    assert own.act(key, action)["status"] == status
    fields = latest(listener, 2).fields()
    assert (fields["txn_id"], fields["payment_status"]) == (key, status)
    assert "pending_reason" not in fields
    assert "parent_txn_id" not in fields


def test_later_ones_go_where_the_first_went(merchant: Merchant, listener: Listener) -> None:
    own = merchant.another()
    own.settings(notify_url=listener.url.replace("/ipn", "/account"))
    paid(own, listener)
    own.act(own.transactions()[0]["txn_id"], "refund")
    latest(listener, 2)
    own.control("POST", "payments", {"business": own.email, "amount": "1.00", "currency": "EUR"})
    latest(listener, 3)
    assert [came.path for came in listener.came] == ["/ipn", "/ipn", "/account"]


def test_told_again_until_it_is_taken(alone: Merchant, listener: Listener) -> None:
    listener.status = 500
    paid(alone, listener)
    wait_for(lambda: alone.control("GET", "ipns")["data"][0]["status"] == 500)
    alone.clock(11)
    latest(listener, 2)
    listener.status = 201  # only 200 will do
    alone.clock(32)
    latest(listener, 3)
    listener.status = 200
    alone.clock(73)
    latest(listener, 4)
    found = wait_for(lambda: [ipn for ipn in alone.control("GET", "ipns")["data"] if ipn["delivered"]])[0]
    assert (found["tries"], found["status"], found["url"]) == (4, 200, listener.url)
    assert base64.b64decode(found["body_base64"]) == listener.came[0].body == listener.came[3].body
    alone.clock(10**6)
    again = alone.control("POST", f"ipns/{found['id']}/resend")
    assert again["id"] == found["id"]
    assert latest(listener, 5).body == listener.came[0].body


def test_given_up_after_sixteen_tries(alone: Merchant, listener: Listener) -> None:
    listener.status = 404
    paid(alone, listener)
    offset = 0.0
    for tries in range(1, 16):
        wait_for(lambda tries=tries: alone.control("GET", "ipns")["data"][0]["tries"] == tries)
        offset += 10 * 2 ** (tries - 1) + 1
        alone.clock(offset)
    wait_for(lambda: alone.control("GET", "ipns")["data"][0]["states"] == ["failed"])
    assert len(listener.came) == 16
    assert 3.5 < offset / (24 * 3600) < 4


def test_any_ipn_can_be_made(merchant: Merchant, listener: Listener) -> None:
    fields = {"txn_id": "1", "first_name": "山田", "custom": ""}
    merchant.control("POST", "ipns", {"url": listener.url, "fields": fields, "charset": "Shift_JIS"})
    assert latest(listener, 1).body == b"txn_id=1&first_name=%8ER%93c&custom="
    raw = b"odd=%u1234&&=\xff"
    wanted = {"url": listener.url, "body_base64": base64.b64encode(raw).decode()}
    assert merchant.control("POST", "ipns", wanted)["id"]
    assert latest(listener, 2).body == raw
    for came in listener.came:
        assert merchant.check(came.body).text == "VERIFIED"
    for wrong in ({"url": "x", "fields": {}}, {"url": listener.url}, {"url": listener.url, "body_base64": "?"}):
        assert requests.post(f"{merchant.base}/_control/ipns", json=wrong, timeout=SECONDS).status_code == 422


def test_unknown_things(merchant: Merchant) -> None:
    for path in ("transactions/X/refund", "transactions/X/fly", "ipns/x/resend"):
        assert requests.post(f"{merchant.base}/_control/{path}", timeout=SECONDS).status_code == 404
