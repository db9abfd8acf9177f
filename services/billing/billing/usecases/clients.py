"""Clients: register one or many, change. Their accounts come with them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from billing.domain.tally import CLIENTS, NO_DAY, Change
from billing.models import Business, Client, ClientAccount
from billing.usecases import deactivations, tallies
from common import clock
from common.db import bulk_insert
from common.errors import Conflict, FieldError, Invalid, NotFound
from common.events.billing import ClientRegistered, ClientUpdated
from common.ids import new_id
from common.outbox import emit

FACTS = ("client_id", "name", "email", "external_ref", "status", "inactive_on")


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
        words = "Another client has this external reference."
        raise Conflict("external_ref_taken", words, [FieldError("external_ref", words)]) from error
    facts = {name: getattr(client, name) for name in FACTS}
    updated = ClientUpdated(business_id=business.business_id, sequence=client.sequence, **facts)
    emit(session, "billing", [updated, *deactivations.turned(client, today)])
    session.flush()
    return client


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
