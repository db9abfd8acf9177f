"""Clients: register one or many, change, and tell of those who become inactive. Their accounts come with them."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from billing.domain.client import effective_status
from billing.domain.tally import CLIENTS, NO_DAY, Change
from billing.models import Business, Client, ClientAccount, Invoice, ReminderSettings, ServiceSession
from billing.usecases import accounts, tallies
from billing.usecases.days import has_come
from common import clock
from common.db import bulk_insert
from common.errors import Conflict, FieldError, Invalid, NotFound
from common.events import Event
from common.events.billing import (
    ClientDeactivated,
    ClientDeactivationDue,
    ClientReactivated,
    ClientRegistered,
    ClientUpdated,
)
from common.ids import new_id
from common.outbox import emit

FACTS = ("client_id", "name", "email", "external_ref", "status", "inactive_on")
OBSTACLES = ("owed_minor", "credit_minor", "future_sessions", "pending_invoices", "draft_invoices")
# Days before a client's inactive date that staff are told, unless the business set others; and the most it may set.
DAYS_AHEAD = 7
MOST_DAYS_AHEAD = 60


def find(session: Session, business_id: str, client_id: str) -> Client:
    """The client, or NotFound."""
    client = session.get(Client, (business_id, client_id))
    if client is None:
        raise NotFound("not_found", "There is no such client.")
    return client


def register(session: Session, business: Business, new: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add clients, all or none; answers their rows. Raises Invalid when an external reference is taken."""
    _refuse_taken_references(session, business.business_id, new)
    now = clock.now()
    rows: list[dict[str, Any]] = [
        {
            **client,
            "business_id": business.business_id,
            "client_id": new_id(),
            "sequence": 1,
            "email_folded": client["email"].casefold() if client["email"] else None,
            "is_deactivated": client["status"] == "inactive",
            "due_told_for": None,
            "created_at": now,
        }
        for client in new
    ]
    try:
        bulk_insert(session, Client.__table__, rows)  # type: ignore[arg-type]
    except IntegrityError as error:  # a twin was quicker
        raise Conflict(
            "external_ref_taken", "Another client was just given one of these external references."
        ) from error
    bulk_insert(session, ClientAccount.__table__, [  # type: ignore[arg-type]
        {
            "business_id": row["business_id"],
            "client_id": row["client_id"],
            "balance_minor": 0,
            "scheduled_minor": 0,
            "refunding_minor": 0,
            "sequence": 0,
        }
        for row in rows
    ])  # fmt: skip
    tallies.note(session, [(business.business_id, Change(NO_DAY, CLIENTS, 0, len(rows)))])
    emit(session, "billing", [
        ClientRegistered(business_id=business.business_id, **{name: row[name] for name in FACTS}) for row in rows
    ])  # fmt: skip
    return rows


def change(session: Session, business: Business, client_id: str, changes: dict[str, Any]) -> Client:
    """Change what is named, and tell of an activation or deactivation that follows. Raises NotFound, Conflict.

    Making a client active whose inactive date has come takes that date away, unless another one is named.
    """
    today = clock.today(business.time_zone)
    client = session.scalars(
        select(Client)
        .where(Client.business_id == business.business_id, Client.client_id == client_id)
        .with_for_update()
    ).one_or_none()
    if client is None:
        raise NotFound("not_found", "There is no such client.")
    has_come = client.inactive_on is not None and client.inactive_on <= today
    if changes.get("status") == "active" and "inactive_on" not in changes and has_come:
        changes = {**changes, "inactive_on": None}
    for field, value in changes.items():
        setattr(client, field, value)
    client.email_folded = client.email.casefold() if client.email else None
    client.sequence += 1
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict("external_ref_taken", "Another client has this external reference.") from error
    facts = {name: getattr(client, name) for name in FACTS}
    emit(session, "billing", [
        ClientUpdated(business_id=business.business_id, sequence=client.sequence, **facts), *_turned(client, today)
    ])  # fmt: skip
    session.flush()
    return client


def _turned(client: Client, today: date) -> list[Event]:
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


def announce_deactivated(session: Session, limit: int = 500) -> int:
    """Tell of clients whose inactive date has come where their business is; answers how many. Each is told once: its
    row is locked, and says so afterwards."""
    rows = session.execute(_leaving(session, days_ahead=0).limit(limit)).all()
    events = [event for client, time_zone in rows for event in _turned(client, clock.today(time_zone))]
    session.flush()
    emit(session, "billing", events)
    return len(events)


def warn_of_deactivations(session: Session) -> int:
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


def _refuse_taken_references(session: Session, business_id: str, new: Sequence[dict[str, Any]]) -> None:
    references = [client["external_ref"] for client in new]
    wanted = {reference for reference in references if reference}
    taken = set(
        session.scalars(
            select(Client.external_ref).where(Client.business_id == business_id, Client.external_ref.in_(wanted))
        )
    ) if wanted else set()  # fmt: skip
    errors = []
    for row, reference in enumerate(references, start=1):
        if reference in taken:
            message = f"another client has the external reference '{reference}'"
            errors.append(FieldError("external_ref", message, row if len(new) > 1 else None, "external_ref_taken"))
        elif reference:
            taken.add(reference)  # a second row with it is wrong as well
    if errors:
        raise Invalid("external_ref_taken", f"{errors[0].message}. Nothing was added.", errors)
