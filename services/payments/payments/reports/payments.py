"""Payments as they are shown: history, one, its receipts and refunds, and the figures that other books must meet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from common.invoice_number import tidy
from common.order import in_order
from payments.domain import payment as rules
from payments.models import Dispute, FundsMovement, Payment, Receipt, Refund

CSV_HEADER = (
    "payment_id", "received_on", "client_id", "client_name", "amount", "refunded", "currency", "method", "source",
    "status", "invoice_number", "reference", "memo", "receipt_number", "recorded_at", "recorded_by", "batch_id",
    "disputed", "fee", "gateway", "gateway_payment_id",
)  # fmt: skip

# What the history is sorted by → the column, and what a cursor holds of it.
SORTS: dict[str, tuple[str, type]] = {
    "received_on": ("received_on", date), "amount": ("amount_minor", int), "client_name": ("client_name", str),
}  # fmt: skip


@dataclass(frozen=True)
class PaymentFilters:
    """Which payments of a business."""

    business_id: str
    client_id: str | None = None
    method: str | None = None
    source: str | None = None
    status: str | None = None
    invoice_number: str | None = None
    batch_id: str | None = None
    recorded_by: str | None = None
    first: date | None = None
    last: date | None = None
    min_minor: int | None = None
    max_minor: int | None = None
    q: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = [Payment.business_id == self.business_id]
        for name in ("client_id", "method", "source", "batch_id"):
            if getattr(self, name) is not None:
                found.append(getattr(Payment, name) == getattr(self, name))
        if self.invoice_number is not None:
            found += _names_invoice(self.invoice_number)
        if self.recorded_by is not None:
            found.append(or_(Payment.recorded_by_id == self.recorded_by, Payment.recorded_by_name == self.recorded_by))
        if self.first is not None:
            found.append(Payment.received_on >= self.first)
        if self.last is not None:
            found.append(Payment.received_on <= self.last)
        if self.min_minor is not None:
            found.append(Payment.amount_minor >= self.min_minor)
        if self.max_minor is not None:
            found.append(Payment.amount_minor <= self.max_minor)
        if self.status is not None:
            found.append(_status_is(self.status))
        if self.q:
            found.append(_mentions(self.q))
        return found


def _names_invoice(number: str) -> list[ColumnElement[bool]]:
    """Whatever way it was typed, as billing reads it. The release before this one tidies nothing, and goes on inserting
    while this one starts: what it recorded is found as it was typed."""
    was_tidied = Payment.invoice_tidied == (tidy(number) or number)
    was_not = and_(Payment.invoice_tidied.is_(None), Payment.invoice_number == number)
    return [Payment.invoice_number.is_not(None), or_(was_tidied, was_not)]  # as the index says, so that it is used


def _status_is(status: str) -> ColumnElement[bool]:
    """The twin of `rules.status`, for the database."""
    valid = Payment.voided_at.is_(None)
    state = func.coalesce(Payment.dispute_state, "")
    is_disputed = or_(state == "open", and_(state != "lost", Payment.disputed_minor > 0))
    alive = and_(valid, state.not_in(("open", "lost")), Payment.disputed_minor == 0)
    return {
        "voided": Payment.voided_at.is_not(None),
        "disputed": and_(valid, is_disputed),
        "charged_back": and_(valid, state == "lost"),
        "refunded": and_(alive, Payment.refunded_minor == Payment.amount_minor),
        "partially_refunded": and_(alive, Payment.refunded_minor > 0, Payment.refunded_minor < Payment.amount_minor),
        "recorded": and_(alive, Payment.refunded_minor == 0),
    }[status]


def _mentions(q: str) -> ColumnElement[bool]:
    columns = (Payment.client_name, Payment.reference, Payment.memo, Payment.invoice_number)
    found: list[ColumnElement[bool]] = [column.icontains(q, autoescape=True) for column in columns]
    if q.isascii() and q.isdigit() and len(q) <= 12:
        found.append(Receipt.number == int(q))
    return or_(*found)


def _with_receipts() -> Select[Payment, int]:
    return select(Payment, Receipt.number).join(
        Receipt,
        and_(
            Receipt.business_id == Payment.business_id,
            Receipt.payment_id == Payment.payment_id,
            Receipt.revision == 1,
        ),
    )


def history(
    filters: PaymentFilters, after: tuple[Any, ...] | None, sort: str = "-received_on"
) -> Select[Payment, int]:  # fmt: skip
    """(payment, receipt number), the newest received first, or by `sort`: received_on, amount or client_name, falling
    with a minus before it. `after` is the key of the last row, as `place_of` gives it."""
    columns = [getattr(Payment, SORTS[sort.removeprefix("-")][0]), Payment.payment_id.expression]
    query = _with_receipts().where(*filters.conditions())
    return in_order(query, columns, after, falling=sort.startswith("-"))


def place_of(payment: Payment, sort: str) -> list[Any]:
    """Where a payment stands in a list sorted so."""
    return [getattr(payment, SORTS[sort.removeprefix("-")][0]), payment.payment_id]


def find(session: Session, business_id: str, payment_id: str) -> Row[Payment, int] | None:
    """(payment, receipt number), or None."""
    return session.execute(
        _with_receipts().where(Payment.business_id == business_id, Payment.payment_id == payment_id)
    ).one_or_none()


def find_by_gateway(
    session: Session, business_id: str, gateway: str, gateway_payment_id: str
) -> Row[Payment, int] | None:
    """(payment, receipt number) of what a gateway calls `gateway_payment_id`, or None."""
    return session.execute(
        _with_receipts().where(
            Payment.business_id == business_id,
            Payment.gateway == gateway,
            Payment.gateway_payment_id == gateway_payment_id,
        )
    ).first()


def receipt(
    session: Session, business_id: str, payment_id: str, revision: int | None
) -> tuple[Payment, Receipt] | None:
    """A payment with one revision of its receipt, the newest unless told; None when there is none."""
    row = session.execute(
        select(Payment, Receipt)
        .join(
            Receipt,
            and_(Receipt.business_id == Payment.business_id, Receipt.payment_id == Payment.payment_id),
        )
        .where(
            Payment.business_id == business_id,
            Payment.payment_id == payment_id,
            Receipt.revision == (Payment.receipt_revision if revision is None else revision),
        )
    ).one_or_none()
    return None if row is None else (row[0], row[1])


def figures(business_id: str, after: str, limit: int) -> Any:
    """What the books must agree with, by payment id: (payment_id, client_id, amount_minor, refunded_minor,
    disputed_minor, voided_at, changed_at). Whatever moves a payment's money revises its receipt."""
    query: Any = select(
        *(Payment.payment_id, Payment.client_id, Payment.amount_minor, Payment.refunded_minor, Payment.disputed_minor),
        *(Payment.voided_at, Receipt.issued_at.label("changed_at")),
    ).join(
        Receipt,
        and_(
            Receipt.business_id == Payment.business_id,
            Receipt.payment_id == Payment.payment_id,
            Receipt.revision == Payment.receipt_revision,
        ),
    )
    query = query.where(Payment.business_id == business_id, Payment.payment_id > after)
    return query.order_by(Payment.payment_id).limit(limit)


