"""What payments does when it hears of businesses, clients and invoices, of which it keeps a copy, and of money at
gateways. Each handler takes the events of one type in a batch."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from common import directory
from common.events.billing import (
    ClientRegistered,
    ClientUpdated,
    InvoiceIssued,
    InvoicePaid,
    InvoiceReopened,
    InvoiceVoided,
)
from common.events.gateways import (
    GatewayDisputeClosed,
    GatewayDisputeOpened,
    GatewayFeeKnown,
    GatewayFundsReinstated,
    GatewayFundsWithdrawn,
    GatewayPaymentFailed,
    GatewayPaymentPending,
    GatewayPaymentSucceeded,
    GatewayRefundFailed,
    GatewayRefundSucceeded,
)
from common.inbox import Handlers
from payments.domain.gateway import Fact
from payments.usecases import arrivals, facts, invoices, pending, unmatched
from payments.usecases.invoices import InvoiceEvent


def keep_clients(events: Sequence[ClientRegistered | ClientUpdated], session: Session) -> None:
    """Keep the newest of each client, and record money whose invoice is theirs."""
    directory.keep_clients(events, session)
    unmatched.attribute_to_clients(session, events)


def keep_invoices(events: Sequence[InvoiceEvent], session: Session) -> None:
    """Keep the newest of each invoice, and record money that was waiting for it."""
    invoices.keep(session, events)
    unmatched.attribute_to_invoices(session, events)


def announce_money(events: Sequence[GatewayPaymentPending], session: Session) -> None:
    """Show what is on its way."""
    pending.announce(session, events)


def record_money(events: Sequence[GatewayPaymentSucceeded], session: Session) -> None:
    """Record what arrived: a payment, or a place in the tray."""
    arrivals.record(session, events)


def give_up_on_money(events: Sequence[GatewayPaymentFailed], session: Session) -> None:
    """Show no longer what will not come."""
    pending.fail(session, events)


def take_facts(events: Sequence[Fact], session: Session) -> None:
    """Make fees, refunds, disputes and their money part of their payments, or keep them until they can be."""
    facts.take(session, events)


HANDLERS: Handlers = {
    **directory.HANDLERS,
    ClientRegistered: keep_clients,
    ClientUpdated: keep_clients,
    InvoiceIssued: keep_invoices,
    InvoicePaid: keep_invoices,
    InvoiceReopened: keep_invoices,
    InvoiceVoided: keep_invoices,
    GatewayPaymentPending: announce_money,
    GatewayPaymentSucceeded: record_money,
    GatewayPaymentFailed: give_up_on_money,
    GatewayFeeKnown: take_facts,
    GatewayRefundSucceeded: take_facts,
    GatewayRefundFailed: take_facts,
    GatewayDisputeOpened: take_facts,
    GatewayDisputeClosed: take_facts,
    GatewayFundsWithdrawn: take_facts,
    GatewayFundsReinstated: take_facts,
}
