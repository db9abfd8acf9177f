"""Refunds: asked for here, and what gateways tell of them. A gateway's refund holds its amount until it is certain."""

from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from common import clock
from common.auth import Caller
from common.directory import Business, BusinessFacts
from common.errors import Conflict, FieldError, Invalid
from common.events import Event, caused_by
from common.events.gateways import GatewayRefundFailed, GatewayRefundSucceeded
from common.events.payments import (
    Actor,
    PaymentRefunded,
    PaymentRefundReversed,
    RefundAbandoned,
    RefundRequested,
)
from common.ids import new_id
from common.outbox import emit
from payments.domain import gateway
from payments.domain import payment as rules
from payments.models import Payment, Refund
from payments.usecases import payments
from payments.usecases.payments import PRODUCER

GatewayRefund = GatewayRefundSucceeded | GatewayRefundFailed


def refund(
    session: Session,
    business: BusinessFacts,
    payment_id: str,
    amount_minor: int | None,
    reason: str,
    caller: Caller,
) -> Refund:
    """Give money of a payment back; all that is left unless told. A manual payment's is done at once, a gateway's is
    pending until the gateway answers. Raises NotFound, Conflict, Invalid."""
    payment = payments.lock(session, business.business_id, payment_id)
    if payment.voided_at is not None:
        raise Conflict("already_voided", "This payment was voided; there is nothing to give back.")
    left_minor = rules.left_minor(payment)
    wanted_minor = left_minor if amount_minor is None else amount_minor
    if wanted_minor > left_minor or wanted_minor == 0:
        message = f"at most {left_minor} (minor units) of this payment can still be given back"
        raise Invalid("refund_exceeds_payment", f"{message.capitalize()}.", [FieldError("amount_minor", message)])
    wanted = _new(payment, wanted_minor, reason, clock.today(business.time_zone), Actor(**caller.actor))
    session.add(wanted)
    if payment.gateway is None:
        session.flush()
        _succeed(session, payment, wanted, None)
    else:
        payment.refund_pending_minor += wanted_minor
        session.flush()
        emit(session, PRODUCER, [_requested(payment, wanted)])
    return wanted


def succeed(session: Session, business: Business, payment: Payment, event: GatewayRefundSucceeded) -> str | None:
    """Money went back. Answers why it cannot be recorded yet, or None when it is."""
    day = gateway.day_of(event.happened_at, business.time_zone)
    known = _find(session, payment, event)
    if known is None:
        if event.amount_minor > rules.left_minor(payment):
            return _no_room(payment, event)
        known = _new(payment, event.amount_minor, event.reason, day, _gateway(payment))
        session.add(known)
    elif known.status == "pending":
        if event.amount_minor > rules.left_minor(payment) + known.amount_minor:
            return _no_room(payment, event)
        payment.refund_pending_minor -= known.amount_minor
        known.amount_minor, known.refunded_on = event.amount_minor, day
    else:
        _drop_twin(session, payment, known, event)
        return None
    known.gateway_refund_id = event.gateway_refund_id or None  # refused outright, it may have none
    _succeed(session, payment, known, event)
    return None


def fail(session: Session, business: Business, payment: Payment, event: GatewayRefundFailed) -> None:
    """Money did not go back, or came back. A failure is final: a success that is told of afterwards came before it."""
    day = gateway.day_of(event.happened_at, business.time_zone)
    known = _find(session, payment, event)
    if known is None:
        known = _new(payment, event.amount_minor, event.reason, day, _gateway(payment))
        session.add(known)
        known.status, known.failure = "failed", event.reason
    elif known.status == "pending":
        _abandon(session, payment, known, event.reason, event)
    elif known.status == "succeeded":
        _reverse(session, payment, known, day, event)
    known.gateway_refund_id = event.gateway_refund_id or None
    session.flush()


def _find(session: Session, payment: Payment, event: GatewayRefund) -> Refund | None:
    """The refund that the gateway speaks of: by its own id, else by ours."""
    mine = select(Refund).where(Refund.business_id == payment.business_id, Refund.payment_id == payment.payment_id)
    known = None
    if event.gateway_refund_id:
        known = session.scalars(mine.where(Refund.gateway_refund_id == event.gateway_refund_id)).one_or_none()
    if known is None and event.refund_id is not None:
        ours = mine.where(Refund.refund_id == event.refund_id, Refund.gateway_refund_id.is_(None))
        known = session.scalars(ours).one_or_none()
    return known


