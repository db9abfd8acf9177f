"""Polling: Stripe's events asked for, while its callbacks cannot reach us. The same notices, the same outcome."""

from datetime import datetime, timedelta

import orjson
from sqlalchemy import select

from common import clock
from common.gateway.calls import NOT_ASKED
from common.runtime import Runtime
from common.timers import each
from gateway_stripe.domain import translate
from gateway_stripe.models import Account, Keys
from gateway_stripe.usecases import accounts, notices

# Stripe shows an event some moments after its time; those seen before are kept once all the same.
OVERLAP = timedelta(minutes=5)
# Stripe takes so many types in one question.
MOST_TYPES = 20


def poll(runtime: Runtime) -> None:
    """Ask for what happened since the last time, at every account whose callbacks have no way here."""
    with runtime.database.read() as session:
        waiting = session.execute(
            select(Keys.business_id, Keys.mode)
            .join(Account, (Account.business_id == Keys.business_id) & (Account.mode == Keys.mode))
            .where(Keys.account_id.is_not(None), Keys.webhook_id.is_(None))
        ).all()
    each(waiting, lambda account: poll_account(runtime, *account), expected=NOT_ASKED)


def poll_account(runtime: Runtime, business_id: str, mode: str) -> None:
    """Ask one account. Raises what stands in NOT_ASKED."""
    now = clock.now()
    with runtime.database.read() as session:
        keys = session.get_one(Keys, (business_id, mode))
        stripe = accounts.stripe_of(runtime, keys)
        since: datetime = (keys.polled_until or now - timedelta(days=1)) - OVERLAP
    types = sorted(translate.ABOUT)
    assert len(types) <= MOST_TYPES
    found = stripe.events_since(since, types)
    with runtime.database.write() as session:
        for event in found:
            notices.keep(session, business_id, mode, event, orjson.dumps(event))
        session.get_one(Keys, (business_id, mode), with_for_update=True).polled_until = now
