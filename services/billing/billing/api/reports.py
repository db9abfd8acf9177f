"""Reports: services by client, ageing, received against charged; and a client's statement."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from flask import request
from flask.wrappers import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import Field

from billing.api.clients import ClientPath
from billing.domain.statement_document import StatementDocument, StatementDocumentLine
from billing.models import Business
from billing.reports import balances, services
from billing.reports import ledger as ledger_reports
from billing.reports.services import IncomeFilters
from billing.reports.statement import Statement, statement
from billing.statement_pdf import render_statement
from billing.usecases import businesses, clients
from common import clock
from common.db import Database
from common.errors import FieldError, Invalid
from common.money import describe_balance, format_money, to_decimal
from common.web import csv as csv_out
from common.web.app import CSV, PDF, B, caller, endpoint, runtime, session
from common.web.fields import BusinessPath, Day, PageQuery, Query
from common.web.paging import decode_cursor, page

api = APIBlueprint("reports", __name__, abp_tags=[Tag(name="Reports")], abp_security=[{"bearer": []}])

LONGEST_DAYS = 3_660
LONGEST_STATEMENT = 5_000


class RangeQuery(Query):
    from_: Day | None = Field(default=None, alias="from")
    to: Day | None = None


class ServiceReportQuery(PageQuery):
    from_: Day | None = Field(default=None, alias="from", description="The first of this month unless told")
    to: Day | None = Field(default=None, description="Today unless told")
    service_id: str | None = Field(default=None, max_length=64)
    client_id: str | None = Field(default=None, max_length=64)


def days(business: Business, first: date | None, last: date | None) -> tuple[date, date]:
    """The range asked for; this month up to today unless told. Raises Invalid."""
    last = last or clock.today(business.time_zone)
    first = first or last.replace(day=1)
    if first > last or (last - first).days > LONGEST_DAYS:
        message = "`from` must not be after `to`, and at most ten years before it"
        raise Invalid("range_invalid", f"{message}.", [FieldError("from", message)])
    return first, last


@api.get(f"{B}/service-reports")
@endpoint("billing:read")
def get_service_report(path: BusinessPath, query: ServiceReportQuery) -> dict[str, Any] | Response:
    """What each service brought in, by client; as CSV with `Accept: text/csv`

    Every figure is a sum of ledger entries by their effective date. `services` and `totals` cover all of the range,
    `rows` a page of it. For the sessions behind a row see `sessions` with the same dates, client and service.
    """
    caller().require_staff("business")
    business = businesses.find(session(), path.business_id)
    first, last = days(business, query.from_, query.to)
    filters = IncomeFilters(path.business_id, first, last, query.service_id, query.client_id)
    if request.accept_mimetypes.best == "text/csv":
        header = ("service_id", "service", "client_id", "client", "sessions", "amount", "currency")
        rows_out = _income_csv(runtime().database, filters, business.currency)
        return csv_out.stream(header, rows_out, f"services-{first}-{last}.csv")
    names = services.service_names(session(), path.business_id)
    found = services.rows(filters, decode_cursor(query.cursor, str, str, str))
    rows = session().execute(found.limit(query.limit + 1)).all()
    more = None
    if len(rows) > query.limit:
        last_row = rows[query.limit - 1]
        more = [last_row.name, last_row.client_id, last_row.service_id]
    by_service = services.by_service(session(), filters)
    shown = page([_income_row(row, names) for row in rows], query.limit, more)
    return {
        "from": first,
        "to": last,
        "currency": business.currency,
        "rows": shown["items"],
        "next_cursor": shown["next_cursor"],
        "services": by_service,
        "totals": services.totals(by_service),
        "source": "the ledger's entries on income accounts, by effective date",
    }


@api.get(f"{B}/balances/ageing")
@endpoint("billing:read")
def get_ageing(path: BusinessPath) -> dict[str, Any]:
    """What clients owe, by how many days ago it was charged; payments settle the oldest charges first"""
    caller().require_staff("business")
    business = businesses.find(session(), path.business_id)
    today = clock.today(business.time_zone)
    return {"as_of": today, "currency": business.currency, **balances.ageing(session(), path.business_id, today)}


@api.get(f"{B}/received-and-charged")
@endpoint("billing:read")
def get_received_and_charged(path: BusinessPath, query: RangeQuery) -> dict[str, Any]:
    """What was received from clients and what they were charged, by month, from the ledger: this year unless told"""
    caller().require_staff("business")
    business = businesses.find(session(), path.business_id)
    last = query.to or clock.today(business.time_zone)
    first, last = days(business, query.from_ or last.replace(month=1, day=1), last)
    months = services.against_charges(session(), path.business_id, first, last)
    totals = {name: sum(month[name] for month in months) for name in ("received_minor", "charged_minor")}
    return {"from": first, "to": last, "currency": business.currency, "months": months, "totals": totals}


@api.get(f"{B}/clients/<string:client_id>/statement")
@endpoint("billing:read")
def get_statement(path: ClientPath, query: RangeQuery) -> dict[str, Any]:
    """A client's statement: opening balance, entries by effective date, closing balance

    closing = opening + received - charged + adjusted: `received_minor` is payments less what was given back or
    withdrawn, `charged_minor` charges for services less those taken back, `adjusted_minor` corrections by staff.
    """
    business, _, found = _statement(path, query)
    return {
        "client_id": path.client_id,
        "from": found.first,
        "to": found.last,
        "currency": business.currency,
        "opening_minor": found.opening_minor,
        "received_minor": found.received_minor,
        "charged_minor": found.charged_minor,
        "adjusted_minor": found.adjusted_minor,
        "closing_minor": found.closing_minor,
        "lines": [
            {
                **ledger_reports.explain(line.transfer, runtime().settings.url_of),
                "change_minor": line.change_minor,
                "balance_minor": line.balance_minor,
            }
            for line in found.lines
        ],
    }


@api.get(f"{B}/clients/<string:client_id>/statement.pdf", responses={200: PDF})
@endpoint("billing:read")
def get_statement_pdf(path: ClientPath, query: RangeQuery) -> Response:
    """The statement as PDF"""
    business, client_name, found = _statement(path, query)
    content = render_statement(_document(business, client_name, found))
    name = f"statement-{found.first}-{found.last}.pdf"
    headers = {"Content-Disposition": f'inline; filename="{name}"'}
    return Response(content, content_type="application/pdf", headers=headers)


@api.get(f"{B}/clients/<string:client_id>/statement.csv", responses={200: CSV})
@endpoint("billing:read")
def get_statement_csv(path: ClientPath, query: RangeQuery) -> Response:
    """The statement as CSV, its first and last rows being the opening and closing balance"""
    business, _, found = _statement(path, query)

    def major(amount_minor: int) -> Any:
        return to_decimal(amount_minor, business.currency)

    rows = [
        (found.first, "Opening balance", "", None, major(found.opening_minor), business.currency),
        *(
            (line.transfer.effective_on, ledger_reports.describe(line.transfer), line.transfer.memo,
             major(line.change_minor), major(line.balance_minor), business.currency)
            for line in found.lines
        ),
        (found.last, "Closing balance", "", None, major(found.closing_minor), business.currency),
    ]  # fmt: skip
    header = ("day", "entry", "memo", "change", "balance", "currency")
    return csv_out.stream(header, rows, f"statement-{found.first}-{found.last}.csv")


def _statement(path: ClientPath, query: RangeQuery) -> tuple[Business, str, Statement]:
    caller().require_client(path.client_id)
    business = businesses.find(session(), path.business_id)
    client = clients.find(session(), path.business_id, path.client_id)
    first, last = days(business, query.from_, query.to)
    found = statement(session(), path.business_id, path.client_id, first, last)
    if len(found.lines) > LONGEST_STATEMENT:
        message = f"a statement has at most {LONGEST_STATEMENT:,} entries; this one has {len(found.lines):,}"
        raise Invalid("range_invalid", f"{message}. Ask for fewer days.", [FieldError("from", message)])
    return business, client.name, found


def _document(business: Business, client_name: str, found: Statement) -> StatementDocument:
    def money(amount_minor: int) -> str:
        return format_money(amount_minor, business.currency)

    return StatementDocument(
        business_name=business.name,
        client_name=client_name,
        first=found.first,
        last=found.last,
        issued_at=clock.now(),
        time_zone=business.time_zone,
        currency=business.currency,
        opening_text=describe_balance(found.opening_minor, business.currency),
        closing_text=describe_balance(found.closing_minor, business.currency),
        received_text=money(found.received_minor),
        charged_text=money(found.charged_minor),
        adjusted_text=money(found.adjusted_minor) if found.adjusted_minor else None,
        lines=[
            StatementDocumentLine(
                line.transfer.effective_on,
                ": ".join(filter(None, (ledger_reports.describe(line.transfer), line.transfer.memo))),
                money(line.change_minor),
                describe_balance(line.balance_minor, business.currency),
            )
            for line in found.lines
        ],
        reply_to_email=business.reply_to_email,
    )


def _income_row(row: Any, names: dict[str, str]) -> dict[str, Any]:
    return {
        "service_id": row.service_id,
        "service_name": names.get(row.service_id, row.service_id),
        "client_id": row.client_id,
        "client_name": row.name,
        "sessions": int(row.sessions),
        "amount_minor": int(row.amount_minor),
    }


def _income_csv(database: Database, filters: IncomeFilters, currency: str) -> Iterator[list[Any]]:
    with database.read() as reading:
        names = services.service_names(reading, filters.business_id)
        for row in reading.execute(services.rows(filters, None).execution_options(yield_per=500)):
            line = _income_row(row, names)
            yield [
                line["service_id"], line["service_name"], line["client_id"], line["client_name"], line["sessions"],
                to_decimal(line["amount_minor"], currency), currency,
            ]  # fmt: skip
