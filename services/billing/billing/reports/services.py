"""Service reports: what each service brought in, by client and day; every figure is a sum of the ledger's entries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, select, tuple_
from sqlalchemy.orm import Session

from billing.domain.invoice import OTHER_INCOME
from billing.domain.ledger import SESSION_CHARGES
from billing.domain.tally import INCOME, RECEIVED
from billing.models import CatalogService, Client, Transfer
from billing.reports import tallies

TAKEN_BACK = ("session_cancelled", "invoice_void")
OTHER_NAME = "Other charges"

INCOME_MINOR = case((Transfer.kind.in_(TAKEN_BACK), -Transfer.amount_minor), else_=Transfer.amount_minor)
SESSIONS = case((Transfer.kind.in_(SESSION_CHARGES), 1), (Transfer.kind == "session_cancelled", -1), else_=0)


@dataclass(frozen=True)
class IncomeFilters:
    """Which income: by effective day, service and client."""

    business_id: str
    first: date
    last: date
    service_id: str | None = None
    client_id: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = [
            Transfer.business_id == self.business_id,
            Transfer.effective_on.between(self.first, self.last),
            Transfer.service_id.is_not(None),
        ]
        if self.service_id is not None:
            found.append(Transfer.service_id == self.service_id)
        if self.client_id is not None:
            found.append(Transfer.client_id == self.client_id)
        return found


def rows(filters: IncomeFilters, after: tuple[Any, ...] | None) -> Select[Any]:
    """(client name, client id, service id, sessions, amount in minor units), by client.

    Clients are walked in the order of their names, so a page costs what its clients cost, however long the ledger."""
    key = (Client.name, Client.client_id, Transfer.service_id)
    query: Any = (
        select(*key, func.sum(SESSIONS).label("sessions"), func.sum(INCOME_MINOR).label("amount_minor"))
        .join(Transfer, and_(Transfer.business_id == Client.business_id, Transfer.client_id == Client.client_id))
        .where(Client.business_id == filters.business_id, *filters.conditions())
        .group_by(*key)
        .order_by(*key)
    )
    if filters.client_id is not None:
        query = query.where(Client.client_id == filters.client_id)
    if after is None:
        return query  # type: ignore[no-any-return]
    return query.where(  # type: ignore[no-any-return]
        tuple_(Client.name, Client.client_id) >= tuple_(after[0], after[1]), tuple_(*key) > tuple_(*after)
    )


def by_service(session: Session, filters: IncomeFilters) -> list[dict[str, Any]]:
    """Sessions and amount of each service, by its name; all services together are the totals."""
    sums: dict[str, tuple[int, int]] = {}
    if filters.client_id is None:
        found = tallies.by_day(session, filters.business_id, filters.first, filters.last, INCOME)
        for (_, service_id), (amount_minor, sessions) in found.items():
            before = sums.get(service_id, (0, 0))
            if filters.service_id in (None, service_id):
                sums[service_id] = (before[0] + amount_minor, before[1] + sessions)
    else:
        query = select(Transfer.service_id, func.sum(INCOME_MINOR), func.sum(SESSIONS)).where(*filters.conditions())
        for service_id, amount_minor, sessions in session.execute(query.group_by(Transfer.service_id)):
            sums[str(service_id)] = (int(amount_minor), int(sessions))
    names = service_names(session, filters.business_id)
    lines = [
        {
            "service_id": service_id,
            "service_name": names.get(service_id, service_id),
            "sessions": sessions,
            "amount_minor": amount_minor,
        }
        for service_id, (amount_minor, sessions) in sums.items()
    ]
    return sorted(lines, key=lambda line: (line["service_name"], line["service_id"]))


def service_names(session: Session, business_id: str) -> dict[str, str]:
    """Service id → name, with the name of what belongs to no service."""
    found = select(CatalogService.service_id, CatalogService.name).where(CatalogService.business_id == business_id)
    return {OTHER_INCOME: OTHER_NAME, **dict(session.execute(found).all())}


def totals(lines: Sequence[dict[str, Any]]) -> dict[str, int]:
    return {name: sum(line[name] for line in lines) for name in ("sessions", "amount_minor")}


def against_charges(session: Session, business_id: str, first: date, last: date) -> list[dict[str, Any]]:
    """What was received and what was charged, by month, from the ledger."""
    months: dict[str, dict[str, Any]] = {}
    for field, prefix in (("received_minor", RECEIVED), ("charged_minor", INCOME)):
        for (day, _), (amount_minor, _) in tallies.by_day(session, business_id, first, last, prefix).items():
            month = f"{day:%Y-%m}"
            line = months.setdefault(month, {"month": month, "received_minor": 0, "charged_minor": 0})
            line[field] += amount_minor
    return [months[month] for month in sorted(months)]
