"""Invoices: made from sessions and ad hoc lines, issued with a number, voided, and asked to be e-mailed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from billing.domain import invoice as rules
from billing.domain import ledger
from billing.domain.calendar import day_of
from billing.domain.ledger import Posting
from billing.models import Business, CatalogService, Invoice, InvoiceCounter, InvoiceLine, ServiceSession
from billing.reports.invoices import is_meant
from billing.usecases import accounts, allocations
from billing.usecases.accounts import Account
from billing.usecases.ledger import book
from common import clock
from common.db import bulk_insert, insert_or
from common.errors import Conflict, FieldError, Invalid, NotFound
from common.events.billing import InvoiceEmailRequested, InvoiceIssued, InvoiceVoided
from common.ids import new_id
from common.money import MAX_AMOUNT_MINOR
from common.outbox import emit
from common.pay_link import PayLinks

Actor = dict[str, Any]


@dataclass(frozen=True)
class NewLine:
    """An ad hoc line: what it is for, what it costs, and the service whose income it is."""

    description: str
    amount_minor: int
    service_id: str | None = None


def create(
    session: Session,
    business: Business,
    client_id: str,
    session_ids: Sequence[str],
    lines: Sequence[NewLine],
    actor: Actor,
    *,
    due_on: date | None = None,
    memo: str | None = None,
    draft: bool = False,
) -> Invoice:
    """Make an invoice, and issue it unless it is a draft. Raises NotFound, Invalid, Conflict."""
    account = accounts.lock_one(session, business.business_id, client_id)
    asked_for = _lock_sessions(session, business.business_id, client_id, session_ids)
    names = _check_services(session, business.business_id, lines)
    invoice_id = new_id()
    rows = [
        *(_session_line(row, names[row.service_id], business.time_zone) for row in asked_for),
        *(
            {"description": x.description, "amount_minor": x.amount_minor, "service_id": x.service_id,
             "session_id": None, "day": None}
            for x in lines
        ),
    ]  # fmt: skip
    total_minor = sum(row["amount_minor"] for row in rows)
    if not rows or total_minor > MAX_AMOUNT_MINOR:
        message = "name at least one session or line" if not rows else "the total is larger than Remit takes"
        raise Invalid("validation_failed", f"No invoice was made: {message}.", [FieldError("lines", message)])
    invoice = Invoice(
        business_id=business.business_id,
        invoice_id=invoice_id,
        sequence=1,
        client_id=client_id,
        status="draft",
        currency=business.currency,
        total_minor=total_minor,
        paid_minor=0,
        due_on=due_on,
        memo=memo,
        created_at=clock.now(),
        created_by=actor["name"],
    )
    session.add(invoice)
    session.flush()
    bulk_insert(session, InvoiceLine.__table__, [  # type: ignore[arg-type]
        {"business_id": business.business_id, "invoice_id": invoice_id, "line": number, **row}
        for number, row in enumerate(rows, start=1)
    ])  # fmt: skip
    for row in asked_for:
        row.invoice_id = invoice_id
    session.flush()
    if not draft:
        _issue(session, business, invoice, account, actor)
    return invoice


def issue(session: Session, business: Business, reference: str, actor: Actor) -> Invoice:
    """Give a draft its number, charge its ad hoc lines, and ask for the money. Raises NotFound, Conflict."""
    invoice, account = lock(session, business.business_id, reference)
    if invoice.status != "draft":
        raise Conflict("not_a_draft", f"This invoice is {invoice.status}; only a draft is issued.")
    _issue(session, business, invoice, account, actor)
    return invoice


def void(session: Session, business: Business, reference: str, reason: str, actor: Actor) -> Invoice:
    """Ask for nothing any more. What was paid becomes credit, ad hoc lines are given back, and sessions may be invoiced
    anew; a draft is thrown away. Raises NotFound, Conflict."""
    invoice, account = lock(session, business.business_id, reference)
    if invoice.status == "void":
        raise Conflict("already_void", "This invoice is void already.")
    was, invoice.status, invoice.void_reason = invoice.status, "void", reason
    invoice.sequence += 1
    session.flush()
    session.execute(
        update(ServiceSession)
        .where(ServiceSession.business_id == invoice.business_id, ServiceSession.invoice_id == invoice.invoice_id)
        .values(invoice_id=None),
        execution_options={"synchronize_session": "fetch"},
    )
    if was == "draft":
        return invoice
    allocations.release_all(session, invoice)
    today = clock.today(business.time_zone)
    back = [
        ledger.reversal(charge, f"invoice-void:{invoice.invoice_id}", "invoice_void", today, actor)
        for charge in _charges(session, business, invoice, actor)
    ]
    book(session, back, {(account.business_id, account.client_id): account})
    emit(session, "billing", [InvoiceVoided(**allocations.facts(invoice), reason=reason)])
    allocations.apply_automatically(session, account)
    return invoice


def request_email(session: Session, invoice: Invoice, links: PayLinks) -> str:
    """Have an issued invoice e-mailed; answers the request's id. Raises Conflict."""
    if invoice.status in ("draft", "void"):
        raise Conflict(
            "not_issued", f"This invoice is {'void' if invoice.status == 'void' else 'a draft'}; issue one first."
        )
    request_id = new_id()
    told = allocations.facts(invoice)
    pay_url = links.to(invoice.business_id, invoice.client_id, rules.outstanding_minor(invoice), told["invoice_number"])
    emit(session, "billing", [InvoiceEmailRequested(**told, request_id=request_id, pay_url=pay_url)])
    return request_id


