"""Automated invoicing: on its days, what a client was charged for and no invoice asks for yet is invoiced."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.domain.calendar import Frequency, day_start, next_occurrence, occurrence
from billing.models import Business, Invoicing, ServiceSession
from billing.usecases import clients, invoices
from billing.usecases.days import has_come
from common import clock
from common.errors import FieldError, Invalid
from common.pay_link import PayLinks

# business id and client id
Key = tuple[str, str]

ACTOR = {"type": "system", "id": "billing", "name": "Automated invoicing"}
# A client's invoice takes so many sessions at most; the rest is on the next one.
MOST_SESSIONS = 500


def settings_of(session: Session, business_id: str, client_id: str) -> dict[str, Any]:
    """A client's automated invoicing; frequency `off` without any. Raises NotFound."""
    clients.find(session, business_id, client_id)
    found = session.get(Invoicing, (business_id, client_id))
    if found is None:
        return {"frequency": "off", "delivery": "sent", "starts_on": None, "next_on": None}
    return {
        "frequency": found.frequency,
        "delivery": found.delivery,
        "starts_on": found.anchor_on,
        "next_on": found.next_on,
    }


def set_up(
    session: Session, business: Business, client_id: str, frequency: str, delivery: str, starts_on: date | None
) -> dict[str, Any]:
    """Set a client's automated invoicing, counted from `starts_on` (one period from today unless told). Saved again
    with the same first day, no day that has passed comes again. Raises NotFound, Invalid."""
    clients.find(session, business.business_id, client_id)
    found = session.get(Invoicing, (business.business_id, client_id), with_for_update=True)
    if frequency == "off":
        if found is not None:
            session.delete(found)
            session.flush()
        return settings_of(session, business.business_id, client_id)
    today = clock.today(business.time_zone)
    anchor_on = starts_on or occurrence(today, _frequency(frequency), 1)
    next_on = anchor_on
    if found is not None and found.anchor_on == anchor_on:
        is_changed = found.frequency != frequency
        next_on = next_occurrence(anchor_on, _frequency(frequency), today) if is_changed else found.next_on
    elif anchor_on < today - timedelta(days=366):
        message = "this is more than a year ago"
        raise Invalid("validation_failed", f"starts_on: {message}.", [FieldError("starts_on", message)])
    session.merge(
        Invoicing(
            business_id=business.business_id,
            client_id=client_id,
            frequency=frequency,
            delivery=delivery,
            anchor_on=anchor_on,
            next_on=next_on,
        )
    )
    session.flush()
    return settings_of(session, business.business_id, client_id)


def due(session: Session) -> Sequence[Key]:
    """The clients whose day has come."""
    found = session.execute(
        select(Invoicing.business_id, Invoicing.client_id)
        .join(Business, Business.business_id == Invoicing.business_id)
        .where(has_come(session, Invoicing.next_on))
        .order_by(Invoicing.next_on, Invoicing.business_id, Invoicing.client_id)
    )
    return [(business_id, client_id) for business_id, client_id in found]


def invoice(session: Session, business_id: str, client_id: str, links: PayLinks) -> None:
    """Invoice a client whose day has come. Days missed while nothing ran are made up, each with its own invoice.
    Exactly once: the row is locked, and moved on in the same transaction."""
    row = session.execute(
        select(Invoicing, Business)
        .join(Business, Business.business_id == Invoicing.business_id)
        .where(Invoicing.business_id == business_id, Invoicing.client_id == client_id)
        .with_for_update(of=Invoicing, skip_locked=True)
    ).one_or_none()
    if row is None:
        return
    mine, business = row
    today = clock.today(business.time_zone)
    while mine.next_on <= today:
        _invoice(session, business, mine, links)
        mine.next_on = next_occurrence(mine.anchor_on, _frequency(mine.frequency), mine.next_on)
    session.flush()


def _invoice(session: Session, business: Business, mine: Invoicing, links: PayLinks) -> None:
    sessions = session.scalars(
        select(ServiceSession.session_id)
        .where(
            ServiceSession.business_id == mine.business_id,
            ServiceSession.client_id == mine.client_id,
            ServiceSession.status.in_(("completed", "missed")),
            ServiceSession.invoice_id.is_(None),
            ServiceSession.starts_at < day_start(mine.next_on, business.time_zone),
        )
        .order_by(ServiceSession.starts_at)
        .limit(MOST_SESSIONS)
    ).all()
    if not sessions:
        return
    made = invoices.create(session, business, mine.client_id, sessions, [], ACTOR, draft=mine.delivery == "draft")
    if mine.delivery == "sent":
        invoices.request_email(session, made, links)


def _frequency(name: str) -> Frequency:
    assert name in ("weekly", "biweekly", "monthly")
    return name  # type: ignore[return-value]
