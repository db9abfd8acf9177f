"""What gateways tell of a payment, in any order. A fact that cannot be part of its payment yet is kept with the reason
and tried again whenever something happens to that payment: so order does not matter, and nothing is lost or forced."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from common import clock, directory, logs
from common.db import insert_or
from common.directory import Business
from common.events import decode
from common.events.gateways import (
    GatewayDisputeClosed,
    GatewayDisputeOpened,
    GatewayFeeKnown,
    GatewayFundsReinstated,
    GatewayFundsWithdrawn,
    GatewayRefundFailed,
    GatewayRefundSucceeded,
)
from common.measures import age_seconds
from common.metrics import FACTS_OLDEST_SECONDS, FACTS_WAITING
from payments.domain import gateway
from payments.domain.gateway import Fact, Key
from payments.models import Payment, WaitingFact
from payments.usecases import disputes, locks, refunds

NOT_RECORDED = "its payment is not recorded yet"

log = logs.get("gateway-facts")


def take(session: Session, events: Sequence[Fact]) -> None:
    """Make each fact part of its payment, or keep it until it can be."""
    businesses = directory.businesses_of(session, {event.business_id for event in events})
    locks.hold(session, [Key.of(event) for event in events])
    for event in events:
        payment = payment_of(session, Key.of(event))
        if payment is None:
            _keep(session, event, NOT_RECORDED)
            continue
        business = businesses[event.business_id]
        reason = _apply(session, business, payment, event)
        if reason is not None:
            log.warning("gateway fact waits", business_id=event.business_id, event_id=event.event_id, reason=reason)
            _keep(session, event, reason)
        settle(session, business, payment)


def measure(service: str, session: Session) -> None:
    """How many facts wait, and how long the oldest has."""
    count, oldest = session.execute(select(func.count(), func.min(WaitingFact.received_at))).one()
    FACTS_WAITING.labels(service).set(count)
    FACTS_OLDEST_SECONDS.labels(service).set(age_seconds(oldest))


def settle(session: Session, business: Business, payment: Payment) -> None:
    """Apply what waits for the payment, as long as something fits."""
    has_moved = True
    while has_moved:
        has_moved = False
        for row in _waiting(session, Key.of(payment)):
            event = decode(row.body.encode())
            reason = _apply(session, business, payment, event)  # type: ignore[arg-type]
            if reason is None:
                session.delete(row)
                has_moved = True
            else:
                row.reason = reason
            session.flush()


def payment_of(session: Session, key: Key) -> Payment | None:
    """The payment that a gateway tells of, locked; None when it is not recorded."""
    return session.scalars(
        select(Payment)
        .where(
            Payment.business_id == key.business_id,
            Payment.gateway == key.gateway,
            Payment.gateway_account == key.gateway_account,
            Payment.gateway_payment_id == key.gateway_payment_id,
        )
        .with_for_update()
    ).one_or_none()


def _apply(session: Session, business: Business, payment: Payment, event: Fact) -> str | None:
    """Make a fact part of its payment, once; answers why it cannot be yet, or None."""
    currency = getattr(event, "currency", None) or payment.currency
    is_in_its_own = currency == payment.currency
    if not is_in_its_own and not isinstance(event, GatewayFeeKnown):
        return f"it is told in {currency}; the payment is kept in {payment.currency}"
    match event:
        case GatewayFeeKnown():
            if is_in_its_own:  # one that an account is charged in another currency stays unknown here
                payment.fee_minor = event.fee_minor
                session.flush()
        case GatewayRefundSucceeded():
            return refunds.succeed(session, business, payment, event)
        case GatewayRefundFailed():
            refunds.fail(session, business, payment, event)
        case GatewayDisputeOpened():
            disputes.open_(session, payment, event)
        case GatewayDisputeClosed():
            return disputes.close(session, payment, event)
        case GatewayFundsWithdrawn():
            return disputes.withdraw(session, business, payment, event)
        case GatewayFundsReinstated():
            return disputes.reinstate(session, business, payment, event)
    return None


def _keep(session: Session, event: Fact, reason: str) -> None:
    row = {
        **Key.of(event)._asdict(),
        "fact": gateway.fact_of(event),
        "body": event.to_wire(event.producer).decode(),
        "reason": reason,
        "received_at": clock.now(),
    }
    session.execute(insert_or(session, WaitingFact).values(row).on_conflict_do_nothing())


def _waiting(session: Session, key: Key) -> Sequence[WaitingFact]:
    return session.scalars(
        select(WaitingFact)
        .where(
            WaitingFact.business_id == key.business_id,
            WaitingFact.gateway == key.gateway,
            WaitingFact.gateway_account == key.gateway_account,
            WaitingFact.gateway_payment_id == key.gateway_payment_id,
        )
        .order_by(WaitingFact.received_at, WaitingFact.fact)
    ).all()
