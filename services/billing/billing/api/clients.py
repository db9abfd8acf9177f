"""Clients: one, many, look-up, and in and out as CSV."""

import csv
import io
from collections.abc import Iterator
from datetime import date
from typing import Any, Literal

from flask import request
from flask.wrappers import Response
from flask_openapi3 import APIBlueprint, RawModel, Tag
from pydantic import BaseModel, Field, StrictInt, ValidationError

from billing.models import Business, Client
from billing.reports import clients as reports
from billing.usecases import businesses, clients, deactivations
from common import clock
from common.cells import plain_cell
from common.db import Database
from common.errors import FieldError, Invalid
from common.money import MAX_AMOUNT_MINOR, MoneyError, parse_major, to_decimal
from common.standing import effective_status
from common.web import csv as csv_out
from common.web.app import ANY_JSON, B, caller, endpoint, runtime, session
from common.web.fields import Body, BusinessPath, Day, Id, Line, OptionalEmail, OptionalLine, PageQuery
from common.web.paging import decode_cursor, page
from common.web.problems import field_errors

api = APIBlueprint("clients", __name__, abp_tags=[Tag(name="Clients")], abp_security=[{"bearer": []}])

MAX_CLIENTS = 10_000
BATCH_BYTES = 16 * 1024 * 1024
CSV_COLUMNS = ("name", "email", "phone", "external_ref", "status", "inactive_on", "threshold")

ThresholdMinor = Field(default=None, ge=0, le=MAX_AMOUNT_MINOR)


class ClientPath(BusinessPath):
    client_id: Id


class NewClient(Body):
    name: Line
    email: OptionalEmail = None
    phone: OptionalLine = None
    external_ref: OptionalLine = None
    status: Literal["active", "inactive", "prospect"] = "active"
    inactive_on: Day | None = None
    threshold_minor: StrictInt | None = ThresholdMinor


class ClientChanges(Body):
    name: Line | None = None
    email: OptionalEmail = None
    phone: OptionalLine = None
    external_ref: OptionalLine = None
    status: Literal["active", "inactive", "prospect"] | None = None
    inactive_on: Day | None = None
    threshold_minor: StrictInt | None = ThresholdMinor


class NewClients(RawModel):
    """`{"clients": [...]}` as JSON, or text/csv with the header
    name,email,phone,external_ref,status,inactive_on,threshold."""

    mimetypes: list[str] = ["application/json", "text/csv"]


class ClientsBody(Body):
    clients: list[NewClient] = Field(min_length=1, max_length=MAX_CLIENTS)


class Lookup(Body):
    ids: list[str] = Field(default=[], max_length=MAX_CLIENTS)
    emails: list[str] = Field(default=[], max_length=MAX_CLIENTS)
    external_refs: list[str] = Field(default=[], max_length=MAX_CLIENTS)
    names: list[str] = Field(default=[], max_length=MAX_CLIENTS)


class ClientAnswer(BaseModel):
    """A client; `status` is what it is today, where the business is."""

    id: str
    business_id: str
    name: str
    email: str | None
    phone: str | None
    external_ref: str | None
    status: Literal["active", "inactive", "prospect"]
    inactive_on: date | None
    threshold_minor: int | None
    created_at: str


class ClientQuery(PageQuery):
    status: Literal["active", "inactive", "prospect"] | None = None
    email: str | None = Field(default=None, max_length=254)
    external_ref: str | None = Field(default=None, max_length=200)
    q: str | None = Field(default=None, max_length=200)


def as_json(client: Client | dict[str, Any], today: date) -> dict[str, Any]:
    facts = client if isinstance(client, dict) else vars(client)
    return {
        "id": facts["client_id"],
        "business_id": facts["business_id"],
        "name": facts["name"],
        "email": facts["email"],
        "phone": facts["phone"],
        "external_ref": facts["external_ref"],
        "status": effective_status(facts["status"], facts["inactive_on"], today),
        "inactive_on": facts["inactive_on"],
        "threshold_minor": facts["threshold_minor"],
        "created_at": facts["created_at"],
    }


@api.post(f"{B}/clients", responses={201: ClientAnswer})
@endpoint("billing:write")
def register_client(path: BusinessPath, body: NewClient) -> tuple[dict[str, Any], int]:
    """Add a client"""
    business = _business_for_staff(path.business_id)
    (row,) = clients.register(session(), business, [body.model_dump()])
    return as_json(row, clock.today(business.time_zone)), 201


@api.post(f"{B}/clients/batch", responses={201: ANY_JSON})
@endpoint("billing:write", max_body_bytes=BATCH_BYTES)
def register_clients(path: BusinessPath, raw: NewClients) -> tuple[dict[str, Any], int]:
    """Add many clients, all or none, as JSON or CSV"""
    business = _business_for_staff(path.business_id)
    if request.mimetype == "text/csv":
        new = _parse_csv(request.get_data(), business.currency)
    else:
        try:
            new = ClientsBody.model_validate(request.get_json(silent=True)).clients
        except ValidationError as error:
            errors = field_errors(error, rows_field="clients")
            raise Invalid("validation_failed", "Nothing was added.", errors) from None
    rows = clients.register(session(), business, [client.model_dump() for client in new])
    today = clock.today(business.time_zone)
    return {"count": len(rows), "clients": [as_json(row, today) for row in rows]}, 201


@api.post(f"{B}/clients/lookup")
@endpoint("billing:read", idempotent=False, max_body_bytes=BATCH_BYTES)
def look_up_clients(path: BusinessPath, body: Lookup) -> dict[str, Any]:
    """Find clients by ids, e-mail addresses, external references or exact names, for services and teams"""
    business = businesses.find(session(), path.business_id)
    today = clock.today(business.time_zone)
    found = reports.find_clients(session(), path.business_id, body.ids, body.emails, body.external_refs, body.names)
    visible = [client for client in found if caller().client_id in (None, client.client_id)]
    return {"items": [as_json(client, today) for client in visible]}


