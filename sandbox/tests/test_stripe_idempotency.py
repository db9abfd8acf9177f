"""Idempotency keys."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe
from stripe_driver import RETURN, Shop, wait_for

INTENT = {"amount": "900", "currency": "usd"}


def test_the_same_request_gets_the_same_answer(shop: Shop) -> None:
    headers = {"Idempotency-Key": "same-1"}
    first = shop.raw("POST", "payment_intents", data=INTENT, headers=headers)
    again = shop.raw("POST", "payment_intents", data=INTENT, headers=headers)
    assert (again.status_code, again.content) == (200, first.content)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Original-Request"] == first.headers["Request-Id"]
    assert again.headers["Idempotency-Key"] == "same-1"
    other = shop.raw("POST", "payment_intents", "sk_test_somebody", data=INTENT, headers=headers)
    assert other.json()["id"] != first.json()["id"]


def test_a_decline_is_an_answer_too(shop: Shop) -> None:
    options = {"idempotency_key": "declined-1"}
    first = shop.declined("pm_card_chargeDeclined", options=options)
    again = shop.declined("pm_card_chargeDeclined", options=options)
    assert again.error.payment_intent.id == first.error.payment_intent.id
    assert again.headers["Idempotent-Replayed"] == "true"  # type: ignore[index]
    assert shop.pay("pm_card_visa", options={"idempotency_key": "declined-2"}).status == "succeeded"


def test_another_request_under_the_same_key(shop: Shop) -> None:
    shop.pay(amount=900, options={"idempotency_key": "other-1"})
    with pytest.raises(stripe.IdempotencyError, match="same parameters") as refused:
        shop.pay(amount=901, options={"idempotency_key": "other-1"})
    assert refused.value.http_status == 400
    with pytest.raises(stripe.IdempotencyError):
        shop.v1.customers.create({}, {"idempotency_key": "other-1"})


def test_what_was_not_begun_is_not_kept(shop: Shop) -> None:
    options: Any = {"idempotency_key": "wrong-1"}
    with pytest.raises(stripe.InvalidRequestError):
        shop.v1.payment_intents.create({"amount": 1, "currency": "usd"}, options)
    assert shop.v1.payment_intents.create({"amount": 100, "currency": "usd"}, options).amount == 100


def test_too_long_a_key(shop: Shop) -> None:
    assert shop.raw("POST", "customers", headers={"Idempotency-Key": "k" * 256}).status_code == 400
    assert shop.raw("POST", "customers", headers={"Idempotency-Key": "k" * 255}).status_code == 200


def test_kept_for_a_day_of_the_clock(fresh: Shop) -> None:
    options: Any = {"idempotency_key": "day-1"}
    first = fresh.v1.customers.create({}, options).id
    fresh.clock(23.9 * 3600)
    assert fresh.v1.customers.create({}, options).id == first
    fresh.clock(24.1 * 3600)
    assert fresh.v1.customers.create({}, options).id != first


def test_in_flight(fresh: Shop) -> None:
    fresh.faults(fail_next=1, fail_with="slow", seconds=1.0)
    options = {"idempotency_key": "flight-1"}
    paid: list[stripe.PaymentIntent] = []
    first = threading.Thread(target=lambda: paid.append(fresh.pay(options=options)))
    first.start()
    wait_for(lambda: fresh.running.stripe.faults.faults.fail_next == 0)
    with pytest.raises(stripe.APIError) as refused:
        fresh.pay(options=options)
    assert refused.value.http_status == 409
    assert refused.value.error.code == "idempotency_key_in_use"
    first.join()
    # The SDK's own retries carry the second one over.
    fresh.faults(fail_next=1, fail_with="slow", seconds=0.3)
    assert fresh.client_for("sk_test_shop", retries=3).v1.payment_intents.create(
        {"amount": 2000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True, "return_url": RETURN},
        options,  # type: ignore[arg-type]
    ).id == paid[0].id  # fmt: skip


def test_twenty_at_once_charge_once(fresh: Shop) -> None:
    client = fresh.client_for("sk_test_shop", retries=6)
    params: Any = {
        "amount": 2000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True, "return_url": RETURN,
    }  # fmt: skip
    with ThreadPoolExecutor(20) as pool:
        each = [pool.submit(client.v1.payment_intents.create, params, {"idempotency_key": "twenty"}) for _ in range(20)]
        ids = {one.result().id for one in each}
    assert len(ids) == 1
    assert len(fresh.look("charges")) == 1
