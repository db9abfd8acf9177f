"""Payment methods as the rest uses them: made from a token or a number, attached, detached, chosen."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from sandbox.stripe.call import Call
from sandbox.stripe.cards import BY_TOKEN, TestCard, behaviour, brand, luhn
from sandbox.stripe.errors import card_error, invalid
from sandbox.stripe.store import Body

NOBODY = {"address": None, "email": None, "name": None, "phone": None, "tax_id": None}
NO_ADDRESS = {"city": None, "country": None, "line1": None, "line2": None, "postal_code": None, "state": None}
TOKEN_YEARS = 4


def use(call: Call, ref: str, param: str = "payment_method") -> Body:
    """The payment method of that id; a test token (pm_card_visa) makes a new one each time."""
    card = BY_TOKEN.get(ref)
    if card is None:
        return call.get("payment_method", ref, param)
    if card.bank:
        return make_bank(call, card.number, {})
    return make_card(call, card.number, 12, year(call) + TOKEN_YEARS, {})


def make_card(
    call: Call, number: str, month: int, expires: int, billing: dict[str, Any], words: dict[str, str] | None = None
) -> Body:
    """A new payment method for a card that was checked, or comes from a token."""
    own = brand(number)
    card = {
        "brand": own,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "unchecked"},
        "country": "US",
        "display_brand": own,
        "exp_month": month,
        "exp_year": expires,
        "fingerprint": _fingerprint(call, number),
        "funding": "debit" if number in ("4000056655665556", "5200828282828210") else "credit",
        "generated_from": None,
        "last4": number[-4:],
        "networks": {"available": [own], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
    return _make(call, "card", card, number, billing, words)


def make_bank(call: Call, number: str, billing: dict[str, Any]) -> Body:
    """A new payment method for a bank account that is debited."""
    account = {
        "account_holder_type": "individual",
        "account_type": "checking",
        "bank_name": "STRIPE TEST BANK",
        "financial_connections_account": None,
        "fingerprint": _fingerprint(call, number),
        "last4": number[-4:],
        "networks": {"preferred": "ach", "supported": ["ach"]},
        "routing_number": "110000000",
        "status_details": {},
    }
    return _make(call, "us_bank_account", account, number, billing, None)


def _make(
    call: Call, kind: str, details: Body, number: str, billing: dict[str, Any], words: dict[str, str] | None
) -> Body:
    address = {**NO_ADDRESS, **(billing.get("address") or {})}
    return call.add(
        call.head("pm", "payment_method")
        | {
            "allow_redisplay": "unspecified",
            "billing_details": {**NOBODY, **billing, "address": address},
            kind: details,
            "customer": None,
            "metadata": words or {},
            "type": kind,
            "_number": number,
            "_set_up": False,
            "_used": False,
        }
    )


def check_card(call: Call, number: str, month: int, expires: int, cvc: str | None) -> None:
    """Refuse what a form would: a wrong number, a past date, a code of a wrong length."""
    if not number.isdecimal() or not 12 <= len(number) <= 19 or not luhn(number):
        raise card_error("Your card number is incorrect.", "incorrect_number", param="number")
    if not 1 <= month <= 12:
        raise card_error("Your card's expiration month is invalid.", "invalid_expiry_month", param="exp_month")
    if not year(call) <= expires <= year(call) + 50:
        raise card_error("Your card's expiration year is invalid.", "invalid_expiry_year", param="exp_year")
    if expired(call, month, expires):
        raise card_error("Your card's expiration month is invalid.", "invalid_expiry_month", param="exp_month")
    if cvc is not None and (not cvc.isdecimal() or len(cvc) != (4 if brand(number) == "amex" else 3)):
        raise card_error("Your card's security code is invalid.", "invalid_cvc", param="cvc")


def expired(call: Call, month: int, expires: int) -> bool:
    """Whether a card of that month and year is no longer valid."""
    today = datetime.fromtimestamp(call.now, UTC)
    return (expires, month) < (today.year, today.month)


def year(call: Call) -> int:
    """The year by the sandbox's clock."""
    return datetime.fromtimestamp(call.now, UTC).year


def attach(call: Call, method: Body, customer: str, *, verified: bool = False) -> Body:
    """Save a method for a customer. verified: it was just charged or set up, so the card is not asked again."""
    if method["customer"] == customer:
        return method
    if method["customer"] is not None:
        raise invalid("The payment method you provided has already been attached to a customer.", "payment_method")
    if method["_used"]:
        raise invalid(
            "This PaymentMethod was previously used without being attached to a Customer or was detached from a"
            " Customer, and may not be used again.",
            "payment_method",
        )
    card = behaviour(method["_number"])
    if card.charge is not None and not card.attaches and not verified:
        raise card_error(card.charge.message, card.charge.code, card.charge.decline_code)
    method["customer"] = customer
    call.save(method)
    call.emit("payment_method.attached", method)
    return method


def detach(call: Call, method: Body) -> Body:
    """Forget a saved method; it cannot be used again."""
    owner = method["customer"]
    if owner is None:
        raise invalid("The payment method you provided is not attached to a customer so detachment is impossible.")
    method.update(customer=None, _used=True)
    call.save(method)
    customer = call.get("customer", owner)
    if customer.get("invoice_settings", {}).get("default_payment_method") == method["id"]:
        customer["invoice_settings"]["default_payment_method"] = None
        call.save(customer)
    call.emit("payment_method.detached", method, {"customer": owner})
    return method


def check_owner(method: Body, customer: str | None) -> None:
    """Refuse a method that may not be used for this customer, or not again."""
    if method["customer"] is not None and customer is None:
        raise invalid(
            f"The PaymentMethod {method['id']} belongs to the Customer {method['customer']}. Please include the"
            " Customer in the `customer` parameter.",
            "payment_method",
        )
    if method["customer"] not in (None, customer):
        raise invalid(
            f"The customer does not have a payment method with the ID {method['id']}. The payment method must belong"
            " to the customer.",
            "payment_method",
        )
    if method["customer"] is None and method["_used"]:
        raise invalid(
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared"
            " with a connected account without Customer attachment, or was detached from a Customer. It may not be"
            " used again. To use a PaymentMethod multiple times, you must attach it to a Customer first.",
            "payment_method",
        )


def card_of(method: Body) -> TestCard:
    """What the test card behind a method does."""
    return behaviour(method["_number"])


def _fingerprint(call: Call, number: str) -> str:
    return hashlib.sha256(f"{call.world.account}/{number}".encode()).hexdigest()[:16]
