"""What gateway-stripe does when it hears of refunds: it makes a job of them, and calls nobody."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from common import directory, jobs
from common.events.payments import RefundRequested
from common.inbox import Handlers
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


HANDLERS: Handlers = {**directory.HANDLERS, RefundRequested: make_refunds}
