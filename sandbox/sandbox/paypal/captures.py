"""Captured payments and their refunds, for the API."""

from __future__ import annotations

from typing import Any

from sandbox.paypal import payments, shapes, transactions
from sandbox.paypal.errors import malformed, missing, refused
from sandbox.paypal.orders import LONGEST_CUSTOM, LONGEST_INVOICE, amount_of
from sandbox.paypal.routes import Ask, object_of, operation, text_of
from sandbox.paypal.transactions import Transaction

CAPTURES = "/v2/payments/captures"
RETURNED = ("refund", "reversal")


@operation("GET", f"{CAPTURES}/{{id}}", "reads")
def show_capture(ask: Ask, key: str) -> tuple[int, Any]:
    """A captured payment as it is now."""
    return 200, shapes.capture_body(_capture(ask, key), ask.call.address)


@operation("POST", f"{CAPTURES}/{{id}}/refund", "refunds")
def refund(ask: Ask, key: str) -> tuple[int, Any]:
    """Give a captured payment back, or a part of it."""
    capture = _capture(ask, key)
    amount = object_of(ask.wanted, "amount")
    made, capture = payments.refund(
        ask.call, capture, _amount(amount, capture) if amount else None,
        invoice=_given(ask, "invoice_id", LONGEST_INVOICE), custom=_given(ask, "custom_id", LONGEST_CUSTOM),
        note=ask.text("note_to_payer", 255),
    )  # fmt: skip
    return 201, shapes.refund_body(made, capture.refunded_minor, ask.call.address)


@operation("GET", "/v2/payments/refunds/{id}", "reads")
def show_refund(ask: Ask, key: str) -> tuple[int, Any]:
    """A refund."""
    refund = transactions.find(ask.call.store, key, ask.account.email)
    parent = transactions.find(ask.call.store, refund.parent) if refund is not None else None
    if refund is None or parent is None or refund.kind not in RETURNED or not refund.order:
        raise missing("refund", key)
    return 200, shapes.refund_body(refund, parent.refunded_minor, ask.call.address)


def _capture(ask: Ask, key: str) -> Transaction:
    found = transactions.find(ask.call.store, key, ask.account.email)
    if found is None or found.kind != "capture":
        raise missing("capture", key)
    return found


def _amount(amount: dict[str, Any], capture: Transaction) -> int:
    currency = text_of(amount, "currency_code", 3)
    if not isinstance(amount.get("value"), str):
        raise malformed("MISSING_REQUIRED_PARAMETER", "The amount needs a value.", "/amount/value")
    if currency != capture.currency:
        raise refused("REFUND_CAPTURE_CURRENCY_MISMATCH", f"The payment was in {capture.currency}.")
    return amount_of(amount["value"], currency)


def _given(ask: Ask, name: str, most: int) -> str | None:
    return ask.text(name, most) if name in ask.wanted else None
