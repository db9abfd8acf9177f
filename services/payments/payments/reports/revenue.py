"""Revenue: what was received, given back and withdrawn, in groups."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from payments.models import FundsMovement, Payment, Refund


def revenue(session: Session, business_id: str, first: date, last: date, by: str) -> dict[str, Any]:
    """Gross, refunded, withdrawn and net in minor units, in groups: payments by the day received, the rest by the day
    it was made."""
    group = {"method": Payment.method, "source": Payment.source}.get(by)
    received = select(group if group is not None else Payment.received_on, func.sum(Payment.amount_minor), func.count())
    received = received.where(
        Payment.business_id == business_id,
        Payment.voided_at.is_(None),
        Payment.received_on.between(first, last),
    )
    groups: dict[str, dict[str, Any]] = {}
    key: Any
    for key, gross_minor, payments in session.execute(received.group_by(received.selected_columns[0])):
        line = _line(groups, bucket(key, by))
        line["gross_minor"] += int(gross_minor)
        line["payments"] += payments
    for name, sign, query in _taken_back(business_id, first, last, group):
        for key, amount_minor in session.execute(query):
            _line(groups, bucket(key, by))[name] += sign * int(amount_minor)
    rows = [groups[key] for key in sorted(groups)]
    for row in rows:
        row["net_minor"] = row["gross_minor"] - row["refunded_minor"] - row["withdrawn_minor"]
    return {"rows": rows, "totals": _totals(rows)}


def _taken_back(business_id: str, first: date, last: date, group: Any) -> Iterator[tuple[str, int, Any]]:
    """(figure, sign, query for its sums by group): refunds, refunds that came back, withdrawals, money reinstated."""
    given, came_back = Refund.status.in_(("succeeded", "reversed")), Refund.status == "reversed"
    for name, sign, table, day, condition in (
        ("refunded_minor", 1, Refund, Refund.refunded_on, given),
        ("refunded_minor", -1, Refund, Refund.reversed_on, came_back),
        ("withdrawn_minor", 1, FundsMovement, FundsMovement.moved_on, FundsMovement.direction == "withdrawn"),
        ("withdrawn_minor", -1, FundsMovement, FundsMovement.moved_on, FundsMovement.direction == "reinstated"),
    ):
        moved: Any = table
        key = group if group is not None else day
        query = (
            select(key, func.sum(moved.amount_minor))
            .join(Payment, and_(Payment.business_id == moved.business_id, Payment.payment_id == moved.payment_id))
            .where(moved.business_id == business_id, condition, day.between(first, last))
            .group_by(key)
        )
        yield name, sign, query


def bucket(key: date | str, by: str) -> str:
    """The group that a day belongs to: the day itself, its ISO week (2026-W05) or its month (2026-02)."""
    if not isinstance(key, date):
        return str(key)
    if by == "week":
        year, week, _ = key.isocalendar()
        return f"{year}-W{week:02}"
    return key.isoformat() if by == "day" else f"{key:%Y-%m}"


def starts_on(group: str, by: str) -> date | None:
    """The first day of a group, for charts; None for groups that are no time."""
    if by == "day":
        return date.fromisoformat(group)
    if by == "week":
        return date.fromisocalendar(int(group[:4]), int(group[6:]), 1)
    return date.fromisoformat(group + "-01") if by == "month" else None


def widest(first: date) -> date:
    """The last day that one revenue question may reach: ten years."""
    return first + timedelta(days=3_660)


def _line(groups: dict[str, dict[str, Any]], key: str) -> dict[str, Any]:
    return groups.setdefault(key, _nothing(key))


def _nothing(key: str) -> dict[str, Any]:
    return {"group": key, "gross_minor": 0, "refunded_minor": 0, "withdrawn_minor": 0, "payments": 0}


def _totals(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    names = ("gross_minor", "refunded_minor", "withdrawn_minor", "net_minor", "payments")
    rows = list(rows)
    return {name: sum(row[name] for row in rows) for name in names}
