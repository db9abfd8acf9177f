"""Reminders: of pending invoices by days around their due date, of what is owed beyond them by a period; each told
once, and no debt by both."""

from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session

from billing.domain import invoice as rules
from billing.domain.calendar import day_start
from billing.domain.reminders import due_offset, period_start
from billing.models import Business, Client, ClientAccount, Invoice, ReminderSent, ReminderSettings, Transfer
from billing.usecases import accounts, allocations, clients
from billing.usecases.deactivations import DAYS_AHEAD
from common import clock
from common.db import insert_or, is_one_of
from common.errors import Conflict
from common.events.billing import BalanceEmailRequested, ReminderDue
from common.ids import new_id
from common.outbox import emit
from common.pay_link import PayLinks
from common.standing import effective_status

DEFAULTS: dict[str, Any] = {
    "invoice_offsets_days": [],
    "owed_every_days": None,
    "owed_minimum_minor": 1,
    "deactivation_days_ahead": DAYS_AHEAD,
}


def settings_of(session: Session, business_id: str) -> dict[str, Any]:
    """A business's reminder schedule; nothing is sent until there is one."""
    found = session.get(ReminderSettings, business_id)
    if found is None:
        return dict(DEFAULTS)
    return {
        "invoice_offsets_days": orjson.loads(found.invoice_offsets_days),
        "owed_every_days": found.owed_every_days,
        "owed_minimum_minor": found.owed_minimum_minor,
        "deactivation_days_ahead": found.deactivation_days_ahead,
    }


def set_up(session: Session, business: Business, wanted: dict[str, Any]) -> dict[str, Any]:
    """Set a business's reminder schedule. Periods of owed balances are counted from the day their length is set."""
    offsets = sorted(set(wanted["invoice_offsets_days"]))
    held = session.get(ReminderSettings, business.business_id)
    owed_since = clock.today(business.time_zone)
    if held is not None and held.owed_every_days == wanted["owed_every_days"]:
        owed_since = held.owed_since
    session.merge(
        ReminderSettings(
            business_id=business.business_id,
            **{**wanted, "invoice_offsets_days": orjson.dumps(offsets).decode()},
            owed_since=owed_since,
        )
    )
    session.flush()
    return settings_of(session, business.business_id)


def ask_to_pay(session: Session, business: Business, client_id: str, links: PayLinks) -> dict[str, Any]:
    """Have a client e-mailed what they owe now, because staff asked for it: {request_id, client_id, email, owed_minor,
    currency}. Raises NotFound, Conflict."""
    client = clients.find(session, business.business_id, client_id)
    account = accounts.look(session, business.business_id, client_id)
    owed_minor = -account.balance_minor
    if owed_minor <= 0:
        raise Conflict("nothing_owed", f"{client.name} owes nothing right now.")
    if client.email is None:
        raise Conflict("no_address", f"{client.name} has no e-mail address. Add one to the client, and try again.")
    if effective_status(client.status, client.inactive_on, clock.today(business.time_zone)) == "inactive":
        raise Conflict("client_inactive", f"{client.name} is inactive, and could not pay by the link.")
    told = BalanceEmailRequested(
        business_id=business.business_id,
        client_id=client_id,
        sequence=max(account.sequence, 1),
        request_id=new_id(),
        owed_minor=owed_minor,
        currency=business.currency,
        pay_url=links.to(business.business_id, client_id, owed_minor),
    )
    emit(session, "billing", [told])
    shown = ("request_id", "client_id", "owed_minor", "currency")
    return {**{name: getattr(told, name) for name in shown}, "email": client.email}


def businesses_that_remind(session: Session) -> Sequence[str]:
    return session.scalars(select(ReminderSettings.business_id).order_by(ReminderSettings.business_id)).all()


def remind(session: Session, business_id: str, links: PayLinks) -> int:
    """Tell what is due in one business today; answers how many reminders. One told before is left out by its row."""
    settings = session.get_one(ReminderSettings, business_id)
    business = session.get_one(Business, business_id)
    today = clock.today(business.time_zone)
    asked = [
        *_of_invoices(session, business, orjson.loads(settings.invoice_offsets_days), today, links),
        *_of_balances(session, business, settings, today, links),
    ]
    active = _active(session, business_id, {event.client_id for event in asked}, today)
    due = [event for event in asked if event.client_id in active]
    if not due:
        return 0
    fresh = insert_or(session, ReminderSent).on_conflict_do_nothing().returning(ReminderSent.about)
    new = set(
        session.scalars(
            fresh,
            [
                {"business_id": business_id, "about": event.reminder, "told_at": clock.now()}
                for event in sorted(due, key=lambda event: event.reminder)
            ],
        )
    )
    told = [event for event in due if event.reminder in new]
    emit(session, "billing", told)
    return len(told)


