"""Customers and saved cards: attaching, setting up, charging when nobody is there."""

from __future__ import annotations

import pytest
import stripe
from stripe_driver import RETURN, Shop


def test_customers(shop: Shop) -> None:
    client = shop.client_for("sk_test_people").v1
    ada = client.customers.create({"email": "ada@home.test", "name": "Ada", "metadata": {"client": "c-1"}})
    client.customers.create({"email": "bob@home.test"})
    assert [found.id for found in client.customers.list({"email": "ada@home.test"}).data] == [ada.id]
    changed = client.customers.update(ada.id, {"name": "", "phone": "1", "address": {"city": "Rome"}})
    assert (changed.name, changed.phone, changed.address.city) == (None, "1", "Rome")
    card = client.payment_methods.attach("pm_card_visa", {"customer": ada.id})
    assert client.customers.delete(ada.id).deleted
    assert client.customers.retrieve(ada.id).deleted
    assert len(client.customers.list().data) == 1
    assert client.payment_methods.retrieve(card.id).customer is None
    for use in (
        lambda: client.customers.update(ada.id, {"name": "x"}),
        lambda: client.payment_intents.create({"amount": 500, "currency": "usd", "customer": ada.id}),
    ):
        with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
            use()
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.customers.create({"email": "nobody"})
    assert refused.value.code == "email_invalid"


def test_attach_list_and_detach(shop: Shop) -> None:
    owner = shop.v1.customers.create({}).id
    card = shop.v1.payment_methods.attach("pm_card_visa", {"customer": owner})
    bank = shop.v1.payment_methods.attach("pm_usBankAccount_success", {"customer": owner})
    assert [found.id for found in shop.v1.customers.payment_methods.list(owner).data] == [bank.id, card.id]
    listed = shop.v1.payment_methods.list({"customer": owner, "type": "card"})
    assert [found.id for found in listed.data] == [card.id]
    assert shop.v1.customers.payment_methods.retrieve(owner, card.id).card.brand == "visa"
    other = shop.v1.customers.create({}).id
    with pytest.raises(stripe.InvalidRequestError, match="already been attached"):
        shop.v1.payment_methods.attach(card.id, {"customer": other})
    with pytest.raises(stripe.InvalidRequestError, match="must belong to the customer"):
        shop.pay(card.id, customer=other)
    with pytest.raises(stripe.InvalidRequestError, match="belongs to the Customer"):
        shop.pay(card.id)
    assert shop.v1.payment_methods.detach(card.id).customer is None
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        shop.v1.payment_methods.attach(card.id, {"customer": owner})
    with pytest.raises(stripe.InvalidRequestError, match="not attached"):
        shop.v1.payment_methods.detach(card.id)


def test_cards_that_fail_when_attached_and_later(shop: Shop) -> None:
    owner = shop.v1.customers.create({}).id
    with pytest.raises(stripe.CardError) as refused:
        shop.v1.payment_methods.attach("pm_card_chargeDeclined", {"customer": owner})
    assert refused.value.code == "card_declined"
    card = shop.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": owner})
    assert shop.declined(card.id, customer=owner, off_session=True).code == "card_declined"


def test_an_unsaved_card_pays_once(shop: Shop) -> None:
    card = shop.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}})
    shop.pay(card.id)
    with pytest.raises(stripe.InvalidRequestError, match="previously used"):
        shop.pay(card.id)


def test_saved_while_paying(shop: Shop) -> None:
    owner = shop.v1.customers.create({}).id
    first = shop.pay("pm_card_authenticationRequiredOnSetup", customer=owner, setup_future_usage="off_session")
    assert first.status == "requires_action"
    assert not shop.v1.customers.payment_methods.list(owner).data
    shop.control(f"payment_intents/{first.id}/authenticate")
    (card,) = shop.v1.customers.payment_methods.list(owner).data
    assert shop.pay(card.id, customer=owner, off_session=True).status == "succeeded"
    assert shop.pay(card.id, customer=owner).status == "requires_action"


def test_attached_without_being_set_up(shop: Shop) -> None:
    owner = shop.v1.customers.create({}).id
    asking = shop.v1.payment_methods.attach("pm_card_authenticationRequiredOnSetup", {"customer": owner})
    assert shop.declined(asking.id, customer=owner, off_session=True).code == "authentication_required"
    ready = shop.v1.payment_methods.attach("pm_card_authenticationRequiredSetupForOffSession", {"customer": owner})
    assert shop.pay(ready.id, customer=owner, off_session=True).status == "succeeded"
    assert shop.pay(ready.id, customer=owner).status == "requires_action"


def test_setup_intents(shop: Shop) -> None:
    owner = shop.v1.customers.create({}).id
    setup = shop.v1.setup_intents.create({"customer": owner, "automatic_payment_methods": {"enabled": True}})
    assert (setup.status, setup.usage) == ("requires_payment_method", "off_session")
    done = shop.v1.setup_intents.confirm(setup.id, {"payment_method": "pm_card_visa", "return_url": RETURN})
    assert done.status == "succeeded"
    assert shop.v1.payment_methods.retrieve(done.payment_method).customer == owner
    assert shop.pay(done.payment_method, customer=owner, off_session=True).status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.v1.setup_intents.cancel(setup.id)
    assert refused.value.code == "setup_intent_unexpected_state"
    other = shop.v1.setup_intents.create({"customer": owner})
    assert shop.v1.setup_intents.cancel(other.id).status == "canceled"
    assert shop.v1.setup_intents.retrieve(other.id).status == "canceled"


@pytest.mark.parametrize(("outcome", "status"), [("succeeded", "succeeded"), ("failed", "requires_payment_method")])
def test_setup_with_a_question(shop: Shop, outcome: str, status: str) -> None:
    owner = shop.v1.customers.create({}).id
    setup = shop.v1.setup_intents.create(
        {"customer": owner, "payment_method": "pm_card_authenticationRequiredOnSetup", "confirm": True,
         "return_url": RETURN}
    )  # fmt: skip
    assert setup.status == "requires_action"
    shop.control(f"setup_intents/{setup.id}/authenticate", outcome=outcome)
    setup = shop.v1.setup_intents.retrieve(setup.id)
    assert setup.status == status
    if outcome == "succeeded":
        assert shop.pay(setup.payment_method, customer=owner, off_session=True).status == "succeeded"
    else:
        assert setup.last_setup_error.code == "setup_intent_authentication_failure"


def test_setup_declined(shop: Shop) -> None:
    with pytest.raises(stripe.CardError) as refused:
        shop.v1.setup_intents.create(
            {"payment_method": "pm_card_chargeDeclined", "confirm": True, "return_url": RETURN}
        )
    assert refused.value.error.setup_intent.status == "requires_payment_method"


def test_a_card_that_expires(shop: Shop) -> None:
    owner = shop.v1.customers.create({}).id
    card = shop.v1.payment_methods.attach("pm_card_visa", {"customer": owner})
    shop.control(f"payment_methods/{card.id}/expire")
    assert shop.declined(card.id, customer=owner, off_session=True).code == "expired_card"
