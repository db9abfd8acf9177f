"""What each kind of mail is: to whom it goes, what holds it back, what it carries, what its subject says. Its text is
in `templates`, under its name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from common.money import describe_balance, format_money
from notifications.domain import documents, phrases
from notifications.domain.documents import Document, Facts

KindName = Literal["receipt", "low_balance", "invoice", "reminder", "deactivation_due", "unmatched", "dispute"]


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
    words = describe_balance(facts["balance_minor"], facts["currency"])
    return f"Reminder: your account with {business_name} {words}"


def _deactivation_due_subject(facts: Facts, _business_name: str) -> str:
    return f"{facts['client_name']} becomes inactive on {phrases.day(facts['inactive_on'])}"


def _unmatched_subject(facts: Facts, _business_name: str) -> str:
    return f"{format_money(facts['amount_minor'], facts['currency'])} arrived and is nobody's payment yet"


def _dispute_subject(facts: Facts, _business_name: str) -> str:
    return f"{facts['client_name']} disputes a payment of {format_money(facts['amount_minor'], facts['currency'])}"


def _nothing(_facts: Facts) -> None:
    return None


@dataclass(frozen=True)
class Kind:
    """One kind of mail. `switch` names the setting that holds it back; None: nothing does, as somebody asked for it or
    must know. `subject` is given facts and the business's name."""

    subject: Callable[[Facts, str], str]
    switch: str | None
    document: Callable[[Facts], Document | None] = _nothing
    to: Literal["client", "business"] = "client"


KINDS: dict[str, Kind] = {
    "receipt": Kind(_receipt_subject, "receipts_enabled", documents.receipt),
    "low_balance": Kind(_low_balance_subject, "low_balance_enabled"),
    "invoice": Kind(_invoice_subject, None, documents.invoice),
    "reminder": Kind(_reminder_subject, "reminders_enabled", documents.reminded_of),
    "deactivation_due": Kind(_deactivation_due_subject, None, to="business"),
    "unmatched": Kind(_unmatched_subject, None, to="business"),
    "dispute": Kind(_dispute_subject, None, to="business"),
}
