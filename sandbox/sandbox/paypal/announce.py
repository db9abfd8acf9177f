"""Telling the merchant: an IPN for what the website or the terminal took, an event for what the API captured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.paypal import events, ipn, shapes
from sandbox.paypal.marks import merchant_id

if TYPE_CHECKING:
    from sandbox.paypal.engine import Call
    from sandbox.paypal.transactions import Transaction

CAPTURE_EVENTS = {"Completed": "COMPLETED", "Pending": "PENDING", "Denied": "DENIED", "Failed": "DENIED"}
REASONS = {"complaint": "MERCHANDISE_OR_SERVICE_NOT_RECEIVED", "chargeback": "UNAUTHORISED"}


def payment(call: Call, paid: Transaction) -> None:
    """A payment as it is now."""
    if not paid.order:
        ipn.tell(call, paid, paid.notify_url)
        return
    word = CAPTURE_EVENTS[paid.status]
    body = shapes.capture_body(paid, call.address)
    events.emit(call, paid.account, f"PAYMENT.CAPTURE.{word}", "capture", body, f"Payment {word.lower()}.")


def child(call: Call, parent: Transaction, made: Transaction) -> None:
    """A refund, a reversal, or the end of one. Of the last, PayPal's events tell only as a dispute that was won."""
    if not parent.order:
        ipn.tell(call, made, parent.notify_url)
        return
    word = {"refund": "REFUNDED", "reversal": "REVERSED"}.get(made.kind)
    if word is not None:
        body = shapes.refund_body(made, parent.refunded_minor, call.address)
        events.emit(call, made.account, f"PAYMENT.CAPTURE.{word}", "refund", body, f"A payment was {word.lower()}.")


def case_opened(call: Call, about: Transaction) -> None:
    """A case about a payment."""
    if not about.order:
        ipn.tell_case(call, about)
        return
    _dispute(call, about, None)


def case_closed(call: Call, about: Transaction, *, won: bool) -> None:
    """The end of a case; IPN has no message for it."""
    if about.order:
        _dispute(call, about, "RESOLVED_SELLER_FAVOUR" if won else "RESOLVED_BUYER_FAVOUR")


def _dispute(call: Call, about: Transaction, outcome: str | None) -> None:
    merchant = merchant_id(about.account)
    body = shapes.dispute_body(about, merchant, REASONS[about.case_kind], call.now, call.address, outcome)
    word = "RESOLVED" if outcome else "CREATED"
    summary = f"A dispute was {word.lower()} about transaction {about.id}."
    events.emit(call, about.account, f"CUSTOMER.DISPUTE.{word}", "dispute", body, summary)
