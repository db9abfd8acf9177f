"""What payments does when it hears of businesses and clients, of which it keeps a copy, and of money at gateways. Each
handler takes the events of one type in a batch."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from common import directory
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
from payments.usecases import arrivals, facts, pending


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
