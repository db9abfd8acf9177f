"""Invoices: which fit a filter, one with its lines, and payments that named one which could not take them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Date, Select, and_, func, literal, select
from sqlalchemy.orm import Session

from billing.domain import invoice as rules
from billing.models import Client, Invoice, InvoiceLine, PaymentFlag
from common.order import in_order

# A draft has no due date yet, and comes after all that have one.
_DUE_ON = func.coalesce(Invoice.due_on, literal(date.max, Date), type_=Date)


@dataclass(frozen=True)
class InvoiceFilters:
    """Which invoices of a business."""

    business_id: str
    today: date
    status: str | None = None
    client_id: str | None = None
    overdue: bool | None = None
    drafts: bool = True

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = [Invoice.business_id == self.business_id]
        if self.status is not None:
            found.append(Invoice.status == self.status)
        if self.client_id is not None:
            found.append(Invoice.client_id == self.client_id)
        if not self.drafts:
            found.append(Invoice.number.is_not(None))
        if self.overdue is not None:
            late = and_(Invoice.status == "pending", Invoice.due_on.is_not(None), Invoice.due_on < self.today)
            found.append(late if self.overdue else ~late)
        return found


def invoices(
    filters: InvoiceFilters, after: tuple[Any, ...] | None, sort: str = "-made"
) -> Select[Invoice, str]:  # fmt: skip
    """(invoice, client's name), the newest first, or by `sort`: made, due or total, falling with a minus before it.
    `after` is the key of the last row, as `place_of` gives it."""
    columns: dict[str, tuple[ColumnElement[Any], ...]] = {
        "made": (Invoice.invoice_id.expression,),
        "due": (_DUE_ON, Invoice.invoice_id.expression),
        "total": (Invoice.total_minor.expression, Invoice.invoice_id.expression),
    }
    by = sort.removeprefix("-")
    if after is not None and by == "due":
        after = (literal(after[0], Date), after[1])
    query = _with_clients().where(*filters.conditions())
    return in_order(query, columns[by], after, falling=sort.startswith("-"))


def place_of(invoice: Invoice, sort: str) -> list[Any]:
    """Where an invoice stands in a list sorted so."""
    match sort.removeprefix("-"):
        case "due":
            return [invoice.due_on or date.max, invoice.invoice_id]
        case "total":
            return [invoice.total_minor, invoice.invoice_id]
    return [invoice.invoice_id]


def find(session: Session, business_id: str, reference: str) -> tuple[Invoice, str] | None:
    """(invoice, client's name) by id or number; None when there is none."""
    row = session.execute(_with_clients().where(*is_meant(business_id, reference))).one_or_none()
    return None if row is None else (row[0], row[1])


def is_meant(business_id: str, reference: str) -> tuple[ColumnElement[bool], ...]:
    """The one invoice with this id, or with the number that people mean by it."""
    number = rules.parse_number(reference)
    meant = Invoice.invoice_id == reference if number is None else Invoice.number == number
    return Invoice.business_id == business_id, meant


def lines(session: Session, business_id: str, invoice_id: str) -> Sequence[InvoiceLine]:
    return session.scalars(
        select(InvoiceLine)
        .where(InvoiceLine.business_id == business_id, InvoiceLine.invoice_id == invoice_id)
        .order_by(InvoiceLine.line)
    ).all()


def flags(business_id: str, client_id: str | None, after: tuple[Any, ...] | None) -> Select[PaymentFlag]:
    """Payments that stayed credit because the invoice they named could not take them, the newest first."""
    query = select(PaymentFlag).where(PaymentFlag.business_id == business_id)
    if client_id is not None:
        query = query.where(PaymentFlag.client_id == client_id)
    query = query.order_by(PaymentFlag.payment_id.desc())
    return query if after is None else query.where(PaymentFlag.payment_id < after[0])


def as_json(invoice: Invoice, client_name: str, today: date) -> dict[str, Any]:
    """An invoice as the API shows it, without its lines."""
    return {
        "id": invoice.invoice_id,
        "business_id": invoice.business_id,
        "number": None if invoice.number is None else rules.format_number(invoice.number),
        "client_id": invoice.client_id,
        "client_name": client_name,
        "status": invoice.status,
        "overdue": rules.is_overdue(invoice, today),
        "currency": invoice.currency,
        "total_minor": invoice.total_minor,
        "paid_minor": invoice.paid_minor,
        "outstanding_minor": rules.outstanding_minor(invoice),
        "issued_on": invoice.issued_on,
        "due_on": invoice.due_on,
        "memo": invoice.memo,
        "void_reason": invoice.void_reason,
        "created_at": invoice.created_at,
    }


def line_as_json(line: InvoiceLine) -> dict[str, Any]:
    return {
        "description": line.description,
        "amount_minor": line.amount_minor,
        "service_id": line.service_id,
        "session_id": line.session_id,
        "day": line.day,
    }


def _with_clients() -> Select[Invoice, str]:
    return select(Invoice, Client.name).join(
        Client, and_(Client.business_id == Invoice.business_id, Client.client_id == Invoice.client_id)
    )
