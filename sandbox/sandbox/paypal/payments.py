"""What happens to money: payments, refunds, reversals, eChecks; each told to the merchant."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sandbox.paypal import announce, transactions
from sandbox.paypal.errors import refused
from sandbox.paypal.marks import new_id
from sandbox.paypal.money import fee, share, worded
from sandbox.paypal.transactions import Payer, Transaction

if TYPE_CHECKING:
    from sandbox.paypal.engine import Call

REFUND_SECONDS = 180 * 24 * 3600
STANDING = ("Completed", "Partially_Refunded")


def pay(
    call: Call, account: str, kind: str, amount_minor: int, currency: str, payer: Payer, *, echeck: bool = False,
    pending_reason: str = "", **more: Any,
) -> Transaction:  # fmt: skip
    """A new payment, completed unless it waits for an eCheck or something else. more: further members."""
    reason = "echeck" if echeck else pending_reason
    paid = Transaction(
        new_id(), account, kind, "Pending" if reason else "Completed", amount_minor, currency,
        fee(amount_minor, currency), call.now, call.now, payer, echeck=echeck, pending_reason=reason, **more,
    )  # fmt: skip
    transactions.add(call.store, paid)
    announce.payment(call, paid)
    return paid


def refund(
    call: Call, parent: Transaction, amount_minor: int | None = None, *, invoice: str | None = None,
    custom: str | None = None, note: str = "",
) -> tuple[Transaction, Transaction]:  # fmt: skip
    """A refund of so much, or of what is left; and the payment as it is now. Raises PaypalError."""
    if parent.status == "Refunded":
        raise refused("CAPTURE_FULLY_REFUNDED", "The capture has already been fully refunded.")
    if parent.parent or parent.status not in STANDING:
        raise refused("CAPTURE_STATUS_NOT_VALID", f"What is {parent.status} cannot be refunded.")
    if call.now > parent.created + REFUND_SECONDS:
        raise refused("REFUND_TIME_LIMIT_EXCEEDED", "You are over the time limit to perform a refund: 180 days.")
    amount_minor = parent.left_minor if amount_minor is None else amount_minor
    if amount_minor > parent.left_minor:
        left = worded(parent.left_minor, parent.currency)
        raise refused("REFUND_AMOUNT_EXCEEDED", f"The refund amount must be at most what is left: {left}.")
    refunded_minor = parent.refunded_minor + amount_minor
    status = "Refunded" if refunded_minor == parent.amount_minor else "Partially_Refunded"
    parent = transactions.save(call.store, parent, call.now, status=status, refunded_minor=refunded_minor)
    made = _child(
        call, parent, "refund", "Refunded", -amount_minor, reason_code="refund", note=note,
        invoice=parent.invoice if invoice is None else invoice, custom=parent.custom if custom is None else custom,
    )  # fmt: skip
    announce.child(call, parent, made)
    return made, parent


def reverse(call: Call, parent: Transaction) -> Transaction:
    """Take back from the merchant what is left of a payment, as after a chargeback. Raises PaypalError."""
    if parent.parent or parent.status not in STANDING:
        raise refused("STATUS_NOT_VALID", f"What is {parent.status} cannot be reversed.")
    parent = transactions.save(call.store, parent, call.now, status="Reversed", held_minor=parent.left_minor)
    made = _child(call, parent, "reversal", "Reversed", -parent.held_minor, reason_code="chargeback")
    announce.child(call, parent, made)
    return made


def cancel_reversal(call: Call, parent: Transaction) -> Transaction:
    """Give back what a reversal took; an open case is won by it. Raises PaypalError."""
    if parent.status != "Reversed":
        raise refused("STATUS_NOT_VALID", f"Nothing of it was reversed: it is {parent.status}.")
    held_minor, status = parent.held_minor, "Partially_Refunded" if parent.refunded_minor else "Completed"
    case, kind = parent.case or _case_id(), parent.case_kind or "chargeback"
    parent = transactions.save(call.store, parent, call.now, status=status, held_minor=0, case="", case_kind="")
    made = _child(
        call, parent, "canceled_reversal", "Canceled_Reversal", held_minor, reason_code="chargeback_reimbursement"
    )
    announce.child(call, parent, made)
    announce.case_closed(call, replace(parent, case=case, case_kind=kind), won=True)
    return made


def clear(call: Call, pending: Transaction) -> Transaction:
    """A pending payment arrives. Raises PaypalError."""
    return _decide(call, pending, "Completed")


def bounce(call: Call, pending: Transaction) -> Transaction:
    """The bank has no money for an eCheck. Raises PaypalError."""
    return _decide(call, pending, "Failed")


def deny(call: Call, pending: Transaction) -> Transaction:
    """The merchant, or PayPal, does not take a pending payment. Raises PaypalError."""
    return _decide(call, pending, "Denied")


def open_case(call: Call, about: Transaction, kind: str) -> Transaction:
    """The payer complains; no money moves. Raises PaypalError."""
    if about.parent or about.status not in (*STANDING, "Reversed"):
        raise refused("STATUS_NOT_VALID", f"There is nothing to complain of: it is {about.status}.")
    if about.case:
        raise refused("CASE_OPEN", f"There is a case already: {about.case}.")
    about = transactions.save(call.store, about, call.now, case=_case_id(), case_kind=kind)
    announce.case_opened(call, about)
    return about


def close_case(call: Call, about: Transaction, *, won: bool) -> Transaction:
    """The case ends; what it means for money is told by reverse and cancel_reversal. Raises PaypalError."""
    if not about.case:
        raise refused("NO_CASE", "There is no open case.")
    announce.case_closed(call, about, won=won)
    return transactions.save(call.store, about, call.now, case="", case_kind="")


def _decide(call: Call, pending: Transaction, status: str) -> Transaction:
    if pending.status != "Pending":
        raise refused("STATUS_NOT_VALID", f"It is not pending but {pending.status}.")
    decided = transactions.save(call.store, pending, call.now, status=status, pending_reason="")
    announce.payment(call, decided)
    return decided


def _child(call: Call, parent: Transaction, kind: str, status: str, amount_minor: int, **more: Any) -> Transaction:
    """What follows a payment, as a transaction of its own; the part of the fee that grows goes along."""
    back_minor = min(share(abs(amount_minor)), parent.fee_minor)
    members = {"invoice": parent.invoice, "custom": parent.custom, **more}
    made = Transaction(
        new_id(), parent.account, kind, status, amount_minor, parent.currency,
        back_minor if amount_minor > 0 else -back_minor, call.now, call.now, parent.payer, parent=parent.id,
        item_name=parent.item_name, item_number=parent.item_number, echeck=parent.echeck, order=parent.order,
        notify_url=parent.notify_url, **members,
    )  # fmt: skip
    return transactions.add(call.store, made)


def _case_id() -> str:
    return f"PP-D-{new_id(6)}"
