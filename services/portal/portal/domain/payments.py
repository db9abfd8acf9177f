"""Payments, in words, pure: how money came, what became of it, what can still be done with it, and what that does."""

from collections.abc import Mapping
from typing import Any

from common.money import format_money
from portal.domain.words import day

METHODS = {
    "cash": "Cash", "check": "Check", "bank_transfer": "Bank transfer", "card_terminal": "Card terminal",
    "card": "Card", "paypal": "PayPal", "other": "Another way",
}  # fmt: skip
# What staff may say of money that they took themselves.
BY_HAND = ("cash", "check", "bank_transfer", "card_terminal", "other")
SOURCES = {
    "manual": "typed by staff", "batch": "Add Payments, many at once", "client": "paid by the client by card",
    "pay_assist": "Pay Assist", "saved_card": "saved card", "paypal": "PayPal", "virtual_terminal": "virtual terminal",
    "reconciled": "found at the gateway afterwards",
}  # fmt: skip
STATUSES = ("recorded", "partially_refunded", "refunded", "voided", "disputed", "charged_back")
GATEWAYS = {"stripe": "Stripe", "paypal": "PayPal"}

# state → (tone of its tag, its words)
REFUNDS = {
    "pending": ("", "under way"), "succeeded": ("good", "given back"), "failed": ("late", "did not work"),
    "reversed": ("late", "came back"),
}  # fmt: skip
DISPUTES = {
    "open": ("late", "open"), "won": ("good", "won"), "lost": ("late", "lost"), "withdrawn": ("off", "taken back"),
}  # fmt: skip


def left_minor(payment: Mapping[str, Any]) -> int:
    """What can still be given back of it, in minor units."""
    if payment["status"] == "voided":
        return 0
    gone = ("refunded_minor", "refund_pending_minor", "disputed_minor")
    return int(payment["amount_minor"] - sum(payment[name] for name in gone))


def can_be_voided(payment: Mapping[str, Any]) -> bool:
    """Only what was recorded by hand, and of which nothing was given back, can be taken for a mistake."""
    is_untouched = not payment["refunded_minor"] and not payment["refund_pending_minor"]
    return payment["gateway"] is None and payment["status"] != "voided" and is_untouched


def in_words(payment: Mapping[str, Any]) -> str:
    """What became of it, in a sentence or two; nothing when nothing did."""
    refunded, coming, held = (
        format_money(payment[name], payment["currency"])
        for name in ("refunded_minor", "refund_pending_minor", "disputed_minor")
    )
    match payment["status"]:
        case "voided":
            why = (payment["void_reason"] or "").rstrip(".")
            return f"Void: it was recorded by mistake, and counts no more. Why: {why}." if why else "Void."
        case "charged_back":
            return f"The dispute was lost: {held} went back to the payer."
    said = []
    if payment["status"] == "disputed":
        said.append(
            f"The payer disputes it, and {held} is held back until that is decided." if payment["disputed_minor"]
            else "The payer disputes it. No money was held back so far."
        )  # fmt: skip
    if payment["status"] == "refunded":
        said.append("All of it was given back.")
    elif payment["refunded_minor"]:
        said.append(f"{refunded} of it was given back.")
    if payment["refund_pending_minor"]:
        said.append(f"{coming} is on its way back; {gateway_of(payment)} has not confirmed it yet.")
    return " ".join(said)


def own_reference(payment: Mapping[str, Any]) -> str:
    """Its reference; a gateway's own number, which stands with the gateway, is none."""
    reference = str(payment["reference"] or "")
    return "" if reference == payment["gateway_payment_id"] else reference


def gateway_of(payment: Mapping[str, Any]) -> str:
    """What the gateway is called that took it."""
    gateway = str(payment["gateway"] or "")
    return GATEWAYS.get(gateway, gateway.title())


def consequences(payment: Mapping[str, Any]) -> list[str]:
    """What voiding it does, in sentences."""
    money, name = format_money(payment["amount_minor"], payment["currency"]), payment["client_name"]
    said = [
        f"{money} is taken off the balance of {name} again.",
        f"Receipt {payment['receipt_number']} stays, and says that it is void.",
    ]
    if payment["invoice_number"]:
        said.append(f"What it paid of invoice {payment['invoice_number']} is asked for again.")
    return [*said, "No money moves: what was really received is given back with a refund instead."]


def looks_recorded(found: Mapping[str, Any], name: str, currency: str) -> str:
    """Of a payment that looks like the same money as the one that was typed."""
    money, on = format_money(found["amount_minor"], currency), day(str(found["received_on"]))
    if found["why"] == "same reference":
        return f"A payment of {money} with the reference {found['reference']} is recorded already, received on {on}."
    return f"{money} from {name} is recorded already, received on {on}."


def refusal(refused_code: str, detail: str, payment: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """What a refusal of a refund says: as a whole, and beside its fields."""
    if refused_code != "refund_exceeds_payment":
        return detail, {}
    left = left_minor(payment)
    if left <= 0:
        return "Nothing was given back: nothing of this payment is left to give back.", {}
    words = f"At most {format_money(left, payment['currency'])} can still be given back."
    return f"Nothing was given back. {words}", {"amount": words}
