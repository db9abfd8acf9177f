"""Clients who become inactive: told once, announced to staff ahead, and checked for what stands in the way.

Whether a client is inactive is computed wherever it is read; what is here only tells.
"""

from datetime import date
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from billing.models import Business, Client, Invoice, ReminderSettings, ServiceSession
from billing.usecases import accounts
from billing.usecases.days import has_come
from common import clock
from common.events import Event
from common.events.billing import ClientDeactivated, ClientDeactivationDue, ClientReactivated
from common.outbox import emit
from common.standing import effective_status

OBSTACLES = ("owed_minor", "credit_minor", "future_sessions", "pending_invoices", "draft_invoices")
# Days before a client's inactive date that staff are told, unless the business set others; and the most it may set.
DAYS_AHEAD = 7
MOST_DAYS_AHEAD = 60


def turned(client: Client, today: date) -> list[Event]:
    """What is to be told when the client is not what was told last; notes that it is told."""
    is_inactive = effective_status(client.status, client.inactive_on, today) == "inactive"
    if is_inactive == client.is_deactivated:
        return []
    client.is_deactivated = is_inactive
    client.sequence += 1
    about = {"business_id": client.business_id, "client_id": client.client_id, "sequence": client.sequence}
    if not is_inactive:
        return [ClientReactivated(**about)]
    by = "staff" if client.status == "inactive" else "date"
    return [ClientDeactivated(**about, inactive_on=client.inactive_on, by=by)]


def announce(session: Session, limit: int = 500) -> int:
    """Tell of clients whose inactive date has come where their business is; answers how many. Each is told once: its
    row is locked, and says so afterwards."""
    rows = session.execute(_leaving(session, days_ahead=0).limit(limit)).all()
    events = [event for client, time_zone in rows for event in turned(client, clock.today(time_zone))]
    session.flush()
    emit(session, "billing", events)
    return len(events)


def warn(session: Session) -> int:
    """Tell staff of clients whose inactive date is near, once for each date; answers how many."""
    is_new = or_(Client.due_told_for.is_(None), Client.due_told_for != Client.inactive_on)
    events = []
    for client, time_zone in session.execute(_leaving(session, MOST_DAYS_AHEAD).where(is_new)).all():
        assert client.inactive_on is not None
        settings = session.get(ReminderSettings, client.business_id)
        days_ahead = DAYS_AHEAD if settings is None else settings.deactivation_days_ahead
        today = clock.today(time_zone)
        if not 0 < (client.inactive_on - today).days <= days_ahead:
            continue
        client.due_told_for = client.inactive_on
        client.sequence += 1
        standing = closing_check(session, client)
        events.append(
            ClientDeactivationDue(
                business_id=client.business_id,
                client_id=client.client_id,
                sequence=client.sequence,
                inactive_on=client.inactive_on,
                balance_minor=standing["balance_minor"],
                currency=standing["currency"],
                future_sessions=standing["future_sessions"],
                pending_invoices=standing["pending_invoices"],
            )
        )
    session.flush()
    emit(session, "billing", events)
    return len(events)


def closing_check(session: Session, client: Client) -> dict[str, Any]:
    """What stands in the way of deactivating a client."""
    account = accounts.look(session, client.business_id, client.client_id)
    mine = {"business_id": client.business_id, "client_id": client.client_id}
    sessions = select(func.count()).select_from(ServiceSession).filter_by(**mine, status="scheduled")
    drafts = select(func.count()).select_from(Invoice).filter_by(**mine, status="draft")
    pending = select(func.count(), func.coalesce(func.sum(Invoice.total_minor - Invoice.paid_minor), 0))
    pending_invoices, pending_minor = session.execute(pending.filter_by(**mine, status="pending")).one()
    found = {
        "client_id": client.client_id,
        "currency": account.currency,
        "balance_minor": account.balance_minor,
        "owed_minor": max(0, -account.balance_minor),
        "credit_minor": max(0, account.balance_minor),
        "future_sessions": session.execute(sessions).scalar_one(),
        "pending_invoices": pending_invoices,
        "pending_minor": int(pending_minor),
        "draft_invoices": session.execute(drafts).scalar_one(),
    }
    obstacles = [name for name in OBSTACLES if found[name]]
    return {**found, "clear": not obstacles, "obstacles": obstacles}


def _leaving(session: Session, days_ahead: int) -> Select[Client, str]:
    """Clients who are not told to be inactive and whose inactive date has come, or comes within `days_ahead` days; and
    their business's time zone."""
    return (
        select(Client, Business.time_zone)
        .join(Business, Business.business_id == Client.business_id)
        .where(
            ~Client.is_deactivated, Client.inactive_on.is_not(None), has_come(session, Client.inactive_on, days_ahead)
        )
        .order_by(Client.inactive_on, Client.business_id, Client.client_id)
        .with_for_update(of=Client, skip_locked=True)
    )
