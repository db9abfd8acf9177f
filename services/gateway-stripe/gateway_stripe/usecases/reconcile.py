"""Reconciling: Stripe's payments since a time against what was told here. What was missed is told now."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from common import clock
from common.gateway import drift, facts, operations
from common.runtime import Runtime
from gateway_stripe.domain import translate
from gateway_stripe.models import Account, Intent, Keys
from gateway_stripe.usecases import accounts

# Stripe shows what was made a moment ago with a delay.
OVERLAP = timedelta(hours=1)
MOST = 20_000
# What the timer looks back over; longer outages are reconciled by hand.
HEALED = timedelta(hours=6)


def reconcile(runtime: Runtime, business_id: str, since: datetime) -> dict[str, Any]:
    """Adopt what Stripe has and was not told here; answers what was compared, what was healed, and what differs.

    `drift` names each payment and the kind of difference: `amount` or `fee` told here otherwise than Stripe shows it
    now, `asked_amount` changed at Stripe since it was begun, `missing_there`. Figures in minor units.
    """
    with runtime.database.read() as session:
        opened = accounts.open_account(runtime, session, business_id)
        begun = {
            row.intent_id: row
            for row in session.scalars(
                select(Intent).where(
                    Intent.business_id == business_id, Intent.mode == opened.mode, Intent.created_at >= since
                )
            )
        }
    report = drift.Report(runtime.service.name, since, "payment_intent_id")
    seen: set[str] = set()
    for intent in opened.stripe.intents_since(since - OVERLAP):
        if report.compared == MOST:
            break
        if not translate.is_ours(opened.context, intent):
            continue
        seen.add(intent["id"])
        found = translate.of_intent(opened.context, intent)
        with runtime.database.write() as session:
            report.compare(session, intent["id"], found, is_healed=facts.tell(session, found) > 0)
        mine = begun.get(intent["id"])
        if mine is not None and mine.amount_minor != intent["amount"]:
            report.differs(intent["id"], "asked_amount", here=mine.amount_minor, there=intent["amount"])
    for intent_id in begun.keys() - seen if report.compared < MOST else ():
        report.differs(intent_id, "missing_there")
    return report.as_json()


def ready(session: Session) -> Sequence[str]:
    """The businesses whose account can be asked."""
    query = select(Account.business_id).join(
        Keys, (Keys.business_id == Account.business_id) & (Keys.mode == Account.mode)
    )
    return session.scalars(query.where(Keys.account_id.is_not(None))).all()


def heal_all(runtime: Runtime) -> None:
    """Reconcile the last hours of every account, so that what no callback brought is not missed for long."""
    with runtime.database.read() as session:
        business_ids = ready(session)
    drift.heal_each(runtime, business_ids, clock.now() - HEALED, reconcile)


def find_unknown(runtime: Runtime) -> None:
    """Find out what became of operations that nobody knows the outcome of."""
    operations.find_unknown(runtime, reconcile)
