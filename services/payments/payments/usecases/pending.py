"""Money that gateways announced: shown until it arrives or fails, and nothing more. The later word wins, in whichever
order the two are heard."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from common.db import insert_or
from common.events.gateways import GatewayPaymentFailed, GatewayPaymentPending
from payments.domain import gateway
from payments.domain.gateway import Key
from payments.models import PendingPayment
from payments.usecases import arrivals, locks
from payments.usecases.owners import Owners


def announce(session: Session, events: Sequence[GatewayPaymentPending]) -> None:
    """Show money on its way, unless it has arrived, or failed since; as of the client whose it seems to be."""
    locks.hold(session, [Key.of(event) for event in events])
    owners = Owners.read(session, events)
    for event in events:
        owner = owners.of(event)
        _tell(session, Key.of(event), gateway.as_utc(event.happened_at), {
            "state": "pending",
            "reason": event.reason,
            "client_id": owner.client_id,
            "amount_minor": event.amount_minor,
            "currency": event.currency,
            "method": event.method,
            "source": event.source,
            "invoice_number": owner.invoice_number[:50] if owner.invoice_number else None,
        })  # fmt: skip


def fail(session: Session, events: Sequence[GatewayPaymentFailed]) -> None:
    """Show it no longer. A new attempt at the same payment is announced after this, and shown again."""
    locks.hold(session, [Key.of(event) for event in events])
    for event in events:
        _tell(session, Key.of(event), event.occurred_at, {"state": "failed", "reason": event.reason})


def _tell(session: Session, key: Key, told_at: datetime, values: dict[str, Any]) -> None:
    if arrivals.has_arrived(session, key):
        return
    statement = insert_or(session, PendingPayment).values(**key._asdict(), told_at=told_at, **values)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=list(Key._fields),
            set_={name: statement.excluded[name] for name in ("told_at", *values)},
            where=PendingPayment.told_at < statement.excluded.told_at,
        )
    )
