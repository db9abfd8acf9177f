"""Sessions: add through the gate, the calendar, complete, miss, cancel."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from flask import request
from flask.wrappers import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

from billing.api.clients import ClientPath
from billing.domain.calendar import day_bounds
from billing.models import Business, ServiceSession
from billing.reports import sessions as reports
from billing.usecases import accounts, businesses, catalog, clients, sessions
from common.db import Database
from common.errors import FieldError, Invalid, NotFound
from common.money import MAX_AMOUNT_MINOR, to_decimal
from common.web import csv as csv_out
from common.web.app import B, caller, endpoint, runtime, session
from common.web.fields import AmountMinor, Body, BusinessPath, Day, Id, PageQuery, Query
from common.web.paging import decode_cursor, page

api = APIBlueprint("sessions", __name__, abp_tags=[Tag(name="Sessions")], abp_security=[{"bearer": []}])

Status = Literal["scheduled", "completed", "missed", "cancelled"]
YEARS = (2000, 2100)
CSV_HEADER = (
    "id", "starts_at", "duration_minutes", "service_name", "client_id", "client_name", "status", "price", "currency",
    "day", "time",
)  # fmt: skip


class SessionPath(BusinessPath):
    session_id: Id


def check_year(moment: datetime) -> datetime:
    if not YEARS[0] <= moment.year < YEARS[1]:
        raise ValueError(f"a session starts between {YEARS[0]} and {YEARS[1]}")
    return moment.astimezone(UTC)


StartsAt = Annotated[AwareDatetime, AfterValidator(check_year)]


class NewSession(Body):
    client_id: Id
    service_id: Id
    starts_at: StartsAt = Field(description="With its offset, such as 2026-03-02T15:00:00+01:00")
    price_minor: AmountMinor | None = Field(default=None, description="The service's price unless told")


class SessionAnswer(BaseModel):
    """A session as it stands."""

    id: str
    business_id: str
    client_id: str
    client_name: str
    service_id: str
    service_name: str
    starts_at: str
    duration_minutes: int
    price_minor: int
    currency: str
    status: Status
    invoice_id: str | None
    created_at: str
    ended_at: str | None


class SessionsQuery(PageQuery):
    from_: Day | None = Field(default=None, alias="from", description="A day where the business is")
    to: Day | None = None
    client_id: str | None = Field(default=None, max_length=64)
    service_id: str | None = Field(default=None, max_length=64)
    status: Status | None = None
    to_invoice: bool | None = Field(
        default=None, description="true: not cancelled, and no invoice asks for it yet; false: the others"
    )
    sort: Literal["starts_at", "-starts_at"] = Field(default="starts_at", description="-starts_at: the latest first")


class EligibilityQuery(Query):
    service_id: str | None = Field(default=None, max_length=64, description="Its price is what is asked about")
    price_minor: int | None = Field(default=None, ge=1, le=MAX_AMOUNT_MINOR)
    starts_at: StartsAt | None = None


@api.post(f"{B}/sessions", responses={201: SessionAnswer})
@endpoint("billing:write")
def add_session(path: BusinessPath, body: NewSession) -> tuple[dict[str, Any], int]:
    """Add a session

    With pre-payment on, 409 `balance_below_threshold` says what is missing, with a link that pays exactly that.
    """
    caller().require_staff("business")
    business = businesses.find(session(), path.business_id)
    added, warnings = sessions.schedule(
        session(), business, body.client_id, body.service_id, body.starts_at, body.price_minor, caller().actor,
        runtime().pay_links,
    )  # fmt: skip
    return {**_shown(added), "warnings": warnings}, 201


@api.get(f"{B}/clients/<string:client_id>/session-eligibility")
@endpoint("billing:read")
def get_eligibility(path: ClientPath, query: EligibilityQuery) -> dict[str, Any]:
    """Whether a session could be added now, and if not why, without adding it"""
    caller().require_client(path.client_id)
    business = businesses.find(session(), path.business_id)
    client = clients.find(session(), path.business_id, path.client_id)
    price_minor = query.price_minor or 0
    if query.price_minor is None and query.service_id is not None:
        price_minor = catalog.find(session(), path.business_id, query.service_id).price_minor
    account = accounts.look(session(), path.business_id, path.client_id)
    answer = sessions.eligibility(business, client, account, price_minor, query.starts_at, runtime().pay_links)
    return {
        "client_id": path.client_id,
        "eligible": not answer.reasons,
        "reasons": answer.reasons,
        "detail": answer.sentence,
        "warnings": answer.warnings,
        **answer.figures,
    }


@api.get(f"{B}/sessions")
@endpoint("billing:read")
def list_sessions(path: BusinessPath, query: SessionsQuery) -> dict[str, Any] | Response:
    """A calendar's range: sessions by start; all of it as CSV with `Accept: text/csv`

    On the days from `from` to `to`, both included, where the business is.
    """
    business = businesses.find(session(), path.business_id)
    own = caller().client_id
    if own is not None and query.client_id not in (None, own):
        raise NotFound("not_found", "There is no such client.")
    if query.from_ is not None and query.to is not None and query.from_ > query.to:
        message = "is after `to`"
        raise Invalid("range_invalid", "`from` must not be after `to`.", [FieldError("from", message)])
    filters = reports.SessionFilters(
        business_id=path.business_id,
        begin=day_bounds(query.from_, query.from_, business.time_zone)[0] if query.from_ else None,
        end=day_bounds(query.to, query.to, business.time_zone)[1] if query.to else None,
        client_id=own or query.client_id,
        service_id=query.service_id,
        status=query.status,
        to_invoice=query.to_invoice,
    )
    if request.accept_mimetypes.best == "text/csv":
        return csv_out.stream(CSV_HEADER, _csv_rows(runtime().database, filters, query.sort, business), "sessions.csv")
    rows = session().execute(
        reports.sessions(filters, decode_cursor(query.cursor, datetime, str), query.sort).limit(query.limit + 1)
    ).all()  # fmt: skip
    last = rows[query.limit - 1][0] if len(rows) > query.limit else None
    items = [reports.as_json(row, client, service, business.currency) for row, client, service in rows]
    return page(items, query.limit, [last.starts_at, last.session_id] if last else None)


@api.get(f"{B}/sessions/<string:session_id>", responses={200: SessionAnswer})
@endpoint("billing:read")
def get_session(path: SessionPath) -> dict[str, Any]:
    """One session, with `warnings` while it is scheduled"""
    found = sessions.find(session(), path.business_id, path.session_id)
    if caller().client_id not in (None, found.client_id):
        raise NotFound("not_found", "There is no such session.")
    business = businesses.find(session(), path.business_id)
    client = clients.find(session(), path.business_id, found.client_id)
    return {**_shown(found), "warnings": sessions.warnings_of(business, client, found)}


@api.post(f"{B}/sessions/<string:session_id>/complete", responses={200: SessionAnswer})
@endpoint("billing:write")
def complete_session(path: SessionPath) -> dict[str, Any]:
    """The session took place: it is charged, once"""
    return _charge(path, "completed")


@api.post(f"{B}/sessions/<string:session_id>/miss", responses={200: SessionAnswer})
@endpoint("billing:write")
def miss_session(path: SessionPath) -> dict[str, Any]:
    """The client did not come: it is charged all the same, once"""
    return _charge(path, "missed")


@api.post(f"{B}/sessions/<string:session_id>/cancel", responses={200: SessionAnswer})
@endpoint("billing:write")
def cancel_session(path: SessionPath) -> dict[str, Any]:
    """The session does not take place: nothing is charged, and a charge already made is given back"""
    caller().require_staff("session")
    business = businesses.find(session(), path.business_id)
    return _shown(sessions.cancel(session(), business, path.session_id, caller().actor))


def _charge(path: SessionPath, outcome: Literal["completed", "missed"]) -> dict[str, Any]:
    caller().require_staff("session")
    business = businesses.find(session(), path.business_id)
    return _shown(sessions.charge(session(), business, path.session_id, outcome, caller().actor))


def _csv_rows(
    database: Database, filters: reports.SessionFilters, sort: str, business: Business
) -> Iterator[list[Any]]:  # fmt: skip
    """`day` and `time` are what the clocks of the business show."""
    currency, zone = business.currency, ZoneInfo(business.time_zone)
    with database.read() as reading:
        found = reports.sessions(filters, None, sort).execution_options(yield_per=500)
        for row, client, service in reading.execute(found):
            line = reports.as_json(row, client, service, currency)
            line["price"] = to_decimal(row.price_minor, currency)
            line["starts_at"] = row.starts_at.isoformat()
            local = row.starts_at.astimezone(zone)
            line |= {"day": local.date().isoformat(), "time": f"{local:%H:%M}"}
            yield [line[column] for column in CSV_HEADER]
            reading.expunge(row)


def _shown(found: ServiceSession) -> dict[str, Any]:
    business = businesses.find(session(), found.business_id)
    client = clients.find(session(), found.business_id, found.client_id)
    service = catalog.find(session(), found.business_id, found.service_id)
    return reports.as_json(found, client.name, service.name, business.currency)
