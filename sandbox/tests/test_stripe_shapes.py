"""The objects have the members that the SDK's classes say, and no others."""

from __future__ import annotations

from collections.abc import Iterator

import stripe
from stripe_driver import Shop, wait_for

from sandbox.stripe.webhooks import API_VERSION


def objects(shop: Shop) -> Iterator[stripe.StripeObject]:
    owner = shop.v1.customers.create({"email": "ada@home.test"})
    paid = shop.pay("pm_card_createDispute", customer=owner.id, setup_future_usage="off_session")
    again = shop.pay("pm_card_refundFail")
    refused = shop.declined("pm_card_chargeDeclined").error.payment_intent.id
    dispute = wait_for(lambda: shop.v1.disputes.list({"charge": paid.latest_charge}).data)[0]
    charge = shop.v1.charges.retrieve(paid.latest_charge)
    yield from (owner, paid, charge, dispute)
    yield from (shop.v1.payment_intents.retrieve(refused), shop.pay("pm_card_authenticationRequired"))
    yield shop.v1.refunds.create({"payment_intent": again.id, "amount": 100})
    yield shop.v1.setup_intents.create({"customer": owner.id})
    yield shop.v1.webhook_endpoints.create({"url": "http://127.0.0.1:1/", "enabled_events": ["none.at_all"]})
    yield shop.v1.payment_methods.retrieve(paid.payment_method)
    yield shop.v1.payment_methods.retrieve("pm_usBankAccount_success")
    yield shop.v1.balance_transactions.retrieve(charge.balance_transaction)
    yield shop.v1.events.list({"type": "payment_intent.succeeded"}).data[0]


def annotations(kind: type) -> dict[str, str]:
    found: dict[str, str] = {}
    for base in kind.__mro__:
        for name, text in getattr(base, "__annotations__", {}).items():
            found.setdefault(name, str(text))
    return {name: text for name, text in found.items() if not name.startswith("_") and "ClassVar" not in text}


def findings(body: stripe.StripeObject, path: str) -> Iterator[str]:
    """What is missing or too much, here and below."""
    has, known = set(body.to_dict()), annotations(type(body))
    optional = {name for name, text in known.items() if "Optional[" in text[:30] or "NoneType" in text}
    # What only some kinds of method, evidence or answer have is left out by Stripe as well.
    if path.endswith(("evidence", "payment_method_options", "payment_method_details")):
        return
    yield from (f"{path} lacks {name}" for name in sorted(set(known) - optional - has - {"deleted"}))
    if known:
        yield from (f"{path} has {name}" for name in sorted(has - set(known)))
    for name in has:
        value = body[name]
        for below in value if isinstance(value, list) else [value]:
            if isinstance(below, stripe.StripeObject):
                yield from findings(below, f"{path}.{name}")


def test_shapes(fresh: Shop) -> None:
    found = [finding for body in objects(fresh) for finding in findings(body, str(body["object"]))]
    assert found == []


def test_the_version_is_the_sdks() -> None:
    assert stripe.api_version == API_VERSION
