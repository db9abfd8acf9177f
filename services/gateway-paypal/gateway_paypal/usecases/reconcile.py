"""Reconciling: PayPal's transactions since a time against what was told here. What was missed is told now."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from common import clock, logs
from common.errors import Refused
from common.gateway import drift
from common.runtime import Runtime
from common.timers import each
from gateway_paypal.domain import translate
from gateway_paypal.models import Account, Checkout, Transaction
from gateway_paypal.usecases import accounts, checkouts, customs, telling
from gateway_paypal.usecases.accounts import Opened
from gateway_paypal.usecases.telling import Said

log = logs.get("reconcile")

# A payment is in PayPal's report by the time that it was begun.
OVERLAP = timedelta(hours=1)
MOST = 20_000
# What the timer looks back over; longer outages are reconciled by hand.
HEALED = timedelta(hours=6)
ABANDONED = timedelta(hours=3)


def reconcile(runtime: Runtime, business_id: str, since: datetime) -> dict[str, Any]:
    """Adopt what PayPal has and was not told here; answers what was compared, what was healed, and what differs.

    `drift` names each payment and the kind of difference: `amount` or `fee` told here otherwise than PayPal shows it
    now, `missing_there`, `of_another_business`. Figures in minor units. Raises Conflict without credentials.
    """
    with runtime.database.read() as session:
        opened = accounts.open_account(runtime, session, business_id)
        here = set(session.scalars(_told_since(opened, since)))
    report = drift.Report(runtime.service.name, since, "gateway_payment_id")
    seen: set[str] = set()
    for line in opened.called().transactions(since - OVERLAP, clock.now()):
        if report.compared == MOST:
            break
        seen.add(str(line["transaction_info"]["transaction_id"]))
        _compare(runtime, opened, report, line)
    for txn_id in sorted(here - seen) if report.compared < MOST else ():
        report.differs(txn_id, "missing_there")
    return report.as_json()


def _told_since(opened: Opened, since: datetime) -> Any:
    return select(Transaction.txn_id).where(
        Transaction.business_id == opened.business_id, Transaction.mode == opened.mode, Transaction.seen_at >= since
    )


def _compare(runtime: Runtime, opened: Opened, report: drift.Report, line: dict[str, Any]) -> None:
    movement = translate.of_report(line, clock.now())
    if movement is None:
        return
    info, payer = line["transaction_info"], line.get("payer_info") or {}
    said = Said(
        custom=str(info.get("custom_field") or ""), invoice=str(info.get("invoice_id") or ""),
        payer_id=str(payer.get("account_id") or ""), payer_email=str(payer.get("email_address") or ""),
    )  # fmt: skip
    try:
        with runtime.database.read() as session:
            found = telling.understand(runtime, session, opened, movement, said)
    except customs.Foreign:
        report.differs(movement.txn_id, "of_another_business")
        return
    with runtime.database.write() as session:
        is_new = telling.tell(session, opened.business_id, found) > 0
        report.compare(session, movement.payment_id, found.facts, is_healed=is_new)


def ready(session: Session) -> Sequence[str]:
    """The businesses whose account can be asked: those with a REST app's credentials."""
    query = select(Account.business_id).where(Account.client_id.is_not(None), Account.client_secret.is_not(None))
    return session.scalars(query).all()


def heal_all(runtime: Runtime) -> None:
    """Reconcile the last hours of every account with credentials, so that what no callback brought is not missed."""
    with runtime.database.read() as session:
        business_ids = ready(session)
    drift.heal_each(runtime, business_ids, clock.now() - HEALED, reconcile)


def capture_approved(runtime: Runtime) -> None:
    """Orders whose payer approved, and whose page was closed or whose capture nobody heard of: taken now."""
    now = clock.now()
    with runtime.database.read() as session:
        query = select(Checkout.business_id, Checkout.checkout_id).where(
            Checkout.kind == accounts.ORDERS, Checkout.state == "waiting",
            Checkout.created_at.between(now - ABANDONED, now - timedelta(minutes=1)),
        )  # fmt: skip
        waiting = session.execute(query.order_by(Checkout.created_at).limit(200)).all()

    def take(order: Row[str, str]) -> None:
        business_id, checkout_id = order
        try:
            checkouts.capture(runtime, business_id, checkout_id)
        except Refused as refused:  # not approved yet, as most are, or PayPal is away
            log.info("an order is not taken", checkout_id=checkout_id, reason=refused.detail[:200])

    each(waiting, take)
