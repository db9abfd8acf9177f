"""PayPal having a bad day; and what outlives the process."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
import requests
from paypal_driver import SECONDS, Listener, Merchant
from stripe_driver import wait_for
from test_paypal_webhooks import VERIFY, listen, question
from test_sandbox_process import launch

import sandbox
from common.testing import free_port_base

OFF = {
    "fail_next": 0, "fail_with": "act_then_500", "fail_at": "any", "seconds": 5, "verifier": "", "duplicate": 0,
    "delay_seconds": 0, "shuffle_seconds": 0, "drop_next": 0, "wrong_signature_next": 0,
}  # fmt: skip


def approved(own: Merchant) -> str:
    key = str(own.order()["id"])
    own.approve(key)
    return key


@pytest.mark.parametrize("kind", ["act_then_500", "act_then_reset", "act_then_hang"])
def test_done_but_not_heard(alone: Merchant, kind: str) -> None:
    key = approved(alone)
    alone.faults(fail_next=1, fail_with=kind, fail_at="capture", seconds=30)
    alone.order()  # elsewhere all is well
    if kind == "act_then_500":
        assert alone.capture(key, "c-1").status_code == 500
    else:
        with pytest.raises(requests.RequestException):
            alone.capture(key, "c-1", timeout=0.5)
    wait_for(lambda: len(alone.transactions()) == 1)
    assert alone.capture(key, "c-1").json()["status"] == "COMPLETED"
    assert alone.capture(key, "c-2").status_code == 422
    assert len(alone.transactions()) == 1


@pytest.mark.parametrize(("kind", "status"), [(500, 500), ("503", 503), ("hang", 503)])
def test_nothing_was_done(alone: Merchant, kind: object, status: int) -> None:
    key = approved(alone)
    alone.faults(fail_next="all", fail_with=kind, seconds=0.2)
    begin = time.monotonic()
    for _ in range(2):
        assert alone.capture(key, "c-1").status_code == status
    assert (time.monotonic() - begin > 0.4) == (kind == "hang")
    assert alone.ask("GET", f"/v2/checkout/orders/{key}").json()["status"] == "APPROVED"
    alone.faults(fail_next=1, fail_with=kind, fail_at="token", seconds=0)
    assert [alone.token().status_code, alone.token().status_code] == [status, 200]
    alone.faults(fail_next=1, fail_with="503", fail_at="reads")
    assert alone.ask("GET", f"/v2/checkout/orders/{key}").status_code == 503
    alone.faults()
    assert alone.transactions() == []
    assert alone.capture(key, "c-1").status_code == 201


def test_the_verifier(alone: Merchant, listener: Listener) -> None:
    alone.pay(notify_url=listener.url)
    wait_for(lambda: listener.came)
    body = listener.came[0].body
    alone.faults(verifier="away")
    assert alone.check(body).status_code == 503
    alone.faults(verifier="html")
    page = alone.check(body)
    assert page.status_code == 200
    assert page.content != b"VERIFIED"
    assert b"<html" in page.content
    alone.faults(verifier="redirect")
    sent_on = alone.check(body)
    assert sent_on.status_code == 302
    assert requests.get(sent_on.headers["Location"], timeout=SECONDS).text == "VERIFIED"
    alone.faults(verifier="invalid")
    assert alone.check(body).content == b"INVALID"
    alone.faults(verifier="slow", seconds=0.4)
    begin = time.monotonic()
    assert alone.check(body).content == b"VERIFIED"
    assert time.monotonic() - begin >= 0.4
    alone.faults()
    assert alone.check(body).content == b"VERIFIED"


def test_deliveries_go_astray(alone: Merchant, listener: Listener) -> None:
    alone.faults(duplicate=2)
    alone.pay(notify_url=listener.url)
    wait_for(lambda: len(listener.came) == 3)
    assert len({came.body for came in listener.came}) == 1
    alone.faults(drop_next=1)
    alone.pay(notify_url=listener.url, invoice="INV-2")
    alone.pay(notify_url=listener.url, invoice="INV-3")
    wait_for(lambda: len(listener.came) == 4)
    assert listener.came[3].fields()["invoice"] == "INV-3"
    lost = alone.control("GET", "ipns")["data"][1]
    assert (lost["states"], lost["tries"], lost["delivered"]) == (["dropped"], 0, False)
    alone.control("POST", f"ipns/{lost['id']}/resend")
    wait_for(lambda: len(listener.came) == 5)
    alone.faults(delay_seconds=3600, shuffle_seconds=60)
    alone.pay(notify_url=listener.url, invoice="INV-4")
    time.sleep(0.3)
    assert len(listener.came) == 5
    alone.clock(3700)
    wait_for(lambda: len(listener.came) == 6)


def test_signed_by_somebody_else(alone: Merchant, listener: Listener) -> None:
    webhook = listen(alone, listener, "PAYMENT.CAPTURE.COMPLETED")
    alone.faults(wrong_signature_next=1)
    alone.captured()
    alone.captured()
    wait_for(lambda: len(listener.came) == 2)
    answers = [alone.ask("POST", VERIFY, question(came, webhook)).json() for came in listener.came]
    assert sorted(answer["verification_status"] for answer in answers) == ["FAILURE", "SUCCESS"]


@pytest.mark.parametrize(
    "wanted",
    [{"fail": 1}, {"fail_next": -1}, {"fail_with": "fire"}, {"fail_with": 404}, {"fail_at": "moon"},
     {"verifier": "odd"}, {"verifier": 1}, {"seconds": 1e9}, {"duplicate": "all"}, {"delay_seconds": -1}, []],
)  # fmt: skip
def test_nonsense_is_refused_and_changes_nothing(merchant: Merchant, wanted: object) -> None:
    merchant.faults(duplicate=1)
    answer = requests.put(f"{merchant.url}/faults", json={"paypal": wanted}, timeout=SECONDS)
    assert answer.status_code == 422
    assert requests.get(f"{merchant.url}/faults", timeout=SECONDS).json()["paypal"] == {**OFF, "duplicate": 1}
    merchant.faults()
    assert requests.get(f"{merchant.url}/faults", timeout=SECONDS).json()["paypal"] == OFF


def test_everything_is_forgotten(alone: Merchant, listener: Listener) -> None:
    alone.pay(notify_url=listener.url)
    wait_for(lambda: listener.came)
    alone.control("DELETE", "data")
    assert alone.transactions() == alone.control("GET", "ipns")["data"] == []
    assert alone.check(listener.came[0].body).text == "INVALID"
    alone.pay(notify_url=listener.url)
    wait_for(lambda: len(listener.came) == 2)


def test_state_outlives_kill(tmp_path: Path, port_base: int, listener: Listener) -> None:
    listener.status = 503
    url = f"http://127.0.0.1:{port_base + sandbox.box.WEB_OFFSET}"
    process = launch(port_base, tmp_path)
    try:
        own = Merchant(url, "shop")
        webhook = listen(own, listener, "CHECKOUT.ORDER.APPROVED")
        own.settings(charset="Big5")
        own.pay(notify_url=listener.url)
        order = own.order("order-1")
        own.approve(order["id"])
        wait_for(lambda: len(listener.came) == 2)
        process.send_signal(signal.SIGKILL)
        process.wait(SECONDS)
        process = launch(port_base, tmp_path)
        assert own.order("order-1")["id"] == order["id"]
        assert own.capture(order["id"]).status_code == 201
        assert own.control("GET", f"accounts/{own.email}")["charset"] == "Big5"
        assert [found["kind"] for found in own.transactions()] == ["web_accept", "capture"]
        bodies = {"PAYPAL-CERT-URL" in came.headers: came for came in listener.came}
        assert own.check(bodies[False].body).text == "VERIFIED"
        answer = own.ask("POST", VERIFY, question(bodies[True], webhook)).json()
        assert answer["verification_status"] == "SUCCESS"
        listener.status = 200
        listener.came.clear()
        own.clock(60)
        wait_for(lambda: len(listener.came) >= 2)
    finally:
        process.kill()
        process.wait(SECONDS)


def test_stop_is_quick_while_a_request_hangs(tmp_path: Path) -> None:
    running = sandbox.start("127.0.0.1", free_port_base(), tmp_path)
    own = Merchant(running.web_url)
    key = approved(own)
    own.faults(fail_next=1, fail_with="hang", seconds=100)
    with pytest.raises(requests.RequestException):
        own.capture(key, timeout=0.3)
    begin = time.monotonic()
    running.stop()
    assert time.monotonic() - begin < 3
