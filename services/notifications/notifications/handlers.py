"""What notifications does when it hears of payments, balances, invoices and clients: it queues mails, calls nobody."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from common import directory
from common.directory import Business, Client
from common.events import Event, correlation_of
from common.events.billing import (
    BalanceBelowThreshold,
    BalanceEmailRequested,
    ClientDeactivationDue,
    InvoiceEmailRequested,
    ReminderDue,
)
from common.events.payments import (
    PaymentDisputed,
    PaymentFundsReinstated,
    PaymentFundsWithdrawn,
    PaymentRecorded,
    PaymentRefunded,
    PaymentRefundReversed,
    PaymentUnmatched,
    PaymentVoided,
    ReceiptRequested,
)
from common.inbox import Handlers
from notifications.domain.kinds import KINDS
from notifications.usecases import emails
from notifications.usecases.emails import NewEmail

Money = (
    PaymentRecorded
    | PaymentVoided
    | PaymentRefunded
    | PaymentRefundReversed
    | PaymentFundsWithdrawn
    | PaymentFundsReinstated
)


def mail_receipts(events: Sequence[Money], session: Session) -> None:
    """Queue one receipt for each payment revision."""
    _queue(events, session, [_receipt_facts(event) for event in events], "receipt", [
        receipt_key(event.payment_id, event.receipt_revision) for event in events
    ])  # fmt: skip


def mail_receipts_again(events: Sequence[ReceiptRequested], session: Session) -> None:
    """Queue a receipt that someone asked for."""
    facts = [
        {
            "event": "requested",
            "payment_id": event.payment_id,
            "receipt_number": event.receipt_number,
            "receipt_revision": event.receipt_revision,
        }
        for event in events
    ]
    abouts = [f"receipt-request:{event.request_id}" for event in events]
    _queue(events, session, facts, "receipt", abouts, is_asked_for=True)


def warn_of_low_balance(events: Sequence[BalanceBelowThreshold], session: Session) -> None:
    """Queue one warning for each crossing."""
    facts = [
        {
            "balance_minor": event.balance_minor,
            "threshold_minor": event.threshold_minor,
            "currency": event.currency,
        }
        for event in events
    ]
    _queue(events, session, facts, "low_balance", [f"low-balance:{event.event_id}" for event in events])


def mail_invoices(events: Sequence[InvoiceEmailRequested], session: Session) -> None:
    """Queue an invoice that someone asked for."""
    facts = [
        {
            "invoice_number": event.invoice_number,
            "total_minor": event.total_minor,
            "paid_minor": event.paid_minor,
            "owed_minor": max(0, event.total_minor - event.paid_minor),
            "currency": event.currency,
            "due_on": _iso(event.due_on),
            "pay_url": event.pay_url,
        }
        for event in events
    ]
    _queue(events, session, facts, "invoice", [f"invoice:{event.invoice_id}:{event.request_id}" for event in events])


def remind(events: Sequence[ReminderDue], session: Session) -> None:
    """Queue one mail for each reminder, of an invoice or of a balance."""
    facts = [
        {
            "reminded_of": event.kind,
            "owed_minor": event.owed_minor,
            "currency": event.currency,
            "invoice_number": event.invoice_number,
            "due_on": _iso(event.due_on),
            "days_overdue": event.days_overdue,
            "pay_url": event.pay_url,
        }
        for event in events
    ]
    _queue(events, session, facts, "reminder", [f"reminder:{event.reminder}" for event in events])


def ask_to_pay(events: Sequence[BalanceEmailRequested], session: Session) -> None:
    """Queue what a client owes, because somebody asked for it."""
    facts = [{"owed_minor": event.owed_minor, "currency": event.currency, "pay_url": event.pay_url} for event in events]
    abouts = [f"balance-due:{event.request_id}" for event in events]
    _queue(events, session, facts, "balance_due", abouts, is_asked_for=True)


def tell_of_deactivations(events: Sequence[ClientDeactivationDue], session: Session) -> None:
    """Queue one mail to the business for each client and date."""
    clients = _clients(events, session)
    facts = [
        {
            "client_name": clients[event.business_id, event.client_id].name,
            "inactive_on": event.inactive_on.isoformat(),
            "balance_minor": event.balance_minor,
            "currency": event.currency,
            "future_sessions": event.future_sessions,
            "pending_invoices": event.pending_invoices,
        }
        for event in events
    ]
    abouts = [f"deactivation-due:{event.client_id}:{event.inactive_on}" for event in events]
    _queue(events, session, facts, "deactivation_due", abouts)


def tell_of_unmatched_money(events: Sequence[PaymentUnmatched], session: Session) -> None:
    """Queue one mail to the business for each arrival that nobody is known to have paid."""
    businesses = directory.businesses_of(session, {event.business_id for event in events})
    facts = [
        {
            "amount_minor": event.amount_minor,
            "currency": event.currency,
            "gateway": event.gateway,
            "gateway_payment_id": event.gateway_payment_id,
            "day": _day(event.happened_at, businesses[event.business_id].time_zone),
            "reason": event.reason,
        }
        for event in events
    ]
    _queue(events, session, facts, "unmatched", [f"unmatched:{event.unmatched_id}" for event in events])


def tell_of_disputes(events: Sequence[PaymentDisputed], session: Session) -> None:
    """Queue one mail to the business for each dispute."""
    clients = _clients(events, session)
    facts = [
        {
            "client_name": clients[event.business_id, event.client_id].name,
            "amount_minor": event.amount_minor,
            "currency": event.currency,
            "payment_id": event.payment_id,
            "gateway_dispute_id": event.gateway_dispute_id,
            "reason": event.reason,
        }
        for event in events
    ]
    abouts = [f"dispute:{event.payment_id}:{event.gateway_dispute_id}" for event in events]
    _queue(events, session, facts, "dispute", abouts)


def receipt_key(payment_id: str, revision: int) -> str:
    return f"receipt:{payment_id}:{revision}"


def _receipt_facts(event: Money) -> dict[str, Any]:
    match event:
        case PaymentRecorded():
            what, day = "recorded", event.received_on
        case PaymentVoided():
            what, day = "voided", event.voided_on
        case PaymentRefunded():
            what, day = "refunded", event.refunded_on
        case PaymentRefundReversed():
            what, day = "refund_reversed", event.reversed_on
        case PaymentFundsWithdrawn():
            what, day = "withdrawn", event.moved_on
        case PaymentFundsReinstated():
            what, day = "reinstated", event.moved_on
    return {
        "event": what,
        "day": day.isoformat(),
        "payment_id": event.payment_id,
        "amount_minor": event.amount_minor,
        "currency": event.currency,
        "method": event.method,
        "receipt_number": event.receipt_number,
        "receipt_revision": event.receipt_revision,
    }


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _day(moment: datetime, time_zone: str) -> str:
    """The date that the clocks of the business showed."""
    return moment.astimezone(ZoneInfo(time_zone)).date().isoformat()


def _queue(
    events: Sequence[Event],
    session: Session,
    facts: Sequence[dict[str, Any]],
    kind: str,
    abouts: Sequence[str],
    is_asked_for: bool = False,
) -> None:
    clients = _clients(events, session)
    businesses = directory.businesses_of(session, {event.business_id for event in events})
    new = []
    for event, fact, about in zip(events, facts, abouts, strict=True):
        client = clients.get((event.business_id, getattr(event, "client_id", "")))
        business = businesses[event.business_id]
        new.append(
            NewEmail(
                business_id=event.business_id,
                business_name=business.name,
                kind=kind,
                about=about,
                client_id=client.client_id if client else None,
                address=_address(business, client, kind),
                facts=fact,
                is_asked_for=is_asked_for,
                correlation_id=correlation_of(event),
            )
        )
    emails.queue(session, new)


def _address(business: Business, client: Client | None, kind: str) -> str | None:
    if KINDS[kind].to == "business":
        return business.reply_to_email
    return client.email if client else None


def _clients(events: Sequence[Event], session: Session) -> dict[tuple[str, str], Client]:
    """(business id, client id) → the copy of the client, of those that the events name; raises Retry for a stranger."""
    named = {(event.business_id, event.client_id) for event in events if hasattr(event, "client_id")}
    return directory.clients_of(session, named)


HANDLERS: Handlers = {
    **directory.HANDLERS,
    PaymentRecorded: mail_receipts,
    PaymentVoided: mail_receipts,
    PaymentRefunded: mail_receipts,
    PaymentRefundReversed: mail_receipts,
    PaymentFundsWithdrawn: mail_receipts,
    PaymentFundsReinstated: mail_receipts,
    PaymentUnmatched: tell_of_unmatched_money,
    PaymentDisputed: tell_of_disputes,
    ReceiptRequested: mail_receipts_again,
    BalanceBelowThreshold: warn_of_low_balance,
    InvoiceEmailRequested: mail_invoices,
    BalanceEmailRequested: ask_to_pay,
    ReminderDue: remind,
    ClientDeactivationDue: tell_of_deactivations,
}
