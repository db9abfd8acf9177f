"""What billing does when it hears of payments. Each handler takes the events of one type in a batch."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from billing.domain import ledger
from billing.usecases.accounts import UnknownClient
from billing.usecases.ledger import book
from common.events.payments import PaymentRecorded, PaymentRefunded, PaymentVoided
from common.inbox import Handlers, Reject


def credit_clients(events: Sequence[PaymentRecorded], session: Session) -> None:
    """Post money received."""
    _book(events, session)


def debit_clients(events: Sequence[PaymentVoided | PaymentRefunded], session: Session) -> None:
    """Post what was voided or given back. Nothing asks whether the payment was posted before: sums commute."""
    _book(events, session)


def _book(events: Sequence[PaymentRecorded | PaymentVoided | PaymentRefunded], session: Session) -> None:
    try:
        book(session, [posting for event in events for posting in ledger.postings_of(event)])
    except UnknownClient as error:
        # Clients are billing's own: one that is not here will not come by waiting.
        raise Reject(str(error)) from None


HANDLERS: Handlers = {
    PaymentRecorded: credit_clients,
    PaymentVoided: debit_clients,
    PaymentRefunded: debit_clients,
}
