"""The ledger's rules, pure: which transfers an event means, and what a transfer does to a client's balance.

A client's account is the business's liability: crediting it raises the balance (the client has more left), debiting
it lowers it. One row moves `amount_minor` between two accounts, so every entry sums to zero by construction.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from billing.domain import tally
from common.events import Event
from common.events.payments import (
    PaymentFundsReinstated,
    PaymentFundsWithdrawn,
    PaymentRecorded,
    PaymentRefunded,
    PaymentRefundReversed,
    PaymentVoided,
)

Credit = PaymentRecorded | PaymentRefundReversed | PaymentFundsReinstated
Debit = PaymentVoided | PaymentRefunded | PaymentFundsWithdrawn

ADJUSTMENTS = "adjustments"


def client_account(client_id: str) -> str:
    return f"client:{client_id}"


def clearing_account(method: str) -> str:
    """Where money received by a method waits until it is banked."""
    return f"clearing:{method}"


@dataclass(frozen=True, slots=True)
class Posting:
    """One transfer to be booked: debit one account, credit another. `payment_id` names the payment whose money it is,
    `service_id` the service whose income it changes."""

    business_id: str
    client_id: str
    debit_account: str
    credit_account: str
    amount_minor: int
    currency: str
    kind: str
    source: str
    effective_on: date
    line: int = 0
    memo: str | None = None
    recorded_by: dict[str, Any] | None = None
    cause: Event | None = None
    payment_id: str | None = None
    service_id: str | None = None
    # What of the client's reservations this takes up: a scheduled session that is charged.
    unreserved_minor: int = 0

    @property
    def change_minor(self) -> int:
        """What it does to the client's balance, signed."""
        return self.amount_minor if self.credit_account == client_account(self.client_id) else -self.amount_minor


def postings_of(event: Credit | Debit) -> Sequence[Posting]:
    """The entry that a payment event means. What is given back or withdrawn is a reversing entry, dated when that was
    done; so is what comes back after it."""
    client = client_account(event.client_id)
    clearing = clearing_account(event.method)
    debit, credit = (clearing, client) if isinstance(event, Credit) else (client, clearing)
    match event:
        case PaymentRecorded():
            kind = "payment"
            source, effective_on, memo = f"payment:{event.payment_id}", event.received_on, None
        case PaymentVoided():
            kind = "payment_void"
            source, effective_on, memo = f"payment-void:{event.payment_id}", event.voided_on, event.reason
        case PaymentRefunded():
            kind = "refund"
            source, effective_on, memo = f"refund:{event.refund_id}", event.refunded_on, event.reason
        case PaymentRefundReversed():
            kind = "refund_reversal"
            source, effective_on, memo = f"refund-reversal:{event.refund_id}", event.reversed_on, event.reason
        case PaymentFundsWithdrawn():
            kind = "funds_withdrawn"
            source, effective_on, memo = f"funds:{event.movement_id}", event.moved_on, None
        case PaymentFundsReinstated():
            kind = "funds_reinstated"
            source, effective_on, memo = f"funds:{event.movement_id}", event.moved_on, None
    return [
        Posting(
            business_id=event.business_id,
            client_id=event.client_id,
            debit_account=debit,
            credit_account=credit,
            amount_minor=event.amount_minor,
            currency=event.currency,
            kind=kind,
            source=source,
            effective_on=effective_on,
            memo=memo,
            recorded_by=event.recorded_by.model_dump() if event.recorded_by else None,
            cause=event,
            payment_id=event.payment_id,
        )
    ]


def income_account(service_id: str) -> str:
    """What a service has brought in."""
    return f"income:{service_id}"


def charge(
    business_id: str,
    client_id: str,
    source: str,
    kind: str,
    amount_minor: int,
    currency: str,
    service_id: str,
    effective_on: date,
    memo: str | None,
    recorded_by: dict[str, Any],
    line: int = 0,
    unreserved_minor: int = 0,
) -> Posting:
    """What a session, or a line of an invoice, costs the client: kind session_completed, session_missed or invoice."""
    return Posting(
        business_id=business_id,
        client_id=client_id,
        debit_account=client_account(client_id),
        credit_account=income_account(service_id),
        amount_minor=amount_minor,
        currency=currency,
        kind=kind,
        source=source,
        line=line,
        effective_on=effective_on,
        memo=memo,
        recorded_by=recorded_by,
        service_id=service_id,
        unreserved_minor=unreserved_minor,
    )


def reversal(charged: Posting, source: str, kind: str, effective_on: date, recorded_by: dict[str, Any]) -> Posting:
    """The entry that takes a charge back, dated when it is made."""
    return replace(
        charged,
        debit_account=charged.credit_account,
        credit_account=charged.debit_account,
        source=source,
        kind=kind,
        effective_on=effective_on,
        recorded_by=recorded_by,
        unreserved_minor=0,
    )


SESSION_CHARGES = ("session_completed", "session_missed")
# The kinds that move what was received by a method → how many payments more that is.
RECEIPTS = {
    "payment": 1, "payment_void": -1, "refund": 0, "refund_reversal": 0, "funds_withdrawn": 0, "funds_reinstated": 0,
}  # fmt: skip


def tallied(posting: Posting) -> Iterator[tally.Change]:
    """Which sums by day a transfer moves: a service's income with its sessions, or what was received by a method."""
    favour = posting.change_minor
    if posting.service_id is not None:
        sessions = 1 if posting.kind in SESSION_CHARGES else -1 if posting.kind == "session_cancelled" else 0
        yield tally.of_income(posting.service_id, posting.effective_on, -favour, sessions)
    elif posting.kind in RECEIPTS:
        clearing = posting.debit_account if favour > 0 else posting.credit_account
        method = clearing.removeprefix(clearing_account(""))
        yield tally.of_receipts(method, posting.effective_on, favour, RECEIPTS[posting.kind])


def adjustment(
    business_id: str,
    client_id: str,
    adjustment_id: str,
    kind: str,
    amount_minor: int,
    currency: str,
    effective_on: date,
    reason: str,
    recorded_by: dict[str, Any],
) -> Posting:
    """A correction by staff: `credit` is in the client's favour, `debit` is not."""
    client = client_account(client_id)
    debit, credit = (ADJUSTMENTS, client) if kind == "credit" else (client, ADJUSTMENTS)
    return Posting(
        business_id=business_id,
        client_id=client_id,
        debit_account=debit,
        credit_account=credit,
        amount_minor=amount_minor,
        currency=currency,
        kind=f"adjustment_{kind}",
        source=f"adjustment:{adjustment_id}",
        effective_on=effective_on,
        memo=reason,
        recorded_by=recorded_by,
    )


def watched_threshold(client_minor: int | None, business_minor: int, prepayment_required: bool) -> int | None:
    """The threshold whose crossing is announced, or None when none is watched: the client's own before the
    business's; a business that neither asks for pre-payment nor set one watches none."""
    if client_minor is not None:
        return client_minor
    return business_minor if prepayment_required or business_minor > 0 else None


def crossing(before_minor: int, after_minor: int, threshold_minor: int | None) -> bool | None:
    """What the balance did to the threshold: True = fell below it, False = rose to it, None = neither. Both sides are
    judged by the threshold of today, so that changing it announces nothing by itself."""
    if threshold_minor is None:
        return None
    was_below, is_below = before_minor < threshold_minor, after_minor < threshold_minor
    return None if is_below == was_below else is_below
