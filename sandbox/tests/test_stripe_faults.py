"""Fault knobs of the API, the clock, and what a restart leaves."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
import stripe
from sandbox_driver import Box
from stripe_driver import RETURN, SECONDS, Receiver, Shop, wait_for
from test_sandbox_process import launch

import sandbox
from common.testing import free_port_base

OFF = {
    "fail_next": 0, "fail_with": "charge_then_500", "fail_at": "any", "seconds": 5, "duplicate": 0, "delay_seconds": 0,
    "shuffle_seconds": 0, "drop_next": 0, "wrong_secret_next": 0,
}  # fmt: skip
PAYMENT = {"amount": 2000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True, "return_url": RETURN}


def charges(shop: Shop) -> int:
    return len(shop.look("charges"))


def test_charge_then_hang(fresh: Shop) -> None:
    fresh.faults(fail_next=1, fail_with="charge_then_hang", seconds=30)
    hasty = fresh.client_for("sk_test_shop", timeout=0.5)
    options = {"idempotency_key": "hang-1"}
    with pytest.raises(stripe.APIConnectionError):
        hasty.v1.payment_intents.create(PAYMENT, options)  # type: ignore[arg-type]
    assert charges(fresh) == 1
    assert hasty.v1.payment_intents.create(PAYMENT, options).status == "succeeded"  # type: ignore[arg-type]
    assert charges(fresh) == 1


def test_charge_then_reset(fresh: Shop) -> None:
    fresh.faults(fail_next=1, fail_with="charge_then_reset")
    with pytest.raises(stripe.APIConnectionError):
        fresh.pay(options={"idempotency_key": "reset-1"})
    assert charges(fresh) == 1
    assert fresh.pay(options={"idempotency_key": "reset-1"}).status == "succeeded"
    assert charges(fresh) == 1
    # The SDK's own retry does the same under the key it made up.
    fresh.faults(fail_next=1, fail_with="charge_then_reset")
    assert fresh.client_for("sk_test_shop", retries=2).v1.payment_intents.create(PAYMENT)  # type: ignore[arg-type]
    assert charges(fresh) == 2


def test_charge_then_500_is_kept_as_an_answer(fresh: Shop) -> None:
    fresh.faults(fail_next=1)
    for _ in range(2):
        with pytest.raises(stripe.APIError) as failed:
            fresh.pay(options={"idempotency_key": "500-1"}, metadata={"payment": "p-500"})
        assert failed.value.http_status == 500
    assert charges(fresh) == 1
    found = fresh.v1.payment_intents.search({"query": "metadata['payment']:'p-500'"}).data
    assert [intent.status for intent in found] == ["succeeded"]


@pytest.mark.parametrize("status", [409, 429])
def test_done_and_answered_as_if_it_were_not(fresh: Shop, status: int) -> None:
    fresh.faults(fail_next=1, fail_with=f"charge_then_{status}")
    with pytest.raises(stripe.StripeError) as failed:
        fresh.pay(options={"idempotency_key": f"{status}-1"})
    assert failed.value.http_status == status
    assert charges(fresh) == 1
    assert fresh.pay(options={"idempotency_key": f"{status}-1"}).status == "succeeded"
    assert charges(fresh) == 1


@pytest.mark.parametrize(("kind", "status"), [("rate_limit", 429), ("unavailable", 503)])
def test_nothing_was_done(fresh: Shop, kind: str, status: int) -> None:
    fresh.faults(fail_next="all", fail_with=kind)
    for _ in range(2):
        with pytest.raises(stripe.StripeError) as failed:
            fresh.pay(options={"idempotency_key": "none-1"})
        assert failed.value.http_status == status
    assert isinstance(failed.value, stripe.RateLimitError) == (status == 429)
    fresh.faults()
    assert charges(fresh) == 0
    assert fresh.pay(options={"idempotency_key": "none-1"}).status == "succeeded"


def test_slow_and_only_where_told(fresh: Shop) -> None:
    fresh.faults(fail_next=1, fail_with="slow", fail_at="refunds", seconds=0.5)
    begin = time.monotonic()
    paid = fresh.pay()
    assert time.monotonic() - begin < 0.5
    fresh.v1.refunds.create({"payment_intent": paid.id})
    assert time.monotonic() - begin >= 0.5
    assert requests.get(f"{fresh.url}/faults", timeout=SECONDS).json()["stripe"]["fail_next"] == 0


@pytest.mark.parametrize(
    "wanted",
    [
        {"fail": 1},
        {"fail_next": -1},
        {"fail_next": True},
        {"fail_next": "some"},
        {"fail_with": "fire"},
        {"fail_at": "moon"},
        {"seconds": 1e9},
        {"duplicate": "all"},
        {"delay_seconds": -1},
        {"wrong_secret_next": 0.5},
        [],
    ],
)
def test_nonsense_is_refused_and_changes_nothing(shop: Shop, wanted: object) -> None:
    shop.faults(duplicate=1)
    response = requests.put(f"{shop.url}/faults", json={"mail": {"fail_next": 1}, "stripe": wanted}, timeout=SECONDS)
    assert response.status_code == 422
    now = requests.get(f"{shop.url}/faults", timeout=SECONDS).json()
    assert now["stripe"] == {**OFF, "duplicate": 1}
    assert now["mail"]["fail_next"] == 0
    shop.faults()


def test_the_clock(box: Box, tmp_path: Path) -> None:
    url = f"{box.url}/clock"
    assert requests.get(url, timeout=SECONDS).json()["offset_seconds"] == 0
    moved = requests.post(url, json={"offset_seconds": 86400}, timeout=SECONDS).json()
    assert abs(moved["now"] - time.time() - 86400) < 5
    for wrong in ({}, {"offset_seconds": "1"}, {"offset_seconds": True}, {"offset_seconds": 1e12}, {"offset": 1}):
        assert requests.post(url, json=wrong, timeout=SECONDS).status_code == 422
    (tmp_path / "data" / "clock").write_text("60")  # somebody else moved it
    wait_for(lambda: requests.get(url, timeout=SECONDS).json()["offset_seconds"] == 60)


def test_the_clock_file_is_shared(tmp_path: Path, port_base: int) -> None:
    running = sandbox.start("127.0.0.1", port_base, tmp_path / "data", tmp_path / "shared" / "offset")
    Shop(running).clock(120)
    running.stop()
    assert float((tmp_path / "shared" / "offset").read_text()) == 120
    assert not (tmp_path / "data" / "clock").exists()


def test_state_outlives_kill(
    tmp_path: Path, port_base: int, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.status = 503
    monkeypatch.setenv("CLOCK_FILE", str(tmp_path / "offset"))
    process = launch(port_base, tmp_path)
    try:
        shop = _shop(port_base)
        endpoint = shop.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["customer.created"]})
        options = {"idempotency_key": "kill-1"}
        paid = shop.pay(options=options)
        owner = shop.v1.customers.create({"email": "ada@home.test"}).id
        process.send_signal(signal.SIGKILL)
        process.wait(SECONDS)
        receiver.status = 200
        receiver.hooks.clear()
        process = launch(port_base, tmp_path)
        shop = _shop(port_base)
        assert shop.pay(options=options).id == paid.id
        assert shop.v1.customers.list({"email": "ada@home.test"}).data[0].id == owner
        wait_for(lambda: receiver.hooks)
        assert receiver.events(endpoint.secret or "")[0].data.object["id"] == owner
        # The fee was due while nothing ran, or is due now.
        wait_for(lambda: shop.v1.charges.retrieve(paid.latest_charge).balance_transaction)
        shop.clock(33)
        assert float((tmp_path / "offset").read_text()) == 33
    finally:
        process.kill()
        process.wait(SECONDS)


def _shop(port_base: int) -> Shop:
    class Address:
        web_url = f"http://127.0.0.1:{port_base + sandbox.box.WEB_OFFSET}"

    return Shop(Address())  # type: ignore[arg-type]


def test_many_threads(fresh: Shop) -> None:
    with ThreadPoolExecutor(8) as pool:
        paid = list(pool.map(lambda _: fresh.pay(), range(60)))
    assert {intent.status for intent in paid} == {"succeeded"}
    assert charges(fresh) == 60


def test_stop_is_quick_while_a_request_hangs(tmp_path: Path) -> None:
    running = sandbox.start("127.0.0.1", free_port_base(), tmp_path)
    shop = Shop(running)
    shop.faults(fail_next=1, fail_with="charge_then_hang", seconds=100)
    with pytest.raises(stripe.APIConnectionError):
        shop.client_for("sk_test_shop", timeout=0.3).v1.customers.create({})
    begin = time.monotonic()
    running.stop()
    assert time.monotonic() - begin < 3
