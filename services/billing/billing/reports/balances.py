"""Balances: one client's figures, everybody's, and how old what is owed is."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, select, tuple_
from sqlalchemy.orm import Session, aliased

from billing.domain import tally
from billing.models import AnnouncedPayment, Business, Client, ClientAccount, Transfer
from billing.reports import tallies
from billing.reports.clients import ClientFilters
from common.money import describe_balance
from common.standing import effective_status

# Days since what is owed was charged: (name, from, to); the last is open.
AGES = (("0-30", 0, 30), ("31-60", 31, 60), ("61-90", 61, 90), ("over-90", 91, None))


@dataclass(frozen=True)
class BalanceFilters(ClientFilters):
    """Which clients, by balance as well."""

    below_minor: int | None = None
    above_minor: int | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found = super().conditions()
        if self.below_minor is not None:
            found.append(ClientAccount.balance_minor < self.below_minor)
        if self.above_minor is not None:
            found.append(ClientAccount.balance_minor > self.above_minor)
        return found


def balance(session: Session, business_id: str, client_id: str) -> dict[str, Any] | None:
    """A client's figures in minor units; None when there is no such client."""
    row = session.execute(
        select(
            Business.currency,
            ClientAccount.balance_minor,
            ClientAccount.refunding_minor + case((Business.reserve_scheduled, ClientAccount.scheduled_minor), else_=0),
            func.coalesce(Client.threshold_minor, Business.threshold_minor),
            _provisional(),
            ClientAccount.sequence,
        )
        .join(Client, Client.business_id == Business.business_id)
        .join(ClientAccount, _same_client())
        .where(Business.business_id == business_id, Client.client_id == client_id)
    ).one_or_none()
    if row is None:
        return None
    currency, balance_minor, reserved_minor, threshold_minor, provisional_minor, sequence = row
    return {
        "client_id": client_id,
        "currency": currency,
        "balance_minor": balance_minor,
        "reserved_minor": reserved_minor,
        "provisional_minor": int(provisional_minor),
        "available_minor": balance_minor - reserved_minor,
        "threshold_minor": threshold_minor,
        "sequence": sequence,
    }


def _provisional() -> ColumnElement[int]:
    """What gateways announced of a client's, in the business's currency."""
    return (
        select(func.coalesce(func.sum(AnnouncedPayment.amount_minor), 0))
        .where(
            AnnouncedPayment.business_id == Client.business_id,
            AnnouncedPayment.client_id == Client.client_id,
            AnnouncedPayment.state == "pending",
            AnnouncedPayment.currency == Business.currency,
        )
        .correlate(Client, Business)
        .scalar_subquery()
    )


def balances(
    filters: BalanceFilters, sort: str, after: tuple[Any, ...] | None
) -> Select[str, str, str | None, str | None, str | None, str, date | None, int]:
    """Clients with their balances, in the order asked for."""
    query = (
        select(
            Client.client_id,
            Client.name,
            Client.email,
            Client.phone,
            Client.external_ref,
            Client.status,
            Client.inactive_on,
            ClientAccount.balance_minor,
        )
        .join(ClientAccount, _same_client())
        .where(*filters.conditions())
    )
    if sort == "name":
        query = query.order_by(Client.name, Client.client_id)
        return query if after is None else query.where(tuple_(Client.name, Client.client_id) > tuple_(*after))
    if sort == "-name":
        query = query.order_by(Client.name.desc(), Client.client_id.desc())
        return query if after is None else query.where(tuple_(Client.name, Client.client_id) < tuple_(*after))
    key = tuple_(ClientAccount.balance_minor, ClientAccount.client_id)
    if sort == "balance":
        query = query.order_by(ClientAccount.balance_minor, ClientAccount.client_id)
        return query if after is None else query.where(key > tuple_(*after))
    query = query.order_by(ClientAccount.balance_minor.desc(), ClientAccount.client_id.desc())
    return query if after is None else query.where(key < tuple_(*after))


def balance_line(row: Any, currency: str, today: date) -> dict[str, Any]:
    return {
        "client_id": row.client_id,
        "client_name": row.name,
        "email": row.email,
        "phone": row.phone,
        "external_ref": row.external_ref,
        "status": effective_status(row.status, row.inactive_on, today),
        "balance_minor": row.balance_minor,
        "currency": currency,
        "in_words": describe_balance(row.balance_minor, currency),
    }


def balance_totals(session: Session, filters: BalanceFilters) -> dict[str, int]:
    """What the clients owe, and what they have paid ahead, both as positive sums."""
    if filters == BalanceFilters(filters.business_id, filters.today):
        sums = tallies.without_day(session, filters.business_id)
        return {
            "owed_minor": sums.get(tally.OWED, (0, 0))[0],
            "prepaid_minor": sums.get(tally.PREPAID, (0, 0))[0],
            "clients": sums.get(tally.CLIENTS, (0, 0))[1],
        }
    balance_minor = ClientAccount.balance_minor
    row = session.execute(
        select(
            func.coalesce(func.sum(case((balance_minor < 0, -balance_minor), else_=0)), 0),
            func.coalesce(func.sum(case((balance_minor > 0, balance_minor), else_=0)), 0),
            func.count(),
        )
        .select_from(Client)
        .join(ClientAccount, _same_client())
        .where(*filters.conditions())
    ).one()
    return {"owed_minor": int(row[0]), "prepaid_minor": int(row[1]), "clients": row[2]}


