"""A statement of account's content, pure: what its PDF says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True)
class StatementDocumentLine:
    """One entry of the ledger: what it did to the balance, and the balance after it."""

    day: date
    description: str
    change_text: str
    balance_text: str


@dataclass(frozen=True)
class StatementDocument:
    """A client's account from the day `first` to the day `last`, both included; the texts are already formatted.

    `opening_text` and `closing_text` are balances in words that follow the client's name, such as "has $30.00
    left". `adjusted_text` is None where nothing was adjusted. `issued_at` is in UTC and is shown in `time_zone` (an
    IANA name).
    """

    business_name: str
    client_name: str
    first: date
    last: date
    issued_at: datetime
    time_zone: str
    currency: str
    opening_text: str
    closing_text: str
    received_text: str
    charged_text: str
    lines: Sequence[StatementDocumentLine]
    adjusted_text: str | None = None
    reply_to_email: str | None = None
