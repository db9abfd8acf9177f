"""Clients: who fits a filter, and who is meant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select, tuple_
from sqlalchemy.orm import Session

from billing.models import Client
from common.db import IN_CHUNK, is_one_of


@dataclass(frozen=True)
class ClientFilters:
    """Which clients; `today` decides who is inactive by date."""

    business_id: str
    today: date
    status: str | None = None
    q: str | None = None
    client_id: str | None = None
    email: str | None = None
    external_ref: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = [Client.business_id == self.business_id]
        if self.status is not None:
            found.append(_status_is(self.status, self.today))
        if self.client_id is not None:
            found.append(Client.client_id == self.client_id)
        if self.email is not None:
            found.append(Client.email_folded == self.email.casefold())
        if self.external_ref is not None:
            found.append(Client.external_ref == self.external_ref)
        if self.q:
            found.append(
                or_(
                    Client.name.icontains(self.q, autoescape=True),
                    Client.email_folded.contains(self.q.casefold(), autoescape=True),
                    Client.external_ref == self.q,
                )
            )
        return found


def _status_is(status: str, today: date) -> ColumnElement[bool]:
    inactive = or_(Client.status == "inactive", and_(Client.inactive_on.is_not(None), Client.inactive_on <= today))
    return inactive if status == "inactive" else and_(Client.status == status, ~inactive)


def clients(filters: ClientFilters, after: tuple[Any, ...] | None) -> Select[Client]:
    """Clients by name."""
    query = select(Client).where(*filters.conditions()).order_by(Client.name, Client.client_id)
    return query if after is None else query.where(tuple_(Client.name, Client.client_id) > tuple_(*after))


def find_clients(
    session: Session,
    business_id: str,
    ids: Sequence[str],
    emails: Sequence[str],
    external_refs: Sequence[str],
    names: Sequence[str],
) -> list[Client]:
    """Clients that fit one of the values, by name; each once."""
    found: dict[str, Client] = {}
    for column, values in (
        (Client.client_id, ids),
        (Client.email_folded, [email.casefold() for email in emails]),
        (Client.external_ref, external_refs),
        (Client.name, names),
    ):
        for start in range(0, len(values), IN_CHUNK):
            chunk = values[start : start + IN_CHUNK]
            rows = session.scalars(
                select(Client).where(Client.business_id == business_id, is_one_of(session, column, chunk))
            )
            found |= {client.client_id: client for client in rows}
    return sorted(found.values(), key=lambda client: (client.name, client.client_id))
