"""Reconciling: Stripe's payments since a time against what was told here. What was missed is told now."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from common import clock, logs
from common.events.gateways import GatewayFeeKnown
from common.jobs import TryLater
from common.runtime import Runtime
from gateway_stripe.client import Refused, Unknown
from gateway_stripe.domain import translate
from gateway_stripe.models import Account, Intent, Keys, Operation
from gateway_stripe.usecases import accounts, facts

# Stripe shows what was made a moment ago with a delay.
OVERLAP = timedelta(hours=1)
MOST = 20_000
# What the timer looks back over; longer outages are reconciled by hand.
HEALED = timedelta(hours=6)

log = logs.get("reconcile")


def reconcile(runtime: Runtime, business_id: str, since: datetime) -> dict[str, Any]:
    """Adopt what Stripe has and was not told here; answers what was compared, what was healed, and what differs.

    `drift` names each payment and the kind of difference: `amount` or `fee` told here otherwise than Stripe shows it
    now, `asked_amount` changed at Stripe since it was begun, `missing_there`. Figures in minor units.
    """
    with runtime.database.read() as session:
        opened = accounts.open_account(runtime, session, business_id)
        kept = {
            row.intent_id: row
            for row in session.scalars(
                select(Intent).where(
                    Intent.business_id == business_id, Intent.mode == opened.mode, Intent.created_at >= since
                )
            )
        }
    healed: list[str] = []
    drift: list[dict[str, Any]] = []
    seen: set[str] = set()
    compared = 0
    for intent in opened.stripe.intents_since(since - OVERLAP):
        if compared == MOST:
            break
        if not translate.is_ours(opened.context, intent):
            continue
        compared += 1
        seen.add(intent["id"])
        found = translate.of_intent(opened.context, intent)
        with runtime.database.write() as session:
            if facts.tell(session, found):
                healed.append(intent["id"])
            told = facts.told_amounts(session, found)
        mine = kept.get(intent["id"])
        if mine is not None and mine.amount_minor != intent["amount"]:
            drift.append(_differs(intent, "asked_amount", mine.amount_minor, intent["amount"]))
        for fact in found:
            here = told.get(fact.key)
            if here is not None and here != fact.amount_minor:
                kind = "fee" if isinstance(fact.event, GatewayFeeKnown) else "amount"
                drift.append(_differs(intent, kind, here, fact.amount_minor))
    missing = [intent_id for intent_id in kept if intent_id not in seen] if compared < MOST else []
    drift += [{"payment_intent_id": intent_id, "kind": "missing_there"} for intent_id in missing]
    return {"since": since, "compared": compared, "healed": healed, "drift": drift}


def _differs(intent: dict[str, Any], kind: str, here: int, there: int | None) -> dict[str, Any]:
    return {"payment_intent_id": intent["id"], "kind": kind, "here": here, "there": there}


def heal_all(runtime: Runtime) -> None:
    """Reconcile the last hours of every account, so that what no callback brought is not missed for long."""
    with runtime.database.read() as session:
        ready = session.scalars(
            select(Account.business_id)
            .join(Keys, (Keys.business_id == Account.business_id) & (Keys.mode == Account.mode))
            .where(Keys.account_id.is_not(None))
        ).all()
    for business_id in ready:
        try:
            reconcile(runtime, business_id, clock.now() - HEALED)
        except (Unknown, Refused, TryLater) as error:
            log.warning("could not be reconciled", business_id=business_id, reason=str(error)[:200])


def find_unknown(runtime: Runtime) -> None:
    """Find out what became of operations that nobody knows the outcome of, by asking Stripe for what it has."""
    before = clock.now() - timedelta(seconds=60)
    with runtime.database.read() as session:
        waiting = session.execute(
            select(Operation.business_id, Operation.operation_id, Operation.started_at)
            .where(Operation.state.in_(("started", "unknown")), Operation.started_at < before)
            .order_by(Operation.started_at)
            .limit(200)
        ).all()
    oldest: dict[str, datetime] = {}
    for row in waiting:
        oldest[row.business_id] = min(row.started_at, oldest.get(row.business_id, row.started_at))
    for business_id, since in oldest.items():
        try:
            reconcile(runtime, business_id, since)
        except (Unknown, Refused, TryLater):
            continue  # Stripe is away, or refuses the keys: the next round asks again
        with runtime.database.write() as session:
            for row in waiting:
                if row.business_id == business_id:
                    held = session.get_one(Operation, (business_id, row.operation_id), with_for_update=True)
                    if held.state in ("started", "unknown"):
                        held.state = "resolved"
