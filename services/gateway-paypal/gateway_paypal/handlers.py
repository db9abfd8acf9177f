"""What gateway-paypal does when it hears of refunds, and of its own tests. It calls nobody."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from common import directory, jobs
from common.events.gateways import GatewayTestNoticed
from common.events.payments import RefundRequested
from common.gateway import proof
from common.inbox import Handlers
from gateway_paypal.usecases import refunds


def make_refunds(events: Sequence[RefundRequested], session: Session) -> None:
    """Queue the refunds of payments that PayPal took."""
    jobs.add(session, [
        (refunds.JOB, event.refund_id, event.business_id, {
            "gateway_account": event.gateway_account,
            "gateway_payment_id": event.gateway_payment_id,
            "amount_minor": event.amount_minor,
            "currency": event.currency,
        })
        for event in events
        if event.gateway == "paypal"
    ])  # fmt: skip


HANDLERS: Handlers = {
    **directory.HANDLERS,
    RefundRequested: make_refunds,
    GatewayTestNoticed: proof.note,
}
