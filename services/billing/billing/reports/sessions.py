"""Sessions: a calendar's range, and how one is shown."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, literal, select, tuple_

from billing.models import CatalogService, Client, ServiceSession
from common.db import Moment


@dataclass(frozen=True)
class SessionFilters:
    """Which sessions of a business; `begin` and `end` bound when they start, `end` not included;
    `to_invoice`: those that an invoice could ask for, because none does yet and they are not cancelled."""

    business_id: str
    begin: datetime | None = None
    end: datetime | None = None
    client_id: str | None = None
    service_id: str | None = None
    status: str | None = None
    to_invoice: bool | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = [ServiceSession.business_id == self.business_id]
        if self.begin is not None:
            found.append(ServiceSession.starts_at >= self.begin)
        if self.end is not None:
            found.append(ServiceSession.starts_at < self.end)
        for name in ("client_id", "service_id", "status"):
            if getattr(self, name) is not None:
                found.append(getattr(ServiceSession, name) == getattr(self, name))
        if self.to_invoice is not None:
            open_to_it = and_(ServiceSession.invoice_id.is_(None), ServiceSession.status != "cancelled")
            found.append(open_to_it if self.to_invoice else ~open_to_it)
        return found


def sessions(
    filters: SessionFilters, after: tuple[Any, ...] | None, sort: str = "starts_at"
) -> Select[ServiceSession, str, str]:
    """(session, client's name, service's name) by start, or with `-starts_at` the latest first."""
    query = (
        select(ServiceSession, Client.name, CatalogService.name)
        .join(
            Client,
            and_(Client.business_id == ServiceSession.business_id, Client.client_id == ServiceSession.client_id),
        )
        .join(
            CatalogService,
            and_(
                CatalogService.business_id == ServiceSession.business_id,
                CatalogService.service_id == ServiceSession.service_id,
            ),
        )
        .where(*filters.conditions())
    )
    key = tuple_(ServiceSession.starts_at, ServiceSession.session_id)
    is_backward = sort == "-starts_at"
    if is_backward:
        query = query.order_by(ServiceSession.starts_at.desc(), ServiceSession.session_id.desc())
    else:
        query = query.order_by(ServiceSession.starts_at, ServiceSession.session_id)
    if after is None:
        return query
    last = tuple_(literal(after[0], Moment), after[1])
    return query.where(key < last if is_backward else key > last)


def as_json(session: ServiceSession, client_name: str, service_name: str, currency: str) -> dict[str, Any]:
    """A session as the API shows it."""
    return {
        "id": session.session_id,
        "business_id": session.business_id,
        "client_id": session.client_id,
        "client_name": client_name,
        "service_id": session.service_id,
        "service_name": service_name,
        "starts_at": session.starts_at,
        "duration_minutes": session.duration_minutes,
        "price_minor": session.price_minor,
        "currency": currency,
        "status": session.status,
        "invoice_id": session.invoice_id,
        "created_at": session.created_at,
        "ended_at": session.ended_at,
    }
