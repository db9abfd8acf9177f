"""What notifications does when it hears of payments, balances, invoices and clients: it queues mails, calls nobody."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from common import directory
from common.directory import Client
from common.events import Event
from common.events.billing import BalanceBelowThreshold, ClientDeactivationDue, InvoiceEmailRequested, ReminderDue
from common.events.payments import PaymentRecorded, PaymentRefunded, PaymentVoided, ReceiptRequested
from common.inbox import Handlers
from notifications.domain.kinds import KINDS
from notifications.usecases import emails
from notifications.usecases.emails import NewEmail


def mail_receipts(events: Sequence[PaymentRecorded | PaymentVoided | PaymentRefunded], session: Session) -> None:
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
            "balance_minor": -event.owed_minor,
            "currency": event.currency,
            "invoice_number": event.invoice_number,
            "due_on": _iso(event.due_on),
            "days_overdue": event.days_overdue,
            "pay_url": event.pay_url,
        }
        for event in events
    ]
    _queue(events, session, facts, "reminder", [f"reminder:{event.reminder}" for event in events])


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


def receipt_key(payment_id: str, revision: int) -> str:
    return f"receipt:{payment_id}:{revision}"


def _receipt_facts(event: PaymentRecorded | PaymentVoided | PaymentRefunded) -> dict[str, Any]:
    match event:
        case PaymentRecorded():
            what, day = "recorded", event.received_on
        case PaymentVoided():
            what, day = "voided", event.voided_on
        case PaymentRefunded():
            what, day = "refunded", event.refunded_on
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
        client = clients[event.business_id, event.client_id]  # type: ignore[attr-defined]
        business = businesses[event.business_id]
        new.append(
            NewEmail(
                business_id=event.business_id,
                business_name=business.name,
                kind=kind,
                about=about,
                client_id=client.client_id,
                address=business.reply_to_email if KINDS[kind].to == "business" else client.email,
                facts=fact,
                is_asked_for=is_asked_for,
            )
        )
    emails.queue(session, new)


def _clients(events: Sequence[Event], session: Session) -> dict[tuple[str, str], Client]:
    """(business id, client id) → the copy of the client, of those that the events name; raises Retry for a stranger."""
    return directory.clients_of(session, {(event.business_id, event.client_id) for event in events})  # type: ignore[attr-defined]


HANDLERS: Handlers = {
    **directory.HANDLERS,
    PaymentRecorded: mail_receipts,
    PaymentVoided: mail_receipts,
    PaymentRefunded: mail_receipts,
    ReceiptRequested: mail_receipts_again,
    BalanceBelowThreshold: warn_of_low_balance,
    InvoiceEmailRequested: mail_invoices,
    ReminderDue: remind,
    ClientDeactivationDue: tell_of_deactivations,
}
