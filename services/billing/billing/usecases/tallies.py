"""Tallies: noted as changes by whoever books, so that nobody waits for a row that all change; folded by a timer."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import delete, select, tuple_
from sqlalchemy.orm import Session

from billing.domain.tally import Change
from billing.models import Tally, TallyChange
from common.db import bulk_insert, insert_or
from common.ids import new_id


def note(session: Session, changes: Iterable[tuple[str, Change]]) -> None:
    """Write (business id, change) through the caller's transaction, changes of the same tally as one."""
    sums: dict[tuple[str, Any, str], list[int]] = {}
    for business_id, change in changes:
        found = sums.setdefault((business_id, change.day, change.name), [0, 0])
        found[0] += change.amount_minor
        found[1] += change.items
    bulk_insert(session, TallyChange.__table__, [  # type: ignore[arg-type]
        {
            "business_id": business_id,
            "change_id": new_id(),
            "day": day,
            "name": name,
            "amount_minor": amount_minor,
            "items": items,
        }
        for (business_id, day, name), (amount_minor, items) in sums.items()
        if amount_minor or items
    ])  # fmt: skip


def fold(session: Session, limit: int = 5_000) -> int:
    """Move changes into their tallies; answers how many. A reader sees all of it or nothing."""
    chosen = (
        select(TallyChange.business_id, TallyChange.change_id).limit(limit).with_for_update(skip_locked=True)
    ).subquery()
    rows = session.execute(
        delete(TallyChange)
        .where(tuple_(TallyChange.business_id, TallyChange.change_id).in_(select(chosen)))
        .returning(
            TallyChange.business_id, TallyChange.day, TallyChange.name, TallyChange.amount_minor, TallyChange.items
        ),
        execution_options={"synchronize_session": False},
    ).all()
    sums: dict[tuple[str, Any, str], list[int]] = {}
    for business_id, day, name, amount_minor, items in rows:
        found = sums.setdefault((business_id, day, name), [0, 0])
        found[0] += amount_minor
        found[1] += items
    if sums:
        statement = insert_or(session, Tally)
        statement = statement.on_conflict_do_update(
            index_elements=["business_id", "day", "name"],
            set_={
                "amount_minor": Tally.amount_minor + statement.excluded.amount_minor,
                "items": Tally.items + statement.excluded["items"],
            },
        )
        # In one order everywhere: two that fold at once wait for each other instead of deadlocking.
        session.execute(statement, [
            {"business_id": key[0], "day": key[1], "name": key[2], "amount_minor": found[0], "items": found[1]}
            for key, found in sorted(sums.items())
        ])  # fmt: skip
    return len(rows)
