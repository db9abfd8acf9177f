"""Tallies as they stand: what is folded, and what is not yet, in one statement."""

from datetime import date
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from billing.domain.tally import NO_DAY
from billing.models import Tally, TallyChange


def without_day(session: Session, business_id: str) -> dict[str, tuple[int, int]]:
    """Name → (amount in minor units, items)."""
    return {name: figures for (_, name), figures in _sums(session, business_id, NO_DAY, NO_DAY, "").items()}


def by_day(
    session: Session, business_id: str, first: date, last: date, prefix: str
) -> dict[tuple[date, str], tuple[int, int]]:
    """(day, name without `prefix`) → (amount in minor units, items)."""
    found = _sums(session, business_id, first, last, prefix)
    return {(day, name.removeprefix(prefix)): figures for (day, name), figures in found.items()}


def _sums(
    session: Session, business_id: str, first: date, last: date, prefix: str
) -> dict[tuple[date, str], tuple[int, int]]:
    def rows(table: Any) -> Select[Any]:
        return select(table.day, table.name, table.amount_minor, table.items).where(
            table.business_id == business_id, table.day.between(first, last), table.name.startswith(prefix)
        )

    both = rows(Tally).union_all(rows(TallyChange)).subquery()
    grouped = select(both.c.day, both.c.name, func.sum(both.c.amount_minor), func.sum(both.c["items"])).group_by(
        both.c.day, both.c.name
    )
    return {(row[0], row[1]): (int(row[2]), int(row[3])) for row in session.execute(grouped)}
