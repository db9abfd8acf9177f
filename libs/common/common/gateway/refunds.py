"""Refunds that payments asked for, queued at the gateway that took the payment."""

from collections.abc import Callable, Sequence

from sqlalchemy.orm import Session

from common import jobs
from common.events import correlation_of
from common.events.payments import RefundRequested

JOB = "refund"


def queue_for(gateway: str) -> Callable[[Sequence[RefundRequested], Session], None]:
    """The handler of one gateway's; other gateways' are not its own."""

    def make_refunds(events: Sequence[RefundRequested], session: Session) -> None:
        """Queue the refunds of payments that this gateway took."""
        jobs.add(session, [
            (JOB, event.refund_id, event.business_id, {
                "gateway_account": event.gateway_account,
                "gateway_payment_id": event.gateway_payment_id,
                "amount_minor": event.amount_minor,
                "currency": event.currency,
                jobs.CORRELATION: correlation_of(event),
            })
            for event in events
            if event.gateway == gateway
        ])  # fmt: skip

    return make_refunds
