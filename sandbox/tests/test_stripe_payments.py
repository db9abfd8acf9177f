"""Payment intents through the SDK: success, declines, 3-D Secure, bank debits, and the states between."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import stripe
from stripe_driver import RETURN, Shop, wait_for

CARD = {"number": "4242 4242 4242 4242", "exp_month": 12, "exp_year": 2040, "cvc": "123"}


def test_a_payment_and_its_fee(shop: Shop) -> None:
    paid = shop.pay(amount=10_000, metadata={"payment": "p-1"}, description="Lesson", receipt_email="a@shop.test")
    assert (paid.status, paid.amount_received, paid.currency) == ("succeeded", 10_000, "usd")
    assert paid.client_secret.startswith(f"{paid.id}_secret_")
    charge = shop.v1.charges.retrieve(paid.latest_charge)
    assert charge.paid
    assert charge.metadata["payment"] == "p-1"
    assert charge.payment_method_details.card.brand == "visa"
    # The fee comes later, told by charge.updated.
    assert charge.balance_transaction is None
    settled = wait_for(lambda: shop.v1.charges.retrieve(charge.id).balance_transaction)
    money = shop.v1.balance_transactions.retrieve(settled)
    assert (money.amount, money.fee, money.net, money.source) == (10_000, 320, 9680, charge.id)
    (told,) = [
        event
        for event in shop.v1.events.list({"type": "charge.updated", "limit": 100}).data
        if event.data.object["id"] == charge.id
    ]
    assert told.data.object["balance_transaction"] == settled
    assert told.data.previous_attributes["balance_transaction"] is None


def test_the_steps_one_by_one(shop: Shop) -> None:
    intent = shop.v1.payment_intents.create(
        {"amount": 1500, "currency": "eur", "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}
    )
    assert intent.status == "requires_payment_method"
    with pytest.raises(stripe.InvalidRequestError, match="missing a payment method") as refused:
        shop.v1.payment_intents.confirm(intent.id)
    assert refused.value.code == "payment_intent_unexpected_state"
    method = shop.v1.payment_methods.create({"type": "card", "card": CARD})
    chosen = shop.v1.payment_intents.update(
        intent.id, {"payment_method": method.id, "amount": 1600, "metadata": {"a": "1", "b": "2"}}
    )
    assert (chosen.status, chosen.amount) == ("requires_confirmation", 1600)
    assert shop.v1.payment_intents.update(intent.id, {"metadata": {"a": ""}}).metadata.to_dict() == {"b": "2"}
    assert shop.v1.payment_intents.confirm(intent.id).status == "succeeded"
    for again in (
        lambda: shop.v1.payment_intents.confirm(intent.id),
        lambda: shop.v1.payment_intents.cancel(intent.id),
        lambda: shop.v1.payment_intents.update(intent.id, {"amount": 99}),
    ):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            again()
        assert refused.value.code == "payment_intent_unexpected_state"
        assert refused.value.error.payment_intent.status == "succeeded"
    assert shop.v1.payment_intents.update(intent.id, {"metadata": {"c": "3"}}).metadata["c"] == "3"


def test_cancel(shop: Shop) -> None:
    intent = shop.v1.payment_intents.create({"amount": 1500, "currency": "usd"})
    gone = shop.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "abandoned"})
    assert (gone.status, gone.cancellation_reason) == ("canceled", "abandoned")
    with pytest.raises(stripe.InvalidRequestError):
        shop.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa", "return_url": RETURN})
    expired = shop.v1.payment_intents.create({"amount": 1500, "currency": "usd"})
    shop.control(f"payment_intents/{expired.id}/expire")
    assert shop.v1.payment_intents.retrieve(expired.id).cancellation_reason == "expired"


def test_a_server_has_to_say_where_clients_come_back_to(shop: Shop) -> None:
    params = {"amount": 1500, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    with pytest.raises(stripe.InvalidRequestError, match="return_url"):
        shop.v1.payment_intents.create(params)  # type: ignore[arg-type]
    cards_only = {**params, "payment_method_types": ["card"]}
    assert shop.v1.payment_intents.create(cards_only).status == "succeeded"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "code", "decline"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ],
)
def test_declines(shop: Shop, method: str, code: str, decline: str) -> None:
    error = shop.declined(method)
    assert (error.http_status, error.code, error.error.decline_code) == (402, code, decline)
    intent = shop.v1.payment_intents.retrieve(error.error.payment_intent.id)
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    assert intent.last_payment_error.code == code
    assert intent.last_payment_error.payment_method.type == "card"
    charge = shop.v1.charges.retrieve(error.error.charge)
    assert (charge.status, charge.paid, charge.failure_code) == ("failed", False, code)
    # It is not over: the next card pays the same intent.
    paid = shop.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_mastercard", "return_url": RETURN})
    assert (paid.status, paid.last_payment_error) == ("succeeded", None)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"number": "4242424242424241"}, "incorrect_number"),
        ({"exp_month": 13}, "invalid_expiry_month"),
        ({"exp_year": 2019}, "invalid_expiry_year"),
        ({"cvc": "12"}, "invalid_cvc"),
    ],
)
def test_cards_that_no_form_takes(shop: Shop, change: dict[str, object], code: str) -> None:
    with pytest.raises(stripe.CardError) as refused:
        shop.v1.payment_methods.create({"type": "card", "card": {**CARD, **change}})  # type: ignore[typeddict-item]
    assert refused.value.code == code


def test_secure_on_session(shop: Shop) -> None:
    for outcome, status in (("succeeded", "succeeded"), ("failed", "requires_payment_method")):
        intent = shop.pay("pm_card_authenticationRequired")
        assert (intent.status, intent.next_action.type) == ("requires_action", "redirect_to_url")
        assert intent.next_action.redirect_to_url.return_url == RETURN
        shop.control(f"payment_intents/{intent.id}/authenticate", outcome=outcome)
        intent = shop.v1.payment_intents.retrieve(intent.id)
        assert intent.status == status
    assert intent.last_payment_error.code == "payment_intent_authentication_failure"
    intent = shop.pay("pm_card_authenticationRequiredChargeDeclinedInsufficientFunds")
    shop.control(f"payment_intents/{intent.id}/authenticate")
    assert shop.v1.payment_intents.retrieve(intent.id).last_payment_error.decline_code == "insufficient_funds"


def test_moto_is_the_servers_to_mark_and_not_every_accounts(shop: Shop) -> None:
    moto: Any = {"amount": 900, "currency": "usd", "payment_method_options": {"card": {"moto": True}}}
    elsewhere = shop.client_for("sk_test_nomoto")
    with pytest.raises(stripe.InvalidRequestError, match="not enabled") as refused:
        elsewhere.v1.payment_intents.create(moto)
    assert refused.value.param == "payment_method_options[card][moto]"
    intent = shop.v1.payment_intents.create({"amount": 900, "currency": "usd"})
    answer = requests.post(
        f"{shop.base}/v1/payment_intents/{intent.id}/confirm", timeout=20, data={
            "key": "pk_test_shop", "client_secret": intent.client_secret, "payment_method": "pm_card_visa",
            "payment_method_options[card][moto]": "true",
        },
    )  # fmt: skip
    assert answer.status_code == 400
    assert "secret key" in answer.json()["error"]["message"]


def test_moto_asks_nobody(shop: Shop) -> None:
    paid = shop.pay("pm_card_authenticationRequired", payment_method_options={"card": {"moto": True}})
    assert paid.status == "succeeded"


def test_off_session_and_back_on_session(shop: Shop) -> None:
    owner = shop.v1.customers.create({}).id
    error = shop.declined("pm_card_authenticationRequired", customer=owner, off_session=True)
    assert (error.http_status, error.code) == (402, "authentication_required")
    intent = shop.v1.payment_intents.retrieve(error.error.payment_intent.id)
    assert intent.status == "requires_payment_method"
    card = intent.last_payment_error.payment_method.id
    on_session = shop.v1.payment_intents.confirm(intent.id, {"payment_method": card, "return_url": RETURN})
    assert on_session.status == "requires_action"


def test_error_on_requires_action(shop: Shop) -> None:
    assert shop.declined("pm_card_threeDSecure2Required", error_on_requires_action=True).code == (
        "authentication_required"
    )


def test_a_bank_debit_takes_days(shop: Shop) -> None:
    intent = shop.pay("pm_usBankAccount_success")
    assert intent.status == "processing"
    with pytest.raises(stripe.InvalidRequestError):
        shop.v1.payment_intents.cancel(intent.id)
    shop.control(f"payment_intents/{intent.id}/complete")
    assert shop.v1.payment_intents.retrieve(intent.id).status == "succeeded"
    for method, wanted in (
        ("pm_usBankAccount_insufficientFunds", {}),
        ("pm_usBankAccount_success", {"outcome": "failed"}),
    ):
        intent = shop.pay(method)
        shop.control(f"payment_intents/{intent.id}/complete", **wanted)
        intent = shop.v1.payment_intents.retrieve(intent.id)
        assert (intent.status, intent.last_payment_error.code) == ("requires_payment_method", "insufficient_funds")
    with pytest.raises(stripe.InvalidRequestError, match="not allowed for this PaymentIntent"):
        shop.pay("pm_usBankAccount_success", payment_method_types=["card"])


def test_a_bank_debit_by_the_clock(fresh: Shop) -> None:
    intent = fresh.pay("pm_usBankAccount_success")
    fresh.clock(5 * 24 * 3600)
    wait_for(lambda: fresh.v1.payment_intents.retrieve(intent.id).status == "succeeded")


def test_lists_and_search(shop: Shop) -> None:
    client = shop.client_for("sk_test_lists")
    old = client.v1.payment_intents.create({"amount": 900, "currency": "usd", "metadata": {"payment": "x-1"}})
    new = client.v1.payment_intents.create({"amount": 900, "currency": "usd", "metadata": {"payment": "x-2"}})
    assert [found.id for found in client.v1.payment_intents.list().data] == [new.id, old.id]
    since = {"created": {"gte": old.created, "lt": new.created + 1}}
    assert len(client.v1.payment_intents.list(since).data) == 2  # type: ignore[arg-type]
    assert not client.v1.payment_intents.list({"created": {"gt": new.created}}).data
    found = client.v1.payment_intents.search(
        {"query": "metadata['payment']:'x-1' AND status:'requires_payment_method'"}
    )
    assert [intent.id for intent in found.data] == [old.id]


def test_the_order_of_events(shop: Shop) -> None:
    client = shop.client_for("sk_test_order")
    params = {"amount": 900, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True, "return_url": RETURN}
    client.v1.payment_intents.create(params)  # type: ignore[arg-type]
    found = [event.type for event in client.v1.events.list().data][::-1]
    assert found[:3] == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]
    one = client.v1.events.list({"types": ["charge.succeeded", "charge.failed"]}).data
    assert [event.type for event in one] == ["charge.succeeded"]
    assert client.v1.events.retrieve(one[0].id).data.object["amount"] == 900
    assert [event.type for event in client.v1.events.list({"type": "charge.*"}).data][-1] == "charge.succeeded"


def test_events_reach_thirty_days_back(fresh: Shop) -> None:
    fresh.pay()
    event = fresh.v1.events.list({"limit": 1}).data[0]
    fresh.clock(31 * 24 * 3600)
    fresh.v1.customers.create({})
    wait_for(lambda: "payment_intent.succeeded" not in fresh.types())
    assert "customer.created" in fresh.types()
    with pytest.raises(stripe.InvalidRequestError, match="No such event"):
        fresh.v1.events.retrieve(event.id)
