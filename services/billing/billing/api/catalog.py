"""The catalogue: what a business sells by the session."""

from collections.abc import Iterator
from typing import Any, Literal

from flask import request
from flask.wrappers import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field, StrictBool, StrictInt

from billing.models import CatalogService
from billing.reports import catalog as reports
from billing.usecases import businesses, catalog
from common.db import Database
from common.money import to_decimal
from common.web import csv as csv_out
from common.web.app import B, caller, endpoint, runtime, session
from common.web.fields import AmountMinor, Body, BusinessPath, Id, Line, PageQuery
from common.web.paging import decode_cursor, page

api = APIBlueprint("catalog", __name__, abp_tags=[Tag(name="Services")], abp_security=[{"bearer": []}])

MAX_MINUTES = 24 * 60
CSV_HEADER = ("id", "name", "price", "currency", "duration_minutes", "active")


class ServicePath(BusinessPath):
    service_id: Id


class NewService(Body):
    name: Line
    price_minor: AmountMinor
    duration_minutes: StrictInt = Field(ge=1, le=MAX_MINUTES)
    active: StrictBool = True


class ServiceChanges(Body):
    name: Line | None = None
    price_minor: AmountMinor | None = None
    duration_minutes: StrictInt | None = Field(default=None, ge=1, le=MAX_MINUTES)
    active: StrictBool | None = None


class ServicesQuery(PageQuery):
    active: bool | None = None
    q: str | None = Field(default=None, max_length=200, description="A part of the name")
    sort: Literal["name", "-name", "price", "-price", "minutes", "-minutes"] = "name"


class ServiceAnswer(BaseModel):
    """A service as it is sold now; sessions keep the price they were added at."""

    id: str
    name: str
    price_minor: int
    currency: str
    duration_minutes: int
    active: bool
    created_at: str


def as_json(service: CatalogService, currency: str) -> dict[str, Any]:
    return {
        "id": service.service_id,
        "name": service.name,
        "price_minor": service.price_minor,
        "currency": currency,
        "duration_minutes": service.duration_minutes,
        "active": service.active,
        "created_at": service.created_at,
    }


@api.post(f"{B}/services", responses={201: ServiceAnswer})
@endpoint("billing:write")
def add_service(path: BusinessPath, body: NewService) -> tuple[dict[str, Any], int]:
    """Add a service"""
    caller().require_staff("business")
    business = businesses.find(session(), path.business_id)
    return as_json(catalog.add(session(), path.business_id, body.model_dump()), business.currency), 201


@api.get(f"{B}/services")
@endpoint("billing:read")
def list_services(path: BusinessPath, query: ServicesQuery) -> dict[str, Any] | Response:
    """Services by name unless `sort` says otherwise; as CSV with `Accept: text/csv`"""
    business = businesses.find(session(), path.business_id)
    filters = reports.ServiceFilters(path.business_id, query.active, query.q)
    if request.accept_mimetypes.best == "text/csv":
        rows = _csv_rows(runtime().database, filters, query.sort, business.currency)
        return csv_out.stream(CSV_HEADER, rows, "services.csv")
    after = decode_cursor(query.cursor, str if query.sort.removeprefix("-") == "name" else int, str)
    found = session().scalars(reports.services(filters, after, query.sort).limit(query.limit + 1)).all()
    last = found[query.limit - 1] if len(found) > query.limit else None
    items = [as_json(row, business.currency) for row in found]
    return page(items, query.limit, reports.place_of(last, query.sort) if last else None)


@api.get(f"{B}/services/<string:service_id>", responses={200: ServiceAnswer})
@endpoint("billing:read")
def get_service(path: ServicePath) -> dict[str, Any]:
    """One service"""
    business = businesses.find(session(), path.business_id)
    return as_json(catalog.find(session(), path.business_id, path.service_id), business.currency)


@api.patch(f"{B}/services/<string:service_id>", responses={200: ServiceAnswer})
@endpoint("billing:write")
def change_service(path: ServicePath, body: ServiceChanges) -> dict[str, Any]:
    """Change a service; what is left out stays, and so do the prices of sessions already added"""
    caller().require_staff("business")
    business = businesses.find(session(), path.business_id)
    changes = body.model_dump(exclude_none=True)
    return as_json(catalog.change(session(), path.business_id, path.service_id, changes), business.currency)


def _csv_rows(
    database: Database, filters: reports.ServiceFilters, sort: str, currency: str
) -> Iterator[list[Any]]:  # fmt: skip
    with database.read() as reading:
        for service in reading.scalars(reports.services(filters, None, sort).execution_options(yield_per=500)):
            line = {**as_json(service, currency), "price": to_decimal(service.price_minor, currency)}
            yield [line[column] for column in CSV_HEADER]
            reading.expunge(service)