def refunds(session: Session, business_id: str, payment_id: str) -> Sequence[Refund]:
    """A payment's refunds, oldest first."""
    return session.scalars(
        select(Refund)
        .where(Refund.business_id == business_id, Refund.payment_id == payment_id)
        .order_by(Refund.refund_id)
    ).all()


def disputes(session: Session, business_id: str, payment_id: str) -> Sequence[Dispute]:
    """A payment's disputes, oldest first."""
    return session.scalars(
        select(Dispute)
        .where(Dispute.business_id == business_id, Dispute.payment_id == payment_id)
        .order_by(Dispute.opened_at, Dispute.gateway_dispute_id)
    ).all()


def dispute_json(dispute: Dispute, movements: Sequence[FundsMovement]) -> dict[str, Any]:
    """A dispute as the API shows it, with what was moved for it."""
    return {
        "gateway_dispute_id": dispute.gateway_dispute_id,
        "state": dispute.state,
        "amount_minor": dispute.amount_minor,
        "reason": dispute.reason,
        "opened_at": dispute.opened_at,
        "closed_at": dispute.closed_at,
        "movements": [movement_json(row) for row in movements if row.gateway_dispute_id == dispute.gateway_dispute_id],
    }


def movements(session: Session, business_id: str, payment_id: str) -> Sequence[FundsMovement]:
    """What the gateway took of a payment and gave back, oldest first."""
    return session.scalars(
        select(FundsMovement)
        .where(FundsMovement.business_id == business_id, FundsMovement.payment_id == payment_id)
        .order_by(FundsMovement.moved_on, FundsMovement.created_at)
    ).all()


def movement_json(movement: FundsMovement) -> dict[str, Any]:
    return {
        "gateway_movement_id": movement.gateway_movement_id,
        "direction": movement.direction,
        "amount_minor": movement.amount_minor,
        "moved_on": movement.moved_on,
    }


def refund_json(refunded: Refund) -> dict[str, Any]:
    """A refund as the API shows it."""
    return {
        "refund_id": refunded.refund_id,
        "payment_id": refunded.payment_id,
        "amount_minor": refunded.amount_minor,
        "status": refunded.status,
        "reason": refunded.reason,
        "refunded_on": refunded.refunded_on,
        "failure": refunded.failure,
        "gateway_refund_id": refunded.gateway_refund_id,
    }


def as_json(payment: Payment | dict[str, Any], receipt_number: int) -> dict[str, Any]:
    """A payment as the API shows it."""
    facts = payment if isinstance(payment, dict) else vars(payment)
    return {
        "id": facts["payment_id"],
        "business_id": facts["business_id"],
        "client_id": facts["client_id"],
        "client_name": facts["client_name"],
        "amount_minor": facts["amount_minor"],
        "refunded_minor": facts["refunded_minor"],
        "refund_pending_minor": facts["refund_pending_minor"],
        "disputed_minor": facts["disputed_minor"],
        "currency": facts["currency"],
        "method": facts["method"],
        "source": facts["source"],
        "status": "recorded" if isinstance(payment, dict) else rules.status(payment),
        "gateway": facts["gateway"],
        "gateway_payment_id": facts["gateway_payment_id"],
        "fee_minor": facts["fee_minor"],
        "invoice_number": facts["invoice_number"],
        "reference": facts["reference"],
        "memo": facts["memo"],
        "received_on": facts["received_on"],
        "recorded_at": facts["recorded_at"],
        "recorded_by": {
            "type": facts["recorded_by_type"],
            "id": facts["recorded_by_id"],
            "name": facts["recorded_by_name"],
        },
        "receipt_number": receipt_number,
        "receipt_revision": facts["receipt_revision"],
        "batch_id": facts["batch_id"],
        "void_reason": facts["void_reason"],
    }