def ageing(session: Session, business_id: str, today: date) -> dict[str, Any]:
    """What is owed, by how long ago it was charged: payments settle the oldest charges first, so what a client owes is
    the newest of what was taken from the account."""
    parts = _owed_parts(business_id).subquery()
    buckets = []
    for name, youngest, oldest in AGES:
        newest_day = today - timedelta(days=youngest)
        conditions = [parts.c.effective_on <= newest_day] if youngest else []
        if oldest is not None:
            conditions.append(parts.c.effective_on >= today - timedelta(days=oldest))
        owed_minor, clients = session.execute(
            select(func.coalesce(func.sum(parts.c.part_minor), 0), func.count(parts.c.client_id.distinct())).where(
                *conditions
            )
        ).one()
        buckets.append({"days": name, "owed_minor": int(owed_minor), "clients": clients})
    return {"buckets": buckets, "owed_minor": sum(bucket["owed_minor"] for bucket in buckets)}


def _owed_parts(business_id: str) -> Select[Any]:
    """(client_id, effective_on, part_minor): the debits that make up what each client owes. What was taken back as if
    it had never been, a payment, a charge or a refund, is not among them, nor what a bank withdrew and gave back."""
    taken = (
        select(
            Transfer.client_id,
            Transfer.effective_on,
            Transfer.sequence,
            Transfer.amount_minor,
            (-ClientAccount.balance_minor).label("owed_minor"),
            case((Transfer.kind == "funds_withdrawn", _still_withdrawn_minor()), else_=Transfer.amount_minor).label(
                "still_minor"
            ),
        )
        .join(
            ClientAccount,
            and_(ClientAccount.business_id == Transfer.business_id, ClientAccount.client_id == Transfer.client_id),
        )
        .where(
            Transfer.business_id == business_id,
            ClientAccount.balance_minor < 0,
            Transfer.debit_account == literal("client:") + Transfer.client_id,
            Transfer.kind != "payment_void",
            ~_is_reversed(),
        )
        .subquery()
    )
    amount_minor = case((taken.c.still_minor < taken.c.amount_minor, taken.c.still_minor), else_=taken.c.amount_minor)
    newest_first = (taken.c.effective_on.desc(), taken.c.sequence.desc())
    reached = func.sum(amount_minor).over(partition_by=taken.c.client_id, order_by=newest_first)
    debits = (
        select(
            taken.c.client_id,
            taken.c.effective_on,
            amount_minor.label("amount_minor"),
            (taken.c.owed_minor - (reached - amount_minor)).label("left_minor"),
        )
        .where(taken.c.still_minor > 0)
        .subquery()
    )
    part_minor = case((debits.c.left_minor < debits.c.amount_minor, debits.c.left_minor), else_=debits.c.amount_minor)
    return select(debits.c.client_id, debits.c.effective_on, part_minor.label("part_minor")).where(
        debits.c.left_minor > 0
    )


def _still_withdrawn_minor() -> ColumnElement[int]:
    """What was withdrawn of a withdrawal's payment up to it, less all that was reinstated: it settles the oldest."""
    funds = aliased(Transfer)
    up_to_it = case(
        (funds.kind == "funds_reinstated", -funds.amount_minor),
        (funds.sequence <= Transfer.sequence, funds.amount_minor),
        else_=0,
    )
    return (
        select(func.sum(up_to_it))
        .where(
            funds.business_id == Transfer.business_id,
            funds.payment_id == Transfer.payment_id,
            funds.kind.in_(("funds_withdrawn", "funds_reinstated")),
        )
        .correlate(Transfer)
        .scalar_subquery()
    )


def _is_reversed() -> ColumnElement[bool]:
    """Whether a charge, of a session or an invoice, was given back, as `session:…` by `session-cancel:…`, or a refund
    came back."""
    reversal = aliased(Transfer)

    def reversed_by(source: str, reversing: str) -> tuple[ColumnElement[bool], Any]:
        about: Any = func.substr(Transfer.source, len(source) + 1)
        return Transfer.source.startswith(source), literal(reversing) + about

    reversing = case(
        reversed_by("session:", "session-cancel:"),
        reversed_by("invoice:", "invoice-void:"),
        reversed_by("refund:", "refund-reversal:"),
    )
    return (
        select(reversal.source)
        .where(
            reversal.business_id == Transfer.business_id,
            reversal.source == reversing,
            reversal.line == Transfer.line,
        )
        .exists()
    )


def _same_client() -> ColumnElement[bool]:
    return and_(ClientAccount.business_id == Client.business_id, ClientAccount.client_id == Client.client_id)
