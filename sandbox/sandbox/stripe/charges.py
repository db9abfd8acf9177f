"""Charges: what an attempt to pay left behind."""

from __future__ import annotations

from typing import Any

from sandbox.stripe.call import Call
from sandbox.stripe.cards import Refusal
from sandbox.stripe.lists import list_spec, listed
from sandbox.stripe.params import EXPAND, Params, merged, metadata, text
from sandbox.stripe.routes import operation
from sandbox.stripe.store import Body

APPROVED = {
    "advice_code": None, "network_advice_code": None, "network_decline_code": None,
    "network_status": "approved_by_network", "reason": None, "risk_level": "normal", "risk_score": 10,
    "seller_message": "Payment complete.", "type": "authorized",
}  # fmt: skip
NONE = (
    "application", "application_fee", "application_fee_amount", "balance_transaction",
    "failure_balance_transaction", "on_behalf_of", "radar_options", "review", "source", "source_transfer",
    "statement_descriptor", "statement_descriptor_suffix", "transfer_data", "transfer_group", "receipt_number",
)  # fmt: skip


def make(call: Call, intent: Body, method: Body, status: str, refusal: Refusal | None = None) -> Body:
    """A new charge of an intent. status: succeeded, pending (a bank debit) or failed."""
    paid = status == "succeeded"
    return call.add(
        call.head("ch" if method["type"] == "card" else "py", "charge")
        | dict.fromkeys(NONE)
        | {
            "amount": intent["amount"],
            "amount_captured": intent["amount"] if status != "failed" else 0,
            "amount_refunded": 0,
            "billing_details": method["billing_details"],
            "calculated_statement_descriptor": "SANDBOX",
            "captured": status != "failed",
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "disputed": False,
            "failure_code": refusal.code if refusal else None,
            "failure_message": refusal.message if refusal else None,
            "fraud_details": {},
            "metadata": dict(intent["metadata"]),
            "outcome": _outcome(refusal),
            "paid": paid,
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": details(method, intent["amount"]),
            "receipt_email": intent["receipt_email"],
            "receipt_url": None,
            "refunded": False,
            "shipping": intent["shipping"],
            "status": status,
            "_number": method["_number"],
        }
    )


def details(method: Body, amount: int) -> dict[str, Any]:
    """How the method shows on a charge."""
    kind = method["type"]
    shown = {**method[kind]}
    if kind == "card":
        for name in ("display_brand", "networks", "three_d_secure_usage", "generated_from"):
            shown.pop(name, None)
        shown |= {"amount_authorized": amount, "installments": None, "mandate": None, "network": shown["brand"],
                  "three_d_secure": None}  # fmt: skip
    return {kind: shown, "type": kind}


def _outcome(refusal: Refusal | None) -> dict[str, Any]:
    if refusal is None:
        return dict(APPROVED)
    return APPROVED | {
        "network_status": "declined_by_network",
        "reason": refusal.decline_code or refusal.code,
        "seller_message": "The bank did not return any further details with this decline.",
        "type": "issuer_declined",
    }


@operation("GET", "charges/{id}", EXPAND)
def retrieve(call: Call, _params: Params, key: str) -> Body:
    """One charge."""
    return call.get("charge", key)


@operation("POST", "charges/{id}", {**EXPAND, "metadata": metadata, "description": text, "receipt_email": text})
def update(call: Call, params: Params, key: str) -> Body:
    """Change what is written on a charge."""
    body = call.get("charge", key)
    body["metadata"] = merged(body["metadata"], params.get("metadata"))
    body.update({name: params[name] for name in ("description", "receipt_email") if name in params})
    call.save(body)
    call.emit("charge.updated", body)
    return body


@operation("GET", "charges", list_spec("customer", "payment_intent"))
def page(call: Call, params: Params) -> Body:
    """Charges, also failed ones."""
    return listed(call, "charge", params, "/v1/charges", "customer", "payment_intent")
