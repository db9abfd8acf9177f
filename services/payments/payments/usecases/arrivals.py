"""Money that arrived at a gateway: one payment, or a place in the unmatched tray; never both, never neither."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from common import clock, directory
from common.directory import Business, Client
from common.events import Event, caused_by
from common.events.gateways import GatewayPaymentSucceeded
from common.events.payments import PaymentUnmatched
from common.ids import new_id
from common.inbox import Retry
from common.invoice_number import MAX_NUMBER, tidy
from common.outbox import emit
from payments.domain import gateway
from payments.domain.attribution import Owner
from payments.domain.gateway import Key
from payments.models import Payment, PendingPayment, Unmatched
from payments.usecases import facts, invoices, locks, payments
from payments.usecases.owners import Owners, name_of
from payments.usecases.payments import PRODUCER

# A client made a moment before may reach us after the money. A handler is not told how often it was tried, so the
# event's age decides: then the money goes into the tray, where staff see it, rather than out of attempts, where not.
PATIENCE = timedelta(minutes=2)
# Of the clients who have the payer's address: more of them help nobody.
PAYERS_KEPT = 20


def record(session: Session, events: Sequence[GatewayPaymentSucceeded]) -> None:
    """Record each as one payment, however often it is told; what cannot be attributed goes into the tray. Raises Retry
    while its client may still become known."""
    businesses = directory.businesses_of(session, {event.business_id for event in events})
    invoices.hold(session, [name for event in events if event.client_id is None and (name := name_of(event))])
    locks.hold(session, [Key.of(event) for event in events])
    owners = Owners.read(session, events)
    for event in events:
        if has_arrived(session, Key.of(event)):
            continue
        business = businesses[event.business_id]
        owner = owners.of(event)
        client = session.get(Client, (event.business_id, owner.client_id)) if owner.client_id else None
        reason = _why_unmatched(business, owner, client, event)
        if client is None or reason is not None:
            _put_in_tray(session, event, str(reason))
        else:
            _record(session, business, client, owner, event)
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


def _why_unmatched(
    business: Business, owner: Owner, client: Client | None, event: GatewayPaymentSucceeded
) -> str | None:
    if event.currency != business.currency:
        return f"the books are kept in {business.currency}, and this is {event.currency}"
    if owner.client_id is None:
        return owner.reason
    if client is not None:
        return None
    if timedelta() <= clock.now() - event.occurred_at < PATIENCE:
        raise Retry(f"client {owner.client_id} is not known here yet")
    if event.client_id is None:
        return "the client whose it seems to be is not known"
    return "the client that it names is not known"


def _record(session: Session, business: Business, client: Client, owner: Owner, event: GatewayPaymentSucceeded) -> None:
    actor = event.recorded_by.model_dump() if event.recorded_by else gateway.system_actor(event.gateway)
    row = payments.new_row(
        event.business_id,
        client,
        **_money(event),
        invoice_number=owner.invoice_number[:MAX_NUMBER] if owner.invoice_number else None,
        memo=owner.memo,
        received_on=gateway.day_of(event.happened_at, business.time_zone),
        actor={**actor, "name": actor["name"][:200]},
    )
    land(session, business, row, event)


def _put_in_tray(session: Session, event: GatewayPaymentSucceeded, reason: str) -> None:
    unmatched_id = new_id()
    typed = gateway.kept(event.invoice_number)
    named = event.payer_client_ids[:PAYERS_KEPT]
    session.add(
        Unmatched(
            business_id=event.business_id,
            unmatched_id=unmatched_id,
            state="open",
            reason=reason,
            client_id=event.client_id[:64] if event.client_id else None,
            happened_at=gateway.as_utc(event.happened_at),
            created_at=clock.now(),
            invoice_number=typed[:MAX_NUMBER] if typed else None,
            invoice_tidied=tidy(typed),
            payer_id=event.payer_id[:100] if event.payer_id else None,
            payer_client_ids=orjson.dumps(named).decode() if named else None,
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
        "reference": event.reference[:200] if event.reference else None,
    }