def lock(session: Session, business_id: str, reference: str) -> tuple[Invoice, Account]:
    """An invoice by id or number, and its client's account, locked: the account first, as everywhere. Raises
    NotFound."""
    query = select(Invoice).where(*is_meant(business_id, reference))
    found = session.scalars(query).one_or_none()
    if found is None:
        raise NotFound("not_found", "There is no such invoice.")
    account = accounts.lock_one(session, business_id, found.client_id)
    invoice = session.scalars(query.with_for_update(), execution_options={"populate_existing": True}).one()
    return invoice, account


def _issue(session: Session, business: Business, invoice: Invoice, account: Account, actor: Actor) -> None:
    today = clock.today(business.time_zone)
    invoice.status, invoice.issued_on = "pending", today
    invoice.due_on = invoice.due_on or today + timedelta(days=business.invoice_due_days)
    invoice.sequence += 1
    session.flush()
    book(session, _charges(session, business, invoice, actor), {(account.business_id, account.client_id): account})
    # Late, because the counter is locked from here to the commit.
    invoice.number = _take_number(session, invoice.business_id)
    session.flush()
    emit(session, "billing", [InvoiceIssued(**allocations.facts(invoice))])
    allocations.apply_automatically(session, account)


def _charges(session: Session, business: Business, invoice: Invoice, actor: Actor) -> list[Posting]:
    """What the ad hoc lines cost the client. Sessions are charged when they are completed or missed."""
    assert invoice.issued_on is not None
    lines = session.scalars(
        select(InvoiceLine).where(
            InvoiceLine.business_id == invoice.business_id,
            InvoiceLine.invoice_id == invoice.invoice_id,
            InvoiceLine.session_id.is_(None),
        )
    )
    return [
        ledger.charge(
            business.business_id, invoice.client_id, f"invoice:{invoice.invoice_id}", "invoice", line.amount_minor,
            business.currency, line.service_id or rules.OTHER_INCOME, invoice.issued_on, line.description, actor,
            line=line.line,
        )
        for line in lines
    ]  # fmt: skip


def _take_number(session: Session, business_id: str) -> int:
    statement = insert_or(session, InvoiceCounter.__table__).values(business_id=business_id, last_number=1)
    statement = statement.on_conflict_do_update(
        index_elements=["business_id"], set_={"last_number": InvoiceCounter.last_number + 1}
    )
    return int(session.connection().execute(statement.returning(InvoiceCounter.last_number)).scalar_one())


def _lock_sessions(
    session: Session, business_id: str, client_id: str, session_ids: Sequence[str]
) -> Sequence[ServiceSession]:
    wanted = list(dict.fromkeys(session_ids))
    found = session.scalars(
        select(ServiceSession)
        .where(ServiceSession.business_id == business_id, ServiceSession.session_id.in_(wanted))
        .order_by(ServiceSession.starts_at, ServiceSession.session_id)
        .with_for_update()
    ).all()
    known = {row.session_id: row for row in found}
    errors = []
    for place, session_id in enumerate(wanted, start=1):
        row = known.get(session_id)
        if row is None or row.client_id != client_id:
            errors.append(FieldError("session_ids", f"the client has no session '{session_id[:64]}'", place))
        elif row.status == "cancelled":
            errors.append(FieldError("session_ids", f"session {session_id} is cancelled", place, "session_cancelled"))
        elif row.invoice_id is not None:
            message = f"session {session_id} is on another invoice; void that one first"
            errors.append(FieldError("session_ids", message, place, "session_invoiced"))
    if errors:
        raise Invalid(errors[0].code or "validation_failed", f"No invoice was made: {errors[0].message}.", errors)
    return found


def _check_services(session: Session, business_id: str, lines: Sequence[NewLine]) -> dict[str, str]:
    """Service id → name. Raises Invalid for a line with a service that is not there."""
    names = dict(
        session.execute(
            select(CatalogService.service_id, CatalogService.name).where(CatalogService.business_id == business_id)
        ).all()
    )  # fmt: skip
    errors = [
        FieldError("service_id", f"there is no service '{line.service_id}'", row)
        for row, line in enumerate(lines, start=1)
        if line.service_id is not None and line.service_id not in names
    ]
    if errors:
        raise Invalid("validation_failed", f"No invoice was made: {errors[0].message}.", errors)
    return names


def _session_line(row: ServiceSession, service_name: str, time_zone: str) -> dict[str, Any]:
    return {
        "description": service_name,
        "amount_minor": row.price_minor,
        "service_id": row.service_id,
        "session_id": row.session_id,
        "day": day_of(row.starts_at, time_zone),
    }
