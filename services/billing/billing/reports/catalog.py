"""The catalogue's services: which fit a filter, in which order."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, select

from billing.models import CatalogService
from common.order import in_order


@dataclass(frozen=True)
class ServiceFilters:
    """Which services of a business; `q` is a part of the name."""

    business_id: str
    active: bool | None = None
    q: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = [CatalogService.business_id == self.business_id]
        if self.active is not None:
            found.append(CatalogService.active == self.active)
        if self.q:
            found.append(CatalogService.name.icontains(self.q, autoescape=True))
        return found


def services(filters: ServiceFilters, after: tuple[Any, ...] | None, sort: str = "name") -> Select[CatalogService]:
    """By `sort`: name, price or minutes, falling with a minus before it. `after` is the key of the last row, as
    `place_of` gives it."""
    first = {
        "name": CatalogService.name, "price": CatalogService.price_minor, "minutes": CatalogService.duration_minutes,
    }[sort.removeprefix("-")]  # fmt: skip
    query = select(CatalogService).where(*filters.conditions())
    return in_order(
        query, (first.expression, CatalogService.service_id.expression), after, falling=sort.startswith("-")
    )


def place_of(service: CatalogService, sort: str) -> list[Any]:
    """Where a service stands in a list sorted so."""
    by = {"name": service.name, "price": service.price_minor, "minutes": service.duration_minutes}
    return [by[sort.removeprefix("-")], service.service_id]
