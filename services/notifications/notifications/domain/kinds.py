"""What each kind of mail is: to whom it goes, what holds it back, what it carries, what its subject says. Its text is
in `templates`, under its name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from common.money import describe_balance, format_money
from notifications.domain import documents, phrases
from notifications.domain.documents import Document, Facts

KindName = Literal[
    "receipt", "low_balance", "invoice", "reminder", "card_needs_client", "deactivation_due", "unmatched", "dispute",
    "balance_due",     "invitation", "password_reset",
]  # fmt: skip


_RECEIPT_EVENTS = {
    "voided": ": payment voided",
    "refunded": ": refund",
    "refund_reversed": ": refund came back",
    "withdrawn": ": payment disputed",
    "reinstated": ": disputed money came back",
}


def _receipt_subject(facts: Facts, business_name: str) -> str:
    what = _RECEIPT_EVENTS.get(facts["event"], "")
    return f"Receipt {facts['receipt_number']} from {business_name}{what}"


def _low_balance_subject(facts: Facts, business_name: str) -> str:
    words = describe_balance(facts["balance_minor"], facts["currency"])
    return f"Your balance with {business_name}: your account {words}"


def _invoice_subject(facts: Facts, business_name: str) -> str:
    owed_minor = facts["owed_minor"]
    words = f"{format_money(owed_minor, facts['currency'])} to pay" if owed_minor > 0 else "paid"
    return f"Invoice {facts['invoice_number']} from {business_name}: {words}"


def _reminder_subject(facts: Facts, business_name: str) -> str:
    if facts["reminded_of"] == "invoice":
        return f"Invoice {facts['invoice_number']} from {business_name} {phrases.due(facts['days_overdue'])}"
    return f"Reminder: {format_money(facts['owed_minor'], facts['currency'])} to pay to {business_name}"


def _balance_due_subject(facts: Facts, business_name: str) -> str:
    return f"{format_money(facts['owed_minor'], facts['currency'])} to pay to {business_name}"


def _card_needs_client_subject(facts: Facts, business_name: str) -> str:
    amount = format_money(facts["owed_minor"], facts["currency"])
    return f"Your bank asks you to confirm {amount} to {business_name}"


def _deactivation_due_subject(facts: Facts, _business_name: str) -> str:
    return f"{facts['client_name']} becomes inactive on {phrases.day(facts['inactive_on'])}"


def _unmatched_subject(facts: Facts, _business_name: str) -> str:
    return f"{format_money(facts['amount_minor'], facts['currency'])} arrived and is nobody's payment yet"


def _dispute_subject(facts: Facts, _business_name: str) -> str:
    return f"{facts['client_name']} disputes a payment of {format_money(facts['amount_minor'], facts['currency'])}"


def _invitation_subject(_facts: Facts, business_name: str) -> str:
    return f"Your invitation to {business_name}"


def _password_reset_subject(_facts: Facts, business_name: str) -> str:
    return f"A new password for {business_name}"


def _nothing(_facts: Facts) -> None:
    return None


@dataclass(frozen=True)
class Kind:
    """One kind of mail. `switch` names the setting that holds it back; None: nothing does, as somebody asked for it or
    must know. `subject` is given facts and the business's name. `erased` is the fact that opens something to those
    who have it: it goes when the mail has ended, and such a mail is not sent again."""

    subject: Callable[[Facts, str], str]
    switch: str | None
    document: Callable[[Facts], Document | None] = _nothing
    to: Literal["client", "business", "person"] = "client"
    erased: str | None = None


KINDS: dict[str, Kind] = {
    "receipt": Kind(_receipt_subject, "receipts_enabled", documents.receipt),
    "low_balance": Kind(_low_balance_subject, "low_balance_enabled"),
    "invoice": Kind(_invoice_subject, None, documents.invoice),
    "reminder": Kind(_reminder_subject, "reminders_enabled", documents.reminded_of),
    "balance_due": Kind(_balance_due_subject, None),
    "card_needs_client": Kind(_card_needs_client_subject, None),
    "deactivation_due": Kind(_deactivation_due_subject, None, to="business"),
    "unmatched": Kind(_unmatched_subject, None, to="business"),
    "dispute": Kind(_dispute_subject, None, to="business"),
    "invitation": Kind(_invitation_subject, None, to="person", erased="link"),
    "password_reset": Kind(_password_reset_subject, None, to="person", erased="link"),
}
