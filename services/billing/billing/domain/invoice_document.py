"""An invoice's content, pure: what its PDF says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal


@dataclass(frozen=True)
class InvoiceDocumentLine:
    """One billed thing, such as a session, and its day where it has one."""

    description: str
    day: date | None
    amount_text: str


@dataclass(frozen=True)
class InvoiceDocument:
    """What an invoice says. The `_text` amounts are already formatted for the reader.

    `number` is such as "INV-000012", and empty for a draft; so is `issued_on`. `created_at` is in UTC and is shown in
    `time_zone` (an IANA name) where nothing was issued. `is_overdue` and `pay_url` count only while the invoice is
    pending.
    """

    business_name: str
    client_name: str
    number: str
    status: Literal["draft", "pending", "paid", "void"]
    is_overdue: bool
    issued_on: date | None
    due_on: date | None
    created_at: datetime
    time_zone: str
    currency: str
    lines: Sequence[InvoiceDocumentLine]
    total_text: str
    paid_text: str
    outstanding_text: str
    pay_url: str | None = None
    memo: str | None = None
    reply_to_email: str | None = None
