"""The gateways' settings in words: what their fields are called here, and how far a gateway is set up."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STRIPE_KEYS = {
    "test_publishable_key": "Test publishable key",
    "test_secret_key": "Test secret key",
    "live_publishable_key": "Live publishable key",
    "live_secret_key": "Live secret key",
}
PAYPAL_FIELDS = {
    "business_email": "E-mail address of the PayPal account",
    "merchant_id": "Merchant ID",
    "client_id": "Client ID",
    "client_secret": "Client secret",
}
STRIPE_MODES = [("test", "Test: nobody pays real money"), ("live", "Live: real payments")]
PAYPAL_MODES = [("sandbox", "Sandbox: nobody pays real money"), ("live", "Live: real payments")]
CHECKOUTS = {
    "orders": (
        "Orders (recommended)",
        "PayPal's current way. Refunds can be made from here, and missed messages are found. Needs a client ID and"
        " secret.",
    ),
    "standard": (
        "Website Payments Standard",
        "The old way: needs the account's e-mail address only. PayPal is retiring it, and may switch it off at any time"
        " from 2027 on.",
    ),
}


@dataclass(frozen=True)
class State:
    """How far a gateway is. `tone` colours `word`; `detail` says what follows, or what to do."""

    tone: str
    word: str
    detail: str
    mode: str = ""
    clients_may_pay: bool = False


def state_of_stripe(settings: Mapping[str, Any]) -> State:
    mode = settings["mode"]
    rest = {"mode": f"{mode} mode", "clients_may_pay": settings["allow_client_initiated_payments"]}
    missing = [words for name, words in STRIPE_KEYS.items() if name.startswith(mode) and not settings[name]]
    if not settings["test_secret_key"] and not settings["live_secret_key"]:
        return State("off", "not set up", "Enter your keys of Stripe to begin.", **rest)
    if missing:
        return State("late", "not ready", f"Still missing: {' and '.join(missing)}.", **rest)
    if not settings["keys_open"]:
        return State("late", "needs you", _shut("Stripe"), **rest)
    hook = settings.get(f"{mode}_webhook") or {}
    if hook.get("state") == "failed":
        return State("late", "needs you", f"Stripe did not accept the secret key: {hook['reason']}.", **rest)
    if hook.get("state") == "registering":
        return State("", "being set up", "Remit is introducing itself to Stripe. It takes moments.", **rest)
    return State("good", "set up", _taking(mode), **rest)


def state_of_paypal(settings: Mapping[str, Any]) -> State:
    rest = {"mode": f"{settings['mode']} mode", "clients_may_pay": settings["allow_client_initiated_payments"]}
    if not settings["business_email"]:
        return State("off", "not set up", "Enter your PayPal account to begin.", **rest)
    if not settings["keys_open"]:
        return State("late", "needs you", _shut("PayPal"), **rest)
    if not settings["is_ready"]:
        return State("late", "not ready", "Still missing: Client ID and Client secret.", **rest)
    hook = settings["webhook"] or {}
    if hook.get("state") == "failed":
        return State("late", "needs you", f"PayPal did not accept them: {hook['reason']}.", **rest)
    if hook.get("state") == "registering":
        return State("", "being set up", "Remit is introducing itself to PayPal. It takes moments.", **rest)
    return State("good", "set up", _taking(settings["mode"]), **rest)


def _shut(gateway: str) -> str:
    """After a restore without the keys of the machine before."""
    return (
        f"What was saved as the secret does not open on this machine, so nothing can be taken. Copy it from {gateway}"
        " once more, and save it again."
    )


def _taking(mode: str) -> str:
    return "It takes real payments." if mode == "live" else "It takes payments for trying only: no money moves."


def in_words(message: str) -> str:
    """What a gateway says of its fields, with the names that they have here."""
    for name, words in {**STRIPE_KEYS, **PAYPAL_FIELDS}.items():
        message = message.replace(name, words)
    return message.replace('"standard"', "Website Payments Standard")
