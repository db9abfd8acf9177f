"""Money that came from gateways and is nobody's yet, in words, pure."""

from typing import Any

from common.money import format_money

# What speaks for a client, as payments tells it.
WHY = {
    "remembered_payer": "this payer is remembered for them",
    "payer_email": "the payer has their e-mail address",
    "invoice_like": "the invoice number is the typed one, or nearly",
    "amount": "the invoice asks for exactly this amount",
    "open_invoice": "the invoice is theirs, and open",
}
_REASONS = {
    "the gateway does not say whose it is": "{gateway} does not say whose it is.",
    "the gateway does not say whose it is, and no invoice fits what it names": (
        "{gateway} does not say whose it is, and no invoice has the number that was typed."
    ),
    "more than one invoice fits what it names": "More than one invoice has the number that was typed.",
    "the invoice that it names is void": "The invoice that it names is void.",
    "the client that it names is not known": "It names a client whom nobody here knows.",
    "the client whose it seems to be is not known": "The client whose it seems to be is not known here.",
}
_TOLD = {
    "GatewayFeeKnown": "a fee",
    "GatewayRefundSucceeded": "a refund",
    "GatewayRefundFailed": "a refund that failed",
    "GatewayDisputeOpened": "a dispute",
    "GatewayDisputeClosed": "the end of a dispute",
    "GatewayFundsWithdrawn": "money taken back for a dispute",
    "GatewayFundsReinstated": "money given back after a dispute",
}
_GATEWAYS = {"stripe": "Stripe", "paypal": "PayPal"}


def gateway(code: str) -> str:
    return _GATEWAYS.get(code, code)


def reason(line: dict[str, Any]) -> str:
    """Why money is in the tray."""
    told = str(line["reason"])
    known = _REASONS.get(told)
    if known is not None:
        return known.format(gateway=gateway(line["gateway"]))
    return f"{told[:1].upper()}{told[1:].rstrip('.')}."


def why(suggestion: dict[str, Any]) -> str:
    """Why a client is suggested, as one sentence."""
    words = ", and ".join(WHY.get(word, word.replace("_", " ")) for word in suggestion["why"])
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def waiting(fact: dict[str, Any]) -> str:
    """What a gateway told that is no part of a payment yet."""
    told = fact["told"]
    what = _TOLD.get(fact["type"], "something")
    amount_minor = told.get("fee_minor", told.get("amount_minor"))
    money = ""
    if amount_minor is not None and told.get("currency"):
        money = f" of {format_money(amount_minor, told['currency'])}"
    return f"{gateway(fact['gateway'])} tells of {what}{money}."
