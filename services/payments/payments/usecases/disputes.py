"""Disputes: their state, and the money that a gateway withdraws for them and gives back: two different facts."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from common import clock
from common.directory import Business
from common.events import caused_by
from common.events.gateways import (
    GatewayDisputeClosed,
    GatewayDisputeOpened,
    GatewayFundsReinstated,
    GatewayFundsWithdrawn,
)
from common.events.payments import (
    Actor,
    DisputeResolved,
    PaymentDisputed,
    PaymentFundsReinstated,
    PaymentFundsWithdrawn,
)
from common.outbox import emit
from payments.domain import gateway
from payments.domain import payment as rules
from payments.models import Dispute, FundsMovement, Payment
from payments.usecases import payments
from payments.usecases.payments import PRODUCER


def open_(session: Session, payment: Payment, event: GatewayDisputeOpened) -> None:
    """A client disputes the payment at their bank."""
    key = (payment.business_id, payment.payment_id, event.gateway_dispute_id)
    if session.get(Dispute, key) is not None:
        return
    session.add(
        Dispute(
            business_id=payment.business_id,
            payment_id=payment.payment_id,
            gateway_dispute_id=event.gateway_dispute_id,
            state="open",
            amount_minor=event.amount_minor,
            reason=event.reason,
            opened_at=gateway.as_utc(event.happened_at),
        )
    )
    _turn(session, payment)
    emit(session, PRODUCER, [
        PaymentDisputed(
            business_id=payment.business_id,
            sequence=payment.receipt_revision,
            payment_id=payment.payment_id,
            client_id=payment.client_id,
            gateway_dispute_id=event.gateway_dispute_id,
            amount_minor=event.amount_minor,
            currency=payment.currency,
            reason=event.reason,
            **caused_by(event),
        )
    ])  # fmt: skip


def close(session: Session, payment: Payment, event: GatewayDisputeClosed) -> str | None:
    """A dispute ended. Answers why that cannot be recorded yet, or None when it is."""
    found = session.get(Dispute, (payment.business_id, payment.payment_id, event.gateway_dispute_id))
    if found is None:
        return f"dispute {event.gateway_dispute_id} has not been opened here yet"
    if found.state != "open":
        return None
    found.state, found.closed_at = event.outcome, gateway.as_utc(event.happened_at)
    _turn(session, payment)
    emit(session, PRODUCER, [
        DisputeResolved(
            business_id=payment.business_id,
            sequence=payment.receipt_revision,
            payment_id=payment.payment_id,
            client_id=payment.client_id,
            gateway_dispute_id=event.gateway_dispute_id,
            outcome=event.outcome,
            **caused_by(event),
        )
    ])  # fmt: skip
    return None


def withdraw(session: Session, business: Business, payment: Payment, event: GatewayFundsWithdrawn) -> str | None:
    """The gateway took money. Answers why that cannot be recorded yet, or None when it is."""
    left_minor = rules.left_minor(payment)
    if _is_known(session, payment, event):
        return None
    if event.amount_minor > left_minor:
        return (
            f"movement {event.gateway_movement_id} withdraws {event.amount_minor}; only {left_minor} (minor units) is"
            " left of the payment"
        )
    payment.disputed_minor += event.amount_minor
    _move(session, business, payment, event, "withdrawn")
    return None


def reinstate(session: Session, business: Business, payment: Payment, event: GatewayFundsReinstated) -> str | None:
    """The gateway gave money back. Answers why that cannot be recorded yet, or None when it is."""
    if _is_known(session, payment, event):
        return None
    if event.amount_minor > payment.disputed_minor:
        return (
            f"movement {event.gateway_movement_id} gives {event.amount_minor} back; only {payment.disputed_minor}"
            " (minor units) is withdrawn"
        )
    payment.disputed_minor -= event.amount_minor
    _move(session, business, payment, event, "reinstated")
    return None


def _turn(session: Session, payment: Payment) -> None:
    """Derive the payment's state from its disputes."""
    session.flush()
    states = select(Dispute.state).where(
        Dispute.business_id == payment.business_id, Dispute.payment_id == payment.payment_id
    )
    payment.dispute_state = gateway.dispute_state(session.scalars(states))
    session.flush()


def _is_known(session: Session, payment: Payment, event: GatewayFundsWithdrawn | GatewayFundsReinstated) -> bool:
    key = (payment.business_id, payment.payment_id, event.gateway_movement_id)
    return session.get(FundsMovement, key) is not None


def _move(
    session: Session,
    business: Business,
    payment: Payment,
    event: GatewayFundsWithdrawn | GatewayFundsReinstated,
    direction: str,
) -> None:
    """Note a movement that the payment's sums already show, and tell of it."""
    moved_on = gateway.day_of(event.happened_at, business.time_zone)
    session.add(
        FundsMovement(
            business_id=payment.business_id,
            payment_id=payment.payment_id,
            gateway_movement_id=event.gateway_movement_id,
            gateway_dispute_id=event.gateway_dispute_id,
            direction=direction,
            amount_minor=event.amount_minor,
            moved_on=moved_on,
            created_at=clock.now(),
        )
    )
    number = payments.revise(session, payment)
    told = PaymentFundsWithdrawn if direction == "withdrawn" else PaymentFundsReinstated
    emit(session, PRODUCER, [
        told(
            **payments.facts(payment, number, Actor.model_validate(gateway.system_actor(event.gateway))),
            **caused_by(event),
            amount_minor=event.amount_minor,
            movement_id=event.gateway_movement_id,
            moved_on=moved_on,
            withdrawn_total_minor=payment.disputed_minor,
        )
    ])  # fmt: skip
