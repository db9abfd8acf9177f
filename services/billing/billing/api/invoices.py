"""Invoices: make, issue, list, show, print, e-mail, void."""

from collections.abc import Iterator
from datetime import date
from typing import Any, Literal

from flask import request
from flask.wrappers import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field, StrictBool

from billing.domain import invoice as rules
from billing.domain.invoice_document import InvoiceDocument, InvoiceDocumentLine
from billing.invoice_pdf import render_invoice
from billing.models import Business, Invoice
from billing.reports import invoices as reports
from billing.usecases import businesses, clients, invoices
from billing.usecases.invoices import NewLine
from common import clock
from common.db import Database
from common.errors import NotFound
from common.money import format_money, to_decimal
from common.web import csv as csv_out
from common.web.app import ANY_JSON, PDF, B, caller, endpoint, runtime, session
from common.web.fields import AmountMinor, Body, BusinessPath, Day, Id, Line, OptionalText, PageQuery
from common.web.paging import decode_cursor, page

api = APIBlueprint("invoices", __name__, abp_tags=[Tag(name="Invoices")], abp_security=[{"bearer": []}])

MAX_LINES = 500
CSV_HEADER = (
    "number", "client_id", "client_name", "status", "overdue", "issued_on", "due_on", "total", "paid", "outstanding",
    "currency", "id",
)  # fmt: skip


class InvoicePath(BusinessPath):
    reference: str = Field(min_length=1, max_length=64, description="The number, such as INV-000012, or the id")


class LineBody(Body):
    description: Line
    amount_minor: AmountMinor
    service_id: Id | None = None


class NewInvoice(Body):
    """Sessions of the client (completed, missed, or scheduled ones to be paid ahead), and ad hoc lines."""

    client_id: Id
    session_ids: list[Id] = Field(default=[], max_length=MAX_LINES)
    lines: list[LineBody] = Field(default=[], max_length=MAX_LINES)
    due_on: Day | None = None
    memo: OptionalText = None
    draft: StrictBool = False


class VoidBody(Body):
    reason: Line


class InvoiceAnswer(BaseModel):
    """An invoice as it stands; a draft has no number."""

    id: str
    number: str | None
    client_id: str
    client_name: str
    status: Literal["draft", "pending", "paid", "void"]
    overdue: bool
    currency: str
    total_minor: int
    paid_minor: int
    outstanding_minor: int
    issued_on: date | None
    due_on: date | None


class InvoicesQuery(PageQuery):
    status: Literal["draft", "pending", "paid", "void"] | None = None
    client_id: str | None = Field(default=None, max_length=64)
    overdue: bool | None = None
    sort: Literal["made", "-made", "due", "-due", "total", "-total"] = "-made"


PLACES: dict[str, tuple[type, ...]] = {"made": (str,), "due": (date, str), "total": (int, str)}


@api.post(f"{B}/invoices", responses={201: InvoiceAnswer})
@endpoint("billing:write")
def create_invoice(path: BusinessPath, body: NewInvoice) -> tuple[dict[str, Any], int]:
    """Make an invoice, and issue it unless it is a draft

    Ad hoc lines are charged when the invoice is issued, sessions when they are completed or missed.
    """
    caller().require_staff("business")
    business = businesses.find(session(), path.business_id)
    lines = [NewLine(**line.model_dump()) for line in body.lines]
    invoice = invoices.create(
        session(), business, body.client_id, body.session_ids, lines, caller().actor,
        due_on=body.due_on, memo=body.memo, draft=body.draft,
    )  # fmt: skip
    return shown(business, invoice), 201


@api.get(f"{B}/invoices")
@endpoint("billing:read")
def list_invoices(path: BusinessPath, query: InvoicesQuery) -> dict[str, Any] | Response:
    """Invoices, the newest first unless `sort` says otherwise; as CSV with `Accept: text/csv`"""
    business = businesses.find(session(), path.business_id)
    own = caller().client_id
    if own is not None and query.client_id not in (None, own):
        raise NotFound("not_found", "There is no such client.")
    filters = reports.InvoiceFilters(
        path.business_id, clock.today(business.time_zone), query.status, own or query.client_id, query.overdue,
        drafts=own is None,
    )  # fmt: skip
    if request.accept_mimetypes.best == "text/csv":
        return csv_out.stream(CSV_HEADER, _csv_rows(runtime().database, filters, query.sort), "invoices.csv")
    after = decode_cursor(query.cursor, *PLACES[query.sort.removeprefix("-")])
    rows = session().execute(reports.invoices(filters, after, query.sort).limit(query.limit + 1)).all()
    last = rows[query.limit - 1][0] if len(rows) > query.limit else None
    items = [reports.as_json(invoice, name, filters.today) for invoice, name in rows]
    return page(items, query.limit, reports.place_of(last, query.sort) if last else None)