def _active(session: Session, business_id: str, client_ids: Set[str], today: date) -> set[str]:
    """Those of the clients who could pay by a link."""
    query = select(Client).where(
        Client.business_id == business_id, is_one_of(session, Client.client_id, sorted(client_ids))
    )
    return {
        client.client_id
        for client in session.scalars(query)
        if effective_status(client.status, client.inactive_on, today) == "active"
    }


def _of_invoices(
    session: Session, business: Business, offsets: Sequence[int], today: date, links: PayLinks
) -> list[ReminderDue]:
    """Of what of each invoice its client has no free credit for: that is to pay those due first."""
    if not offsets:
        return []
    pending = session.scalars(
        select(Invoice)
        .where(
            Invoice.business_id == business.business_id,
            Invoice.status == "pending",
            Invoice.due_on <= today - timedelta(days=min(offsets)),
        )
        .order_by(Invoice.client_id, Invoice.due_on, Invoice.number)
    ).all()
    free = _free_credits(session, business.business_id, {invoice.client_id for invoice in pending})
    found = []
    for client_id, group in groupby(pending, lambda invoice: invoice.client_id):
        invoices = list(group)
        owed = [(invoice.invoice_id, rules.outstanding_minor(invoice)) for invoice in invoices]
        covered = dict(rules.spread(max(0, free[client_id]), owed))
        for invoice in invoices:
            assert invoice.due_on is not None
            assert invoice.number is not None
            offset = due_offset(invoice.due_on, offsets, today)
            owed_minor = rules.outstanding_minor(invoice) - covered.get(invoice.invoice_id, 0)
            if offset is None or owed_minor == 0:
                continue
            number = rules.format_number(invoice.number)
            found.append(
                ReminderDue(
                    business_id=business.business_id,
                    client_id=client_id,
                    sequence=invoice.sequence,
                    kind="invoice",
                    reminder=f"invoice:{invoice.invoice_id}:{offset}",
                    owed_minor=owed_minor,
                    currency=invoice.currency,
                    invoice_id=invoice.invoice_id,
                    invoice_number=number,
                    due_on=invoice.due_on,
                    days_overdue=(today - invoice.due_on).days,
                    pay_url=links.to(business.business_id, client_id, owed_minor, number),
                )
            )
    return found


def _free_credits(session: Session, business_id: str, client_ids: Set[str]) -> dict[str, int]:
    """Client id → free credit of each."""
    balances = session.execute(
        select(ClientAccount.client_id, ClientAccount.balance_minor).where(
            ClientAccount.business_id == business_id, is_one_of(session, ClientAccount.client_id, sorted(client_ids))
        )
    )
    return allocations.free_credits_minor(session, business_id, dict(balances.all()))


def _of_balances(
    session: Session, business: Business, settings: ReminderSettings, today: date, links: PayLinks
) -> list[ReminderDue]:
    """Of what each client owes and no invoice asks for, where so much was owed when the period began. The first period
    asks for all: it begins when somebody says so."""
    if settings.owed_every_days is None:
        return []
    period = period_start(settings.owed_since, settings.owed_every_days, today)
    owing = session.execute(
        select(ClientAccount.client_id, ClientAccount.balance_minor, ClientAccount.sequence).where(
            ClientAccount.business_id == business.business_id,
            ClientAccount.balance_minor <= -settings.owed_minimum_minor,
        )
    ).all()
    balances_minor = {row.client_id: row.balance_minor for row in owing}
    free = allocations.free_credits_minor(session, business.business_id, balances_minor)
    newer: Mapping[str, int] = {}
    if period > settings.owed_since:
        newer = _taken_since(session, business.business_id, sorted(free), day_start(period, business.time_zone))
    found = []
    for client_id, balance_minor, sequence in owing:
        # Not more than the balance: what an invoice was paid ahead for is the client's until it is charged.
        owed_minor = min(-balance_minor, -free[client_id])
        if owed_minor - newer.get(client_id, 0) < settings.owed_minimum_minor:
            continue
        found.append(
            ReminderDue(
                business_id=business.business_id,
                client_id=client_id,
                sequence=max(sequence, 1),
                kind="balance",
                reminder=f"balance:{client_id}:{period}",
                owed_minor=owed_minor,
                currency=business.currency,
                pay_url=links.to(business.business_id, client_id, owed_minor),
            )
        )
    return found


def _taken_since(session: Session, business_id: str, client_ids: Sequence[str], moment: datetime) -> dict[str, int]:
    """Client id → what was taken from the account since, other than by invoices. What is owed is the newest of what was
    taken, so this much of it was not owed at that moment."""
    query = select(Transfer.client_id, func.sum(Transfer.amount_minor)).where(
        Transfer.business_id == business_id,
        is_one_of(session, Transfer.client_id, client_ids),
        Transfer.recorded_at >= moment,
        Transfer.debit_account == literal("client:") + Transfer.client_id,
        Transfer.kind != "invoice",
    )
    found = session.execute(query.group_by(Transfer.client_id))
    return {client_id: int(taken_minor) for client_id, taken_minor in found}
