"""What gateway-stripe does when it hears of refunds, and of its own tests. It calls nobody."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from common import clock, directory, jobs
from common.events.gateways import GatewayTestNoticed
from common.events.payments import RefundRequested
from common.inbox import Handlers
from gateway_stripe.models import TestRun
from gateway_stripe.usecases import refunds


def make_refunds(events: Sequence[RefundRequested], session: Session) -> None:
    """Queue the refunds of payments that Stripe took."""
    jobs.add(session, [
        (refunds.JOB, event.refund_id, event.business_id, {
            "gateway_account": event.gateway_account,
            "gateway_payment_id": event.gateway_payment_id,
            "amount_minor": event.amount_minor,
            "currency": event.currency,
        })
        for event in events
        if event.gateway == "stripe"
    ])  # fmt: skip


def note_tests(events: Sequence[GatewayTestNoticed], session: Session) -> None:
    """A test's callback is back, through the bus."""
    for event in events:
        run = session.get(TestRun, (event.business_id, event.test_id))
        if run is not None and run.noticed_at is None:
            run.noticed_at = clock.now()
    session.flush()


HANDLERS: Handlers = {
    **directory.HANDLERS,
    RefundRequested: make_refunds,
    GatewayTestNoticed: note_tests,
}
