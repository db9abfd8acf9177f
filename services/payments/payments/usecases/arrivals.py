"""Money that arrived at a gateway: one payment, or a place in the unmatched tray; never both, never neither."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from common import clock, directory
from common.directory import Business, Client
from common.events import Event, caused_by
from common.events.gateways import GatewayPaymentSucceeded
from common.events.payments import PaymentUnmatched
from common.ids import new_id
from common.inbox import Retry
from common.outbox import emit
from payments.domain import gateway
from payments.domain.gateway import Key
from payments.models import Payment, PendingPayment, Unmatched
from payments.usecases import facts, payments
from payments.usecases.payments import PRODUCER

# A client made a moment before may reach us after the money. A handler is not told how often it was tried, so the
# event's age decides: then the money goes into the tray, where staff see it, rather than out of attempts, where not.
PATIENCE = timedelta(minutes=2)


def record(session: Session, events: Sequence[GatewayPaymentSucceeded]) -> None:
    """Record each as one payment, however often it is told; what cannot be attributed goes into the tray. Raises Retry
    while its client may still become known."""
    businesses = directory.businesses_of(session, {event.business_id for event in events})
    facts.lock(session, [Key.of(event) for event in events])
    for event in events:
        if has_arrived(session, Key.of(event)):
            continue
        business = businesses[event.business_id]
        client = session.get(Client, (event.business_id, event.client_id)) if event.client_id else None
        reason = _why_unmatched(business, client, event)
        if client is None or reason is not None:
            _put_in_tray(session, event, str(reason))
        else:
            _record(session, business, client, event)
        forget_pending(session, Key.of(event))


def has_arrived(session: Session, key: Key) -> bool:
    """Whether the money is recorded, or in the tray."""
    return any(
        session.scalars(
            select(table.gateway_payment_id).where(
                table.business_id == key.business_id,
                table.gateway == key.gateway,
                table.gateway_account == key.gateway_account,
                table.gateway_payment_id == key.gateway_payment_id,
            )
        ).first()
        for table in (Payment, Unmatched)
    )


def forget_pending(session: Session, key: Key) -> None:
    """What was announced has arrived."""
    session.execute(
        delete(PendingPayment).where(
            PendingPayment.business_id == key.business_id,
            PendingPayment.gateway == key.gateway,
            PendingPayment.gateway_account == key.gateway_account,
            PendingPayment.gateway_payment_id == key.gateway_payment_id,
        )
    )


def land(session: Session, business: Business, row: dict[str, Any], cause: Event | None) -> Payment:
    """Insert a gateway's payment, and apply what was told of it before."""
    payments.insert(session, [row], cause)
    payment = session.scalars(
        select(Payment).where(Payment.business_id == row["business_id"], Payment.payment_id == row["payment_id"])
    ).one()
    facts.settle(session, business, payment)
    return payment


def _why_unmatched(business: Business, client: Client | None, event: GatewayPaymentSucceeded) -> str | None:
    if event.currency != business.currency:
        return f"the books are kept in {business.currency}, and this is {event.currency}"
    if event.client_id is None:
        return "the gateway does not say whose it is"
    if client is not None:
        return None
    if timedelta() <= clock.now() - event.occurred_at < PATIENCE:
        raise Retry(f"client {event.client_id} is not known here yet")
    return "the client that it names is not known"


def _record(session: Session, business: Business, client: Client, event: GatewayPaymentSucceeded) -> None:
    actor = event.recorded_by.model_dump() if event.recorded_by else gateway.system_actor(event.gateway)
    row = payments.new_row(
        event.business_id,
        client,
        **_money(event),
        received_on=gateway.day_of(event.happened_at, business.time_zone),
        actor={**actor, "name": actor["name"][:200]},
    )
    land(session, business, row, event)


def _put_in_tray(session: Session, event: GatewayPaymentSucceeded, reason: str) -> None:
    unmatched_id = new_id()
    session.add(
        Unmatched(
            business_id=event.business_id,
            unmatched_id=unmatched_id,
            state="open",
            reason=reason,
            client_id=event.client_id[:64] if event.client_id else None,
            happened_at=gateway.as_utc(event.happened_at),
            created_at=clock.now(),
            **_money(event),
        )
    )
    session.flush()
    emit(session, PRODUCER, [
        PaymentUnmatched(
            business_id=event.business_id,
            unmatched_id=unmatched_id,
            gateway=event.gateway,
            gateway_payment_id=event.gateway_payment_id,
            amount_minor=event.amount_minor,
            currency=event.currency,
            reason=reason,
            happened_at=gateway.as_utc(event.happened_at),
            **caused_by(event),
        )
    ])  # fmt: skip


def _money(event: GatewayPaymentSucceeded) -> dict[str, Any]:
    """What a payment and a row of the tray have in common."""
    return {
        "gateway": event.gateway,
        "gateway_account": event.gateway_account,
        "gateway_payment_id": event.gateway_payment_id,
        "amount_minor": event.amount_minor,
        "currency": event.currency,
        "fee_minor": event.fee_minor,
        "method": event.method,
        "source": event.source,
        "invoice_number": event.invoice_number[:50] if event.invoice_number else None,
        "reference": event.reference[:200] if event.reference else None,
    }
