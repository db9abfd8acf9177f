"""What gateways told that is no payment yet: the unmatched tray, money announced, and facts that wait."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Select, and_, select, tuple_
from sqlalchemy.orm import Session

from payments.models import Payment, PendingPayment, Unmatched, WaitingFact


def tray(business_id: str, state: str, after: str | None) -> Select[Unmatched]:
    """Money in the tray, the newest first."""
    query = select(Unmatched).where(Unmatched.business_id == business_id, Unmatched.state == state)
    if after is not None:
        query = query.where(Unmatched.unmatched_id < after)
    return query.order_by(Unmatched.unmatched_id.desc())


def unmatched_json(row: Unmatched) -> dict[str, Any]:
    """Money in the tray as the API shows it, without the clients that it may be of."""
    return {
        "id": row.unmatched_id,
        "state": row.state,
        "reason": row.reason,
        "gateway": row.gateway,
        "gateway_payment_id": row.gateway_payment_id,
        "amount_minor": row.amount_minor,
        "currency": row.currency,
        "fee_minor": row.fee_minor,
        "method": row.method,
        "source": row.source,
        "client_id": row.client_id,
        "invoice_number": row.invoice_number,
        "payer_id": row.payer_id,
        "reference": row.reference,
        "happened_at": row.happened_at,
        "created_at": row.created_at,
        "payment_id": row.payment_id,
        "assigned_at": row.assigned_at,
        "assigned_by": row.assigned_by_name,
    }


def assigned_to(session: Session, business_id: str, rows: Sequence[Unmatched]) -> dict[str, dict[str, str]]:
    """Payment id → whose it is, of what was in the tray."""
    ids = [row.payment_id for row in rows if row.payment_id]
    columns = (Payment.payment_id, Payment.client_id, Payment.client_name)
    found = session.execute(select(*columns).where(Payment.business_id == business_id, Payment.payment_id.in_(ids)))
    return {row.payment_id: {"client_id": row.client_id, "client_name": row.client_name} for row in found}


def announced(business_id: str, client_id: str | None, after: tuple[Any, ...] | None) -> Select[PendingPayment]:
    """Money on its way, by gateway and its own id. What has arrived is left out even while its row is still there."""
    query = select(PendingPayment).where(
        PendingPayment.business_id == business_id,
        PendingPayment.state == "pending",
        ~_has_arrived(Payment),
        ~_has_arrived(Unmatched),
    )
    if client_id is not None:
        query = query.where(PendingPayment.client_id == client_id)
    key = (PendingPayment.gateway, PendingPayment.gateway_account, PendingPayment.gateway_payment_id)
    if after is not None:
        query = query.where(tuple_(*key) > tuple_(*after))
    return query.order_by(*key)


def _has_arrived(table: Any) -> ColumnElement[bool]:
    names = ("business_id", "gateway", "gateway_account", "gateway_payment_id")
    same = [getattr(table, name) == getattr(PendingPayment, name) for name in names]
    return select(table.business_id).where(and_(*same)).exists()


def pending_json(row: PendingPayment) -> dict[str, Any]:
    """Money on its way as the API shows it."""
    return {
        "gateway": row.gateway,
        "gateway_payment_id": row.gateway_payment_id,
        "client_id": row.client_id,
        "amount_minor": row.amount_minor,
        "currency": row.currency,
        "method": row.method,
        "source": row.source,
        "invoice_number": row.invoice_number,
        "reason": row.reason,
        "announced_at": row.told_at,
    }


def waiting(business_id: str, after: tuple[Any, ...] | None) -> Select[WaitingFact]:
    """Facts that are not part of a payment, by payment."""
    key = (WaitingFact.gateway, WaitingFact.gateway_account, WaitingFact.gateway_payment_id, WaitingFact.fact)
    query = select(WaitingFact).where(WaitingFact.business_id == business_id)
    if after is not None:
        query = query.where(tuple_(*key) > tuple_(*after))
    return query.order_by(*key)


def waiting_json(row: WaitingFact) -> dict[str, Any]:
    """A waiting fact as the API shows it; `told` is what the gateway told."""
    envelope = orjson.loads(row.body)
    return {
        "gateway": row.gateway,
        "gateway_payment_id": row.gateway_payment_id,
        "type": envelope["type"],
        "told": envelope["data"],
        "reason": row.reason,
        "received_at": row.received_at,
    }
