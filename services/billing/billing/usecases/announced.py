"""Money that gateways announced and that is not certain: shown beside a client's balance, in no sum, opening no gate.
The later word wins, in whichever order they are heard; money that arrived is announced no more."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_
from sqlalchemy.orm import Session

from billing.models import AnnouncedPayment
from common.db import insert_or
from common.events.gateways import GatewayPaymentFailed, GatewayPaymentPending, GatewayPaymentSucceeded

KEY = ("business_id", "gateway", "gateway_account", "gateway_payment_id")
PENDING, FAILED, ARRIVED = "pending", "failed", "arrived"
Told = GatewayPaymentPending | GatewayPaymentSucceeded | GatewayPaymentFailed


def note(session: Session, events: Sequence[Told]) -> None:
    """Keep the last word on each payment."""
    for event in sorted(events, key=lambda event: tuple(getattr(event, name) for name in KEY)):
        _keep(session, event)


def _keep(session: Session, event: Told) -> None:
    values = _said(event)
    statement = insert_or(session, AnnouncedPayment).values(**{name: getattr(event, name) for name in KEY}, **values)
    is_newer = AnnouncedPayment.told_at < statement.excluded.told_at
    if isinstance(event, GatewayPaymentSucceeded):
        is_newer = AnnouncedPayment.state != ARRIVED
    session.execute(
        statement.on_conflict_do_update(
            index_elements=list(KEY),
            set_={name: statement.excluded[name] for name in values},
            where=and_(AnnouncedPayment.state != ARRIVED, is_newer),
        )
    )


def _said(event: Told) -> dict[str, Any]:
    if isinstance(event, GatewayPaymentFailed):
        return {"state": FAILED, "told_at": event.occurred_at}
    told_at: datetime = event.happened_at
    state = PENDING if isinstance(event, GatewayPaymentPending) else ARRIVED
    return {
        "state": state, "told_at": told_at, "client_id": event.client_id, "amount_minor": event.amount_minor,
        "currency": event.currency,
    }  # fmt: skip
