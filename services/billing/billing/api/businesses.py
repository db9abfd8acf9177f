"""Businesses and their session-control settings."""

from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field, StrictInt, field_validator
from sqlalchemy import select

from billing.models import Business
from billing.usecases import businesses
from common.money import MAX_AMOUNT_MINOR
from common.web.app import B, caller, endpoint, session
from common.web.fields import Body, BusinessPath, Currency, Line, OptionalEmail, PageQuery
from common.web.paging import decode_cursor, page

api = APIBlueprint("businesses", __name__, abp_tags=[Tag(name="Businesses")], abp_security=[{"bearer": []}])

_ZONES = available_timezones()


def _check_time_zone(name: str) -> str:
    if name not in _ZONES:
        raise ValueError("this is not an IANA time zone; use one such as Europe/Berlin")
    return ZoneInfo(name).key


class SessionControl(Body):
    """The pre-pay gate."""

    prepayment_required: bool | None = None
    threshold_minor: StrictInt | None = Field(default=None, ge=0, le=MAX_AMOUNT_MINOR)
    reserve_scheduled: bool | None = None


class Invoicing(Body):
    """How invoices are paid."""

    apply_credit_automatically: bool | None = Field(
        default=None, description="Set credit against pending invoices, the oldest first, without being asked"
    )
    invoice_due_days: StrictInt | None = Field(
        default=None, ge=0, le=365, description="Days until an invoice is due, unless it says its own date"
    )


class NewBusiness(Body):
    name: Line
    currency: Currency
    time_zone: str
    reply_to_email: OptionalEmail = None

    check_time_zone = field_validator("time_zone")(_check_time_zone)


class BusinessChanges(Body):
    name: Line | None = None
    time_zone: str | None = None
    reply_to_email: OptionalEmail = None
    session_control: SessionControl | None = None
    invoicing: Invoicing | None = None

    @field_validator("time_zone")
    @classmethod
    def check_time_zone(cls, name: str | None) -> str | None:
        return None if name is None else _check_time_zone(name)


class BusinessAnswer(BaseModel):
    """A business as it stands."""

    id: str
    name: str
    currency: str
    time_zone: str
    reply_to_email: str | None
    session_control: SessionControl
    invoicing: Invoicing
    created_at: str


def as_json(business: Business) -> dict[str, Any]:
    return {
        "id": business.business_id,
        "name": business.name,
        "currency": business.currency,
        "time_zone": business.time_zone,
        "reply_to_email": business.reply_to_email,
        "session_control": {name: getattr(business, name) for name in businesses.SESSION_CONTROL},
        "invoicing": {name: getattr(business, name) for name in businesses.INVOICING},
        "created_at": business.created_at,
    }


@api.post("/v1/businesses", responses={201: BusinessAnswer})
@endpoint("operator")
def register_business(body: NewBusiness) -> tuple[dict[str, Any], int]:
    """Register a business"""
    return as_json(businesses.register(session(), body.name, body.currency, body.time_zone, body.reply_to_email)), 201


@api.get("/v1/businesses")
@endpoint("billing:read")
def list_businesses(query: PageQuery) -> dict[str, Any]:
    """The businesses this token may see"""
    select_businesses = select(Business).order_by(Business.business_id).limit(query.limit + 1)
    if caller().business != "*":
        select_businesses = select_businesses.where(Business.business_id == caller().business)
    if (after := decode_cursor(query.cursor, str)) is not None:
        select_businesses = select_businesses.where(Business.business_id > after[0])
    rows = session().scalars(select_businesses).all()
    more = [rows[query.limit - 1].business_id] if len(rows) > query.limit else None
    return page([as_json(row) for row in rows], query.limit, more)


@api.get(B, responses={200: BusinessAnswer})
@endpoint("billing:read")
def get_business(path: BusinessPath) -> dict[str, Any]:
    """One business"""
    return as_json(businesses.find(session(), path.business_id))


@api.patch(B, responses={200: BusinessAnswer})
@endpoint("billing:write")
def change_business(path: BusinessPath, body: BusinessChanges) -> dict[str, Any]:
    """Change a business, its session control or its invoicing

    What is left out stays. The currency cannot change: money is recorded in it.
    """
    caller().require_staff("business")
    changes = body.model_dump(exclude_unset=True, exclude={"session_control", "invoicing"})
    changes = {name: value for name, value in changes.items() if value is not None or name == "reply_to_email"}
    for group in (body.session_control, body.invoicing):
        changes |= group.model_dump(exclude_none=True) if group else {}
    return as_json(businesses.change(session(), path.business_id, changes))
