"""The kinds of mail that Remit sends, in words."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """`when` says what sends it. `switch` is the setting that holds it back."""

    title: str
    when: str
    whom: str = "clients"
    switch: str | None = None


KINDS = {
    "receipt": Kind("Receipt", "A payment was recorded, voided or refunded", switch="receipts_enabled"),
    "low_balance": Kind("Low balance", "A balance falls below the threshold", switch="low_balance_enabled"),
    "reminder": Kind("Reminder", "By the reminder schedule", switch="reminders_enabled"),
    "invoice": Kind("Invoice", "You send an invoice, or it is made by itself"),
    "balance_due": Kind("Balance to pay", "You ask somebody to pay what they owe"),
    "card_needs_client": Kind("Card to confirm", "A bank wants a charge to be confirmed by its client"),
    "unmatched": Kind("Unmatched money", "Money came that fits nobody", "you"),
    "dispute": Kind("Disputed payment", "A client disputes a payment at their bank", "you"),
    "deactivation_due": Kind("Client becomes inactive", "Some days before a client's last day", "you"),
    "invitation": Kind("Invitation", "You invite somebody to sign in", "whoever signs in"),
    "password_reset": Kind("New password", "Somebody forgot their password", "whoever signs in"),
}
STATES = {
    "queued": ("", "on its way"),
    "sent": ("good", "sent"),
    "failed": ("late", "failed"),
    "suppressed": ("off", "held back"),
}
SWITCHES = {
    "receipts_enabled": ("Receipts", "After each payment, and when one is voided or refunded"),
    "low_balance_enabled": ("Warnings of a low balance", "Once each time a balance falls below the threshold"),
    "reminders_enabled": ("Reminders", "By the schedule under Reminders"),
}
# Their links are kept nowhere, so they cannot be sent again.
ONCE = ("invitation", "password_reset")


def can_go_again(mail: dict[str, Any]) -> bool:
    """Whether a mail may be sent again from the list."""
    return mail["status"] != "queued" and mail["to"] is not None and mail["kind"] not in ONCE