@api.get(f"{B}/invoices/<string:reference>", responses={200: InvoiceAnswer})
@endpoint("billing:read")
def get_invoice(path: InvoicePath) -> dict[str, Any]:
    """One invoice with its lines, by number or id"""
    business = businesses.find(session(), path.business_id)
    return shown(business, _visible(path)[0])


@api.get(f"{B}/invoices/<string:reference>.pdf", responses={200: PDF})
@endpoint("billing:read")
def get_invoice_pdf(path: InvoicePath) -> Response:
    """The invoice as PDF"""
    business = businesses.find(session(), path.business_id)
    document = _document(business, *_visible(path))
    name = document.number or "draft"
    return Response(
        render_invoice(document),
        content_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{name}.pdf"'},
    )


@api.post(f"{B}/invoices/<string:reference>/issue", responses={200: InvoiceAnswer})
@endpoint("billing:write")
def issue_invoice(path: InvoicePath) -> dict[str, Any]:
    """Issue a draft: it gets its number, and its ad hoc lines are charged"""
    caller().require_staff("invoice")
    business = businesses.find(session(), path.business_id)
    return shown(business, invoices.issue(session(), business, path.reference, caller().actor))


@api.post(f"{B}/invoices/<string:reference>/void", responses={200: InvoiceAnswer})
@endpoint("billing:write")
def void_invoice(path: InvoicePath, body: VoidBody) -> dict[str, Any]:
    """Void an invoice: what was paid on it becomes credit; a draft is thrown away"""
    caller().require_staff("invoice")
    business = businesses.find(session(), path.business_id)
    return shown(business, invoices.void(session(), business, path.reference, body.reason, caller().actor))


@api.post(f"{B}/invoices/<string:reference>/email", responses={202: ANY_JSON})
@endpoint("billing:write")
def email_invoice(path: InvoicePath) -> tuple[dict[str, Any], int]:
    """E-mail the invoice to its client, with a link to pay what is still to be paid"""
    caller().require_staff("invoice")
    invoice, _ = _visible(path)
    return {
        "status": "accepted",
        "request_id": invoices.request_email(session(), invoice, runtime().pay_links),
    }, 202


def _csv_rows(database: Database, filters: reports.InvoiceFilters, sort: str) -> Iterator[list[Any]]:
    with database.read() as reading:
        rows = reports.invoices(filters, None, sort).execution_options(yield_per=500)
        for invoice, name in reading.execute(rows):
            line = reports.as_json(invoice, name, filters.today)
            for column in ("total", "paid", "outstanding"):
                line[column] = to_decimal(line[f"{column}_minor"], invoice.currency)
            yield [line[column] for column in CSV_HEADER]
            reading.expunge(invoice)


def _visible(path: InvoicePath) -> tuple[Invoice, str]:
    """The invoice and its client's name. A client sees its own, once they are issued."""
    found = reports.find(session(), path.business_id, path.reference)
    own = caller().client_id
    if found is None or (own is not None and (own != found[0].client_id or found[0].number is None)):
        raise NotFound("not_found", "There is no such invoice.")
    return found


def shown(business: Business, invoice: Invoice) -> dict[str, Any]:
    client = clients.find(session(), business.business_id, invoice.client_id)
    lines = reports.lines(session(), business.business_id, invoice.invoice_id)
    shown = reports.as_json(invoice, client.name, clock.today(business.time_zone))
    return {**shown, "lines": [reports.line_as_json(line) for line in lines]}


def _document(business: Business, invoice: Invoice, client_name: str) -> InvoiceDocument:
    outstanding_minor = rules.outstanding_minor(invoice)
    number = "" if invoice.number is None else rules.format_number(invoice.number)
    pay_url = None
    if invoice.status == "pending":
        pay_url = runtime().pay_links.to(business.business_id, invoice.client_id, outstanding_minor, number)
    return InvoiceDocument(
        business_name=business.name,
        client_name=client_name,
        number=number,
        status=invoice.status,  # type: ignore[arg-type]
        is_overdue=rules.is_overdue(invoice, clock.today(business.time_zone)),
        issued_on=invoice.issued_on,
        due_on=invoice.due_on,
        created_at=invoice.created_at,
        time_zone=business.time_zone,
        currency=invoice.currency,
        lines=[
            InvoiceDocumentLine(line.description, line.day, format_money(line.amount_minor, invoice.currency))
            for line in reports.lines(session(), business.business_id, invoice.invoice_id)
        ],
        total_text=format_money(invoice.total_minor, invoice.currency),
        paid_text=format_money(invoice.paid_minor, invoice.currency),
        outstanding_text=format_money(outstanding_minor, invoice.currency),
        pay_url=pay_url,
        memo=invoice.memo,
        reply_to_email=business.reply_to_email,
    )