@api.get(f"{B}/clients")
@endpoint("billing:read")
def list_clients(path: BusinessPath, query: ClientQuery) -> dict[str, Any] | Response:
    """Clients by name; as CSV with `Accept: text/csv`"""
    business = businesses.find(session(), path.business_id)
    today = clock.today(business.time_zone)
    filters = reports.ClientFilters(
        business_id=path.business_id,
        today=today,
        status=query.status,
        email=query.email,
        external_ref=query.external_ref,
        q=query.q,
        client_id=caller().client_id,
    )
    if request.accept_mimetypes.best == "text/csv":
        return csv_out.stream(CSV_COLUMNS, _csv_rows(runtime().database, filters, business.currency), "clients.csv")
    rows = session().scalars(
        reports.clients(filters, decode_cursor(query.cursor, str, str)).limit(query.limit + 1)
    ).all()  # fmt: skip
    last = rows[query.limit - 1] if len(rows) > query.limit else None
    return page([as_json(row, today) for row in rows], query.limit, [last.name, last.client_id] if last else None)


@api.get(f"{B}/clients/<string:client_id>", responses={200: ClientAnswer})
@endpoint("billing:read")
def get_client(path: ClientPath) -> dict[str, Any]:
    """One client"""
    caller().require_client(path.client_id)
    business = businesses.find(session(), path.business_id)
    return as_json(clients.find(session(), path.business_id, path.client_id), clock.today(business.time_zone))


@api.patch(f"{B}/clients/<string:client_id>", responses={200: ClientAnswer})
@endpoint("billing:write")
def change_client(path: ClientPath, body: ClientChanges) -> dict[str, Any]:
    """Change a client; what is left out stays

    Making a client active whose inactive date has come takes that date away.
    """
    business = _business_for_staff(path.business_id)
    changes = body.model_dump(exclude_unset=True)
    for required in ("name", "status"):
        if required in changes and changes[required] is None:
            raise Invalid(
                "validation_failed", f"A client has a {required}.", [FieldError(required, "may not be empty")]
            )
    client = clients.change(session(), business, path.client_id, changes)
    return as_json(client, clock.today(business.time_zone))


@api.get(f"{B}/clients/<string:client_id>/closing-check")
@endpoint("billing:read")
def check_closing(path: ClientPath) -> dict[str, Any]:
    """What stands in the way of deactivating a client: money owed or left, sessions to come, invoices open"""
    caller().require_staff("client")
    return deactivations.closing_check(session(), clients.find(session(), path.business_id, path.client_id))


def _business_for_staff(business_id: str) -> Business:
    caller().require_staff("business")
    return businesses.find(session(), business_id)


def _csv_rows(database: Database, filters: reports.ClientFilters, currency: str) -> Iterator[list[Any]]:
    with database.read() as reading:
        for client in reading.scalars(reports.clients(filters, None).execution_options(yield_per=500)):
            threshold = None if client.threshold_minor is None else to_decimal(client.threshold_minor, currency)
            yield [
                client.name, client.email, client.phone, client.external_ref,
                effective_status(client.status, client.inactive_on, filters.today), client.inactive_on, threshold,
            ]  # fmt: skip


def _parse_csv(body: bytes, currency: str) -> list[NewClient]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        bad_row = body[: error.start].count(b"\n")
        raise Invalid(
            "csv_not_utf8", "The file is not UTF-8 text. Save it as CSV UTF-8 and send it again.",
            [FieldError("file", "this row is not UTF-8", max(bad_row, 1))],
        ) from None  # fmt: skip
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="extra")
    try:
        return _clients_of(reader, currency)
    except csv.Error as error:
        raise Invalid(
            "csv_unreadable",
            f"Line {reader.line_num} cannot be read ({error}). Check its quotation marks and line ends.",
        ) from error


def _clients_of(reader: "csv.DictReader[str]", currency: str) -> list[NewClient]:
    columns = [(name or "").strip().lower() for name in reader.fieldnames or []]
    if "name" not in columns or not set(columns) <= set(CSV_COLUMNS):
        raise Invalid(
            "csv_header",
            f"The first line must be {','.join(CSV_COLUMNS)}; columns after name may be left out.",
        )
    reader.fieldnames = columns
    found: list[NewClient] = []
    errors: list[FieldError] = []
    for row_number, row in enumerate(reader, start=1):
        if row_number > MAX_CLIENTS:
            raise Invalid("too_many_rows", f"A file has at most {MAX_CLIENTS} clients. Split it and send the parts.")
        if any(cell.strip() for cell in row.pop("extra", None) or ()):  # commas at the end of a line are harmless
            errors.append(FieldError("row", "this row has more cells than the first line", row_number))
            continue
        try:
            found.append(_client_of(row, currency))
        except ValidationError as error:
            errors += [FieldError(item.field, item.message, row_number) for item in field_errors(error)]
        except MoneyError as error:
            errors.append(FieldError("threshold", str(error), row_number))
    if errors or not found:
        raise Invalid("validation_failed", "Nothing was added; correct these rows and send the file again.", errors)
    return found


def _client_of(row: dict[str, Any], currency: str) -> NewClient:
    values: dict[str, Any] = {name: text for name, cell in row.items() if (text := plain_cell((cell or "").strip()))}
    if "threshold" in values:
        values["threshold_minor"] = parse_major(values.pop("threshold"), currency)
    return NewClient.model_validate({"name": "", **values})
