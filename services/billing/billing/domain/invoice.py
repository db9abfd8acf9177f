"""An invoice's rules, pure: its number, its state, and how money is spread over invoices and taken off again.

Invoices ask for money; they do not move it. What pays one is an allocation of money that the client has paid.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from common.invoice_number import tidy

PREFIX = "INV-"
MAX_DIGITS = 9
# Income of lines that name no service.
OTHER_INCOME = "other"


class Figures(Protocol):
    """What an invoice's state is derived from."""

    status: str
    total_minor: int
    paid_minor: int
    due_on: date | None


@dataclass(frozen=True, slots=True)
class Held:
    """Money allocated to an invoice and not taken off it."""

    allocation_id: str
    invoice_id: str
    amount_minor: int


def format_number(number: int) -> str:
    """12 → INV-000012."""
    return f"{PREFIX}{number:06}"


def parse_number(text: str) -> int | None:
    """The number that people mean by `inv 12`, `#INV-000012` or `12`; None when it is none."""
    tidied = tidy(text) or ""
    is_number = tidied.isascii() and tidied.isdigit() and len(tidied) <= MAX_DIGITS
    return int(tidied) or None if is_number else None


def outstanding_minor(invoice: Figures) -> int:
    """What is still asked for; nothing for a draft or a void invoice."""
    return invoice.total_minor - invoice.paid_minor if invoice.status in ("pending", "paid") else 0


def is_overdue(invoice: Figures, today: date) -> bool:
    return invoice.status == "pending" and invoice.due_on is not None and invoice.due_on < today


def why_not_payable(invoice: Any, client_id: str) -> str | None:
    """Why money for this invoice stays credit, as a stable word; None when it can be allocated."""
    if invoice is None or invoice.status == "draft":
        return "invoice_unknown"
    if invoice.client_id != client_id:
        return "invoice_of_another_client"
    if invoice.status == "void":
        return "invoice_void"
    return "invoice_paid" if invoice.status == "paid" else None


def spread(amount_minor: int, owed: Sequence[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """Share `amount_minor` out over (key, owed_minor), the first first; (key, share_minor) of what gets some."""
    for key, owed_minor in owed:
        share_minor = min(amount_minor, owed_minor)
        if share_minor > 0:
            amount_minor -= share_minor
            yield key, share_minor


def release(excess_minor: int, held: Sequence[Held]) -> Iterator[tuple[Held, int]]:
    """Take `excess_minor` off allocations, the newest (last) first; (allocation, minor units taken off)."""
    for allocation in reversed(held):
        taken_minor = min(excess_minor, allocation.amount_minor)
        if taken_minor > 0:
            excess_minor -= taken_minor
            yield allocation, taken_minor
