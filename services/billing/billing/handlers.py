"""What billing does when it hears of payments. Each handler takes the events of one type in a batch."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from billing.domain import ledger
from billing.domain.ledger import Credit, Debit
from billing.usecases import accounts, allocations, announced, refunds
from billing.usecases.accounts import Account, Key, UnknownClient
from billing.usecases.ledger import book
from common.events.gateways import GatewayPaymentFailed, GatewayPaymentPending, GatewayPaymentSucceeded
from common.events.payments import (
    PaymentFundsReinstated,
    PaymentFundsWithdrawn,
    PaymentRecorded,
    PaymentRefunded,
    PaymentRefundReversed,
    PaymentVoided,
    RefundAbandoned,
    RefundRequested,
)
from common.inbox import Handlers, Reject


def credit_clients(events: Sequence[Credit], session: Session) -> None:
    """Post money received, or back again after it was gone, and set what is received against the invoices it is for."""
    held = _lock(events, session)
    _book(events, session, held)
    for event in events:
        if isinstance(event, PaymentRecorded) and event.invoice_number:
            allocations.allocate_payment(session, held[event.business_id, event.client_id], event)
    for account in held.values():
        allocations.apply_automatically(session, account)


def debit_clients(events: Sequence[Debit], session: Session) -> None:
    """Post what was voided, given back or withdrawn, and take it off invoices. Nothing asks whether the payment was
    posted before: sums commute."""
    held = _lock(events, session)
    # Before it is posted: what is available does not change by it, so no gate may seem to shut and open again.
    refunds.release(session, [event for event in events if isinstance(event, PaymentRefunded)], held)
    _book(events, session, held)
    accounts.store(session, list(held.values()))
    for business_id in sorted({event.business_id for event in events}):
        mine = [event.payment_id for event in events if event.business_id == business_id]
        allocations.release_given_back(session, business_id, mine)
    for account in held.values():
        allocations.apply_automatically(session, account)


def reserve_refunds(events: Sequence[RefundRequested], session: Session) -> None:
    """Reserve what is about to be given back."""
    held = _lock(events, session)
    refunds.reserve(session, events, held)
    accounts.store(session, list(held.values()))


def release_refunds(events: Sequence[RefundAbandoned], session: Session) -> None:
    """Reserve no longer what will not be given back."""
    held = _lock(events, session)
    refunds.release(session, events, held)
    accounts.store(session, list(held.values()))


def _lock(events: Sequence[Credit | Debit | RefundRequested | RefundAbandoned], session: Session) -> dict[Key, Account]:
    try:
        return accounts.lock(session, {(event.business_id, event.client_id) for event in events})
    except UnknownClient as error:
        # Clients are billing's own: one that is not here will not come by waiting.
        raise Reject(str(error)) from None


def _book(events: Sequence[Credit | Debit], session: Session, held: dict[Key, Account]) -> None:
    book(session, [posting for event in events for posting in ledger.postings_of(event)], held)


def note_announced(events: Sequence[announced.Told], session: Session) -> None:
    """Show money on its way beside the balance, or show it no longer."""
    announced.note(session, events)


HANDLERS: Handlers = {
    PaymentRecorded: credit_clients,
    PaymentVoided: debit_clients,
    PaymentRefunded: debit_clients,
    PaymentRefundReversed: credit_clients,
    PaymentFundsWithdrawn: debit_clients,
    PaymentFundsReinstated: credit_clients,
    RefundRequested: reserve_refunds,
    RefundAbandoned: release_refunds,
    GatewayPaymentPending: note_announced,
    GatewayPaymentSucceeded: note_announced,
    GatewayPaymentFailed: note_announced,
}