def _succeed(session: Session, payment: Payment, refunded: Refund, cause: Event | None) -> None:
    refunded.status = "succeeded"
    payment.refunded_minor += refunded.amount_minor
    number = payments.revise(session, payment)
    emit(session, PRODUCER, [
        PaymentRefunded(
            **payments.facts(payment, number, _asker(refunded)),
            **(caused_by(cause) if cause else {}),
            amount_minor=refunded.amount_minor,
            refund_id=refunded.refund_id,
            refunded_on=refunded.refunded_on,
            refunded_total_minor=payment.refunded_minor,
            reason=refunded.reason,
        )
    ])  # fmt: skip


def _abandon(session: Session, payment: Payment, held: Refund, reason: str, cause: Event) -> None:
    held.status, held.failure = "failed", reason
    payment.refund_pending_minor -= held.amount_minor
    session.flush()
    emit(session, PRODUCER, [
        RefundAbandoned(
            business_id=payment.business_id,
            sequence=2,
            refund_id=held.refund_id,
            payment_id=payment.payment_id,
            client_id=payment.client_id,
            amount_minor=held.amount_minor,
            currency=payment.currency,
            reason=reason,
            **caused_by(cause),
        )
    ])  # fmt: skip


def _reverse(session: Session, payment: Payment, refunded: Refund, day: date, event: GatewayRefundFailed) -> None:
    refunded.status, refunded.failure, refunded.reversed_on = "reversed", event.reason, day
    payment.refunded_minor -= refunded.amount_minor
    number = payments.revise(session, payment)
    emit(session, PRODUCER, [
        PaymentRefundReversed(
            **payments.facts(payment, number, _gateway(payment)),
            **caused_by(event),
            amount_minor=refunded.amount_minor,
            refund_id=refunded.refund_id,
            reversed_on=day,
            refunded_total_minor=payment.refunded_minor,
            reason=event.reason,
        )
    ])  # fmt: skip


def _drop_twin(session: Session, payment: Payment, known: Refund, event: GatewayRefundSucceeded) -> None:
    """A refund asked for here was first told of without our id, and recorded as one made at the gateway: what is held
    for it must not stay held."""
    if event.refund_id is None or event.refund_id == known.refund_id:
        return
    held = session.get(Refund, (payment.business_id, event.refund_id))
    if held is not None and held.payment_id == payment.payment_id and held.status == "pending":
        _abandon(session, payment, held, f"recorded as refund {known.refund_id} already", event)


def _new(payment: Payment, amount_minor: int, reason: str, day: date, by: Actor) -> Refund:
    return Refund(
        business_id=payment.business_id,
        refund_id=new_id(),
        payment_id=payment.payment_id,
        amount_minor=amount_minor,
        status="pending",
        reason=reason,
        refunded_on=day,
        created_at=clock.now(),
        created_by_type=by.type,
        created_by_id=by.id,
        created_by_name=by.name,
    )


def _requested(payment: Payment, wanted: Refund) -> RefundRequested:
    assert payment.gateway is not None
    assert payment.gateway_account is not None
    assert payment.gateway_payment_id is not None
    return RefundRequested(
        business_id=payment.business_id,
        refund_id=wanted.refund_id,
        payment_id=payment.payment_id,
        client_id=payment.client_id,
        gateway=payment.gateway,
        gateway_account=payment.gateway_account,
        gateway_payment_id=payment.gateway_payment_id,
        amount_minor=wanted.amount_minor,
        currency=payment.currency,
        reason=wanted.reason,
    )


def _asker(refunded: Refund) -> Actor:
    """Who asked for it: staff, also when the gateway carries it out later."""
    by = {"type": refunded.created_by_type, "id": refunded.created_by_id, "name": refunded.created_by_name}
    return Actor.model_validate(by)


def _gateway(payment: Payment) -> Actor:
    assert payment.gateway is not None
    return Actor.model_validate(gateway.system_actor(payment.gateway))


def _no_room(payment: Payment, event: GatewayRefundSucceeded) -> str:
    return (
        f"refund {event.gateway_refund_id} of {event.amount_minor} is more than the {rules.left_minor(payment)}"
        " (minor units) that can still be given back"
    )
