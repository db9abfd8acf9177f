"""Telling facts: each once, however many notices, calls and reconciliations bring it."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from common import clock
from common.db import insert_or
from common.outbox import emit
from gateway_stripe.domain.translate import Fact
from gateway_stripe.models import Told

PRODUCER = "gateway-stripe"


def tell(session: Session, facts: Sequence[Fact]) -> int:
    """Emit the events of facts that were not told before, row and event in one transaction; answers how many."""
    if not facts:
        return 0
    now = clock.now()
    rows = [
        {
            "business_id": fact.event.business_id,
            "fact": fact.key[:250],
            "amount_minor": fact.amount_minor,
            "told_at": now,
        }
        for fact in sorted(facts, key=lambda fact: fact.key)
    ]
    fresh = insert_or(session, Told).on_conflict_do_nothing().returning(Told.fact)
    new = set(session.scalars(fresh, rows))
    told = [fact for fact in facts if fact.key[:250] in new]
    emit(session, PRODUCER, [fact.event for fact in told])
    return len(told)


def already_told(session: Session, facts: Sequence[Fact]) -> set[str]:
    """The keys of those facts that were told before."""
    if not facts:
        return set()
    keys = {fact.key[:250]: fact.key for fact in facts}
    query = select(Told.fact).where(Told.business_id == facts[0].event.business_id, Told.fact.in_(keys))
    return {keys[key] for key in session.scalars(query)}


def told_otherwise(session: Session, facts: Sequence[Fact]) -> list[tuple[Fact, int]]:
    """The facts among these that were told with another amount, each with the amount that was told."""
    figures = {fact.key[:250]: fact for fact in facts if fact.amount_minor is not None}
    if not figures:
        return []
    business_id = facts[0].event.business_id
    rows = session.execute(
        select(Told.fact, Told.amount_minor).where(Told.business_id == business_id, Told.fact.in_(figures))
    )
    return [
        (figures[key], amount_minor)
        for key, amount_minor in rows
        if amount_minor is not None and amount_minor != figures[key].amount_minor
    ]
