"""The catalogue: what a business sells by the session."""

from typing import Any

from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field, StrictBool, StrictInt
from sqlalchemy import select, tuple_

from billing.models import CatalogService
from billing.usecases import businesses, catalog
from common.web.app import B, caller, endpoint, session
from common.web.fields import AmountMinor, Body, BusinessPath, Id, Line, PageQuery
from common.web.paging import decode_cursor, page

api = APIBlueprint("catalog", __name__, abp_tags=[Tag(name="Services")], abp_security=[{"bearer": []}])

MAX_MINUTES = 24 * 60


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
def list_services(path: BusinessPath, query: ServicesQuery) -> dict[str, Any]:
    """Services by name"""
    business = businesses.find(session(), path.business_id)
    found = select(CatalogService).where(CatalogService.business_id == path.business_id)
    if query.active is not None:
        found = found.where(CatalogService.active == query.active)
    if (after := decode_cursor(query.cursor, str, str)) is not None:
        found = found.where(tuple_(CatalogService.name, CatalogService.service_id) > tuple_(*after))
    found = found.order_by(CatalogService.name, CatalogService.service_id).limit(query.limit + 1)
    rows = session().scalars(found).all()
    last = rows[query.limit - 1] if len(rows) > query.limit else None
    items = [as_json(row, business.currency) for row in rows]
    return page(items, query.limit, [last.name, last.service_id] if last else None)


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
