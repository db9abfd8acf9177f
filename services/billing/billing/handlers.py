"""What billing does when it hears of payments. Each handler takes the events of one type in a batch."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from billing.domain import ledger
from billing.usecases import accounts, allocations
from billing.usecases.accounts import Account, Key, UnknownClient
from billing.usecases.ledger import book
from common.events.payments import PaymentRecorded, PaymentRefunded, PaymentVoided
from common.inbox import Handlers, Reject

PaymentEvent = PaymentRecorded | PaymentVoided | PaymentRefunded


def credit_clients(events: Sequence[PaymentRecorded], session: Session) -> None:
    """Post money received, and set it against the invoices it is for."""
    held = _book(events, session)
    for event in events:
        if event.invoice_number:
            allocations.allocate_payment(session, held[event.business_id, event.client_id], event)
    for account in held.values():
        allocations.apply_automatically(session, account)


def debit_clients(events: Sequence[PaymentVoided | PaymentRefunded], session: Session) -> None:
    """Post what was voided or given back, and take it off invoices. Nothing asks whether the payment was posted before:
    sums commute."""
    held = _book(events, session)
    for business_id in sorted({event.business_id for event in events}):
        mine = [event.payment_id for event in events if event.business_id == business_id]
        allocations.release_given_back(session, business_id, mine)
    for account in held.values():
        allocations.apply_automatically(session, account)


def _book(events: Sequence[PaymentEvent], session: Session) -> dict[Key, Account]:
    try:
        held = accounts.lock(session, {(event.business_id, event.client_id) for event in events})
    except UnknownClient as error:
        # Clients are billing's own: one that is not here will not come by waiting.
        raise Reject(str(error)) from None
    book(session, [posting for event in events for posting in ledger.postings_of(event)], held)
    return held


HANDLERS: Handlers = {
    PaymentRecorded: credit_clients,
    PaymentVoided: debit_clients,
    PaymentRefunded: debit_clients,
}
