"""Telling facts: each once, however many notices, calls and reconciliations bring it."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from common import clock
from common.db import insert_or
from common.gateway.fact import Fact
from common.gateway.models import Told
from common.outbox import emit


def tell(session: Session, facts: Sequence[Fact]) -> int:
    """Emit the events of facts that were not told before, row and event in one transaction; answers how many."""
    if not facts:
        return 0
    now = clock.now()
    rows = [
        {
            "business_id": fact.event.business_id,
            "fact": _stored(fact),
            "amount_minor": fact.amount_minor,
            "told_at": now,
        }
        for fact in sorted(facts, key=lambda fact: fact.key)
    ]
    fresh = insert_or(session, Told).on_conflict_do_nothing().returning(Told.fact)
    new = set(session.scalars(fresh, rows))
    told = [fact for fact in facts if _stored(fact) in new]
    if told:
        emit(session, f"gateway-{told[0].event.gateway}", [fact.event for fact in told])  # type: ignore[attr-defined]
    return len(told)


def told_amounts(session: Session, facts: Sequence[Fact]) -> dict[str, int | None]:
    """The amount that each of those facts was told with, by its key; those that were not told are not there."""
    if not facts:
        return {}
    keys = {_stored(fact): fact.key for fact in facts}
    query = select(Told.fact, Told.amount_minor).where(
        Told.business_id == facts[0].event.business_id, Told.fact.in_(keys)
    )
    return {keys[stored]: amount_minor for stored, amount_minor in session.execute(query)}


def _stored(fact: Fact) -> str:
    return fact.key[:250]
