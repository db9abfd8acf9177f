"""Allocations: a client's money set against invoices, and taken off again when it was given back.

Callers hold the client's account. What an invoice is paid with is a payment's money, or other credit of the client.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from billing.domain import invoice as rules
from billing.domain.invoice import Held
from billing.models import Allocation, Invoice, InvoiceLine, PaymentFlag, ServiceSession, Transfer
from billing.reports.books import SIGNED_MINOR
from billing.usecases.accounts import Account, Key
from common import clock
from common.db import bulk_insert, insert_or, is_one_of
from common.errors import FieldError, Invalid
from common.events import Event
from common.events.billing import InvoicePaid, InvoiceReopened
from common.events.payments import PaymentRecorded
from common.ids import new_id
from common.money import format_money
from common.outbox import emit

LEFT_MINOR: ColumnElement[int] = Allocation.amount_minor - Allocation.released_minor


def allocate_payment(session: Session, account: Account, event: PaymentRecorded) -> None:
    """Set a payment against the invoice it names; what cannot be stays credit, and is flagged."""
    assert event.invoice_number is not None
    number = rules.parse_number(event.invoice_number)
    invoice = None if number is None else _lock_by_number(session, account.business_id, number)
    reason = rules.why_not_payable(invoice, account.client_id)
    if reason is not None or invoice is None:
        _flag(session, event, reason or "invoice_unknown")
        return
    left_minor = _payments_left(session, account, [event.payment_id]).get(event.payment_id, 0)
    amount_minor = min(left_minor, rules.outstanding_minor(invoice))
    if amount_minor > 0:
        _allocate(session, account, invoice, [(event.payment_id, amount_minor)], None)


def apply_credit(
    session: Session, account: Account, wanted: Sequence[tuple[Invoice, int]], actor: dict[str, Any]
) -> None:
    """Set credit against invoices as asked for, each invoice once. Raises Invalid when it is more than there is, or
    than is asked for."""
    ids = [invoice.invoice_id for invoice, _ in wanted]
    errors = [
        FieldError("invoice_number", "this invoice is there more than once", row)
        for row, invoice_id in enumerate(ids, start=1)
        if invoice_id in ids[: row - 1]
    ]
    if errors:
        raise Invalid("invoice_repeated", "Nothing was applied: name each invoice once, with all that it gets.", errors)
    free_minor = free_credit_minor(session, account)
    errors = [
        FieldError("amount_minor", f"only {_money(account, rules.outstanding_minor(invoice))} is still to be paid", row)
        for row, (invoice, amount_minor) in enumerate(wanted, start=1)
        if amount_minor > rules.outstanding_minor(invoice)
    ]
    if errors:
        raise Invalid("more_than_outstanding", "Nothing was applied: that is more than the invoice asks for.", errors)
    if sum(amount_minor for _, amount_minor in wanted) > free_minor:
        free = _money(account, max(0, free_minor))
        raise Invalid(
            "credit_exceeded",
            f"Nothing was applied: the client has {free} of credit that is not used.",
            [FieldError("allocations", f"at most {free} together")],
            credit_minor=free_minor,
        )
    for invoice, amount_minor in wanted:
        _allocate(session, account, invoice, _draw(session, account, amount_minor), actor["name"])


def _money(account: Account, amount_minor: int) -> str:
    return format_money(amount_minor, account.currency)


def apply_automatically(session: Session, account: Account) -> None:
    """Set all free credit against pending invoices, those due first. Does nothing where the business did not ask so."""
    if not account.applies_credit:
        return
    pending = session.scalars(
        select(Invoice)
        .where(
            Invoice.business_id == account.business_id,
            Invoice.client_id == account.client_id,
            Invoice.status == "pending",
        )
        .order_by(Invoice.due_on, Invoice.number)
        .with_for_update()
    ).all()
    if not pending:
        return
    by_id = {invoice.invoice_id: invoice for invoice in pending}
    owed = [(invoice.invoice_id, rules.outstanding_minor(invoice)) for invoice in pending]
    for invoice_id, amount_minor in list(rules.spread(max(0, free_credit_minor(session, account)), owed)):
        _allocate(session, account, by_id[invoice_id], _draw(session, account, amount_minor), None)


def asked_to_pay(session: Session, business_id: str) -> set[Key]:
    """The clients of a business who have an invoice to pay."""
    query = select(Invoice.client_id).where(Invoice.business_id == business_id, Invoice.status == "pending")
    return {(business_id, client_id) for client_id in session.scalars(query.distinct())}


def release_given_back(session: Session, business_id: str, payment_ids: Sequence[str]) -> None:
    """Take off invoices what is not covered by the payments any more, because it was voided, refunded or
    withdrawn."""
    held: dict[str, list[Allocation]] = {}
    for allocation in session.scalars(
        select(Allocation)
        .where(Allocation.business_id == business_id, Allocation.payment_id.in_(payment_ids), LEFT_MINOR > 0)
        .order_by(Allocation.allocation_id)
    ):
        held.setdefault(str(allocation.payment_id), []).append(allocation)
    for payment_id, allocations in held.items():
        kept_minor = max(0, _net_of_payments(session, business_id, [payment_id]).get(payment_id, 0))
        excess_minor = sum(row.amount_minor - row.released_minor for row in allocations) - kept_minor
        if excess_minor > 0:
            _release(session, allocations, excess_minor)


def release_all(session: Session, invoice: Invoice) -> None:
    """Take all money off an invoice that is being voided."""
    for allocation in session.scalars(
        select(Allocation).where(
            Allocation.business_id == invoice.business_id, Allocation.invoice_id == invoice.invoice_id, LEFT_MINOR > 0
        )
    ):
        allocation.released_minor = allocation.amount_minor
    invoice.paid_minor = 0
    session.flush()


def free_credit_minor(session: Session, account: Account) -> int:
    """What of the client's money no invoice holds and no charge has used: the balance, and what invoices have charged
    less what they were paid. May be negative."""
    asked_for = _asked_for_minor(session, account.business_id, [account.client_id])
    return account.balance_minor + asked_for.get(account.client_id, 0)


def free_credits_minor(session: Session, business_id: str, balances_minor: Mapping[str, int]) -> dict[str, int]:
    """Client id → what `free_credit_minor` says, for clients and their balances."""
    asked_for = _asked_for_minor(session, business_id, sorted(balances_minor))
    return {client_id: minor + asked_for.get(client_id, 0) for client_id, minor in balances_minor.items()}


def _asked_for_minor(session: Session, business_id: str, client_ids: Sequence[str]) -> dict[str, int]:
    """Client id → what invoices have charged less what they were paid; clients with invoices."""
    theirs = (
        Invoice.business_id == business_id,
        is_one_of(session, Invoice.client_id, client_ids),
        Invoice.status.in_(("pending", "paid")),
    )
    is_charged = InvoiceLine.session_id.is_(None) | ServiceSession.status.in_(("completed", "missed"))
    charged = (
        select(Invoice.client_id, func.sum(case((is_charged, InvoiceLine.amount_minor), else_=0)))
        .select_from(Invoice)
        .join(
            InvoiceLine,
            (Invoice.business_id == InvoiceLine.business_id) & (Invoice.invoice_id == InvoiceLine.invoice_id),
        )
        .outerjoin(
            ServiceSession,
            (ServiceSession.business_id == InvoiceLine.business_id)
            & (ServiceSession.session_id == InvoiceLine.session_id),
        )
        .where(*theirs)
        .group_by(Invoice.client_id)
    )
    paid = select(Invoice.client_id, func.sum(Invoice.paid_minor)).where(*theirs).group_by(Invoice.client_id)
    found = {client_id: int(charged_minor) for client_id, charged_minor in session.execute(charged)}
    for client_id, paid_minor in session.execute(paid):
        found[client_id] = found.get(client_id, 0) - int(paid_minor)
    return found


def _draw(session: Session, account: Account, amount_minor: int) -> list[tuple[str | None, int]]:
    """Which money pays it: what is left of payments, the oldest first, then other credit."""
    left = sorted(_payments_left(session, account).items())
    shares: list[tuple[str | None, int]] = list(rules.spread(amount_minor, left))
    rest_minor = amount_minor - sum(share_minor for _, share_minor in shares)
    return [*shares, (None, rest_minor)] if rest_minor > 0 else shares


def _payments_left(session: Session, account: Account, payment_ids: Sequence[str] | None = None) -> dict[str, int]:
    """Payment id → what of it is neither given back nor set against an invoice; those with something left."""
    net = _net_of_payments(session, account.business_id, payment_ids, account.client_id)
    held = select(Allocation.payment_id, func.sum(LEFT_MINOR)).where(
        Allocation.business_id == account.business_id,
        Allocation.client_id == account.client_id,
        Allocation.payment_id.in_(payment_ids) if payment_ids is not None else Allocation.payment_id.is_not(None),
    )
    for payment_id, held_minor in session.execute(held.group_by(Allocation.payment_id)):
        net[str(payment_id)] = net.get(str(payment_id), 0) - int(held_minor)
    return {payment_id: left_minor for payment_id, left_minor in net.items() if left_minor > 0}


def _net_of_payments(
    session: Session, business_id: str, payment_ids: Sequence[str] | None, client_id: str | None = None
) -> dict[str, int]:
    """Payment id → what was received less what was given back or withdrawn, from the ledger."""
    query = select(Transfer.payment_id, func.sum(SIGNED_MINOR)).where(
        Transfer.business_id == business_id, Transfer.payment_id.is_not(None)
    )
    if payment_ids is not None:
        query = query.where(Transfer.payment_id.in_(payment_ids))
    if client_id is not None:
        query = query.where(Transfer.client_id == client_id)
    return {str(row[0]): int(row[1]) for row in session.execute(query.group_by(Transfer.payment_id))}


def _allocate(
    session: Session,
    account: Account,
    invoice: Invoice,
    shares: Sequence[tuple[str | None, int]],
    actor_name: str | None,
) -> None:
    now = clock.now()
    bulk_insert(session, Allocation.__table__, [  # type: ignore[arg-type]
        {
            "business_id": account.business_id,
            "allocation_id": new_id(),
            "client_id": account.client_id,
            "invoice_id": invoice.invoice_id,
            "payment_id": payment_id,
            "amount_minor": amount_minor,
            "released_minor": 0,
            "created_at": now,
            "created_by": actor_name,
        }
        for payment_id, amount_minor in shares
    ])  # fmt: skip
    invoice.paid_minor += sum(amount_minor for _, amount_minor in shares)
    if invoice.paid_minor == invoice.total_minor:
        _turn(session, invoice, "paid", InvoicePaid)
    session.flush()


def _release(session: Session, allocations: Sequence[Allocation], excess_minor: int) -> None:
    by_id = {row.allocation_id: row for row in allocations}
    held = [Held(row.allocation_id, row.invoice_id, row.amount_minor - row.released_minor) for row in allocations]
    for released, taken_minor in rules.release(excess_minor, held):
        by_id[released.allocation_id].released_minor += taken_minor
        invoice = _lock(session, allocations[0].business_id, released.invoice_id)
        invoice.paid_minor -= taken_minor
        if invoice.status == "paid":
            _turn(session, invoice, "pending", InvoiceReopened)
    session.flush()


def _turn(session: Session, invoice: Invoice, status: str, told: type[Event]) -> None:
    invoice.status = status
    invoice.sequence += 1
    emit(session, "billing", [told(**facts(invoice))])


def facts(invoice: Invoice) -> dict[str, Any]:
    """What events tell of an issued invoice."""
    assert invoice.number is not None
    return {
        "business_id": invoice.business_id,
        "sequence": invoice.sequence,
        "invoice_id": invoice.invoice_id,
        "invoice_number": rules.format_number(invoice.number),
        "client_id": invoice.client_id,
        "total_minor": invoice.total_minor,
        "paid_minor": invoice.paid_minor,
        "currency": invoice.currency,
        "due_on": invoice.due_on,
        "issued_on": invoice.issued_on,
    }


def _lock(session: Session, business_id: str, invoice_id: str) -> Invoice:
    return session.scalars(
        select(Invoice).where(Invoice.business_id == business_id, Invoice.invoice_id == invoice_id).with_for_update()
    ).one()


def _lock_by_number(session: Session, business_id: str, number: int) -> Invoice | None:
    return session.scalars(
        select(Invoice).where(Invoice.business_id == business_id, Invoice.number == number).with_for_update()
    ).one_or_none()


def _flag(session: Session, event: PaymentRecorded, reason: str) -> None:
    row = {
        "business_id": event.business_id,
        "payment_id": event.payment_id,
        "client_id": event.client_id,
        "invoice_number": (event.invoice_number or "")[:50],
        "amount_minor": event.amount_minor,
        "reason": reason,
        "created_at": clock.now(),
    }
    session.execute(insert_or(session, PaymentFlag).values(row).on_conflict_do_nothing())
