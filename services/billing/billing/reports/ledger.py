"""The ledger explained: a client's entries with words and with links to where they came from."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Select, select

from billing.domain import ledger
from billing.models import Transfer

KIND_WORDS = {
    "payment": "Payment received",
    "payment_void": "Payment voided",
    "refund": "Refund",
    "refund_reversal": "Refund that came back",
    "funds_withdrawn": "Taken back by the bank, the payment is disputed",
    "funds_reinstated": "Given back by the bank after a dispute",
    "adjustment_credit": "Adjustment in the client's favour",
    "adjustment_debit": "Adjustment",
    "session_completed": "Session",
    "session_missed": "Missed session",
    "session_cancelled": "Session taken back",
    "invoice": "Charge on an invoice",
    "invoice_void": "Charge taken back, its invoice is void",
}

# Where a source is to be seen: service and path. A void is its payment's, a cancellation its session's.
LINKS = {
    "payment": ("payments", "payments"),
    "payment-void": ("payments", "payments"),
    "refund": ("payments", "payments"),
    "refund-reversal": ("payments", "payments"),
    "funds": ("payments", "payments"),
    "session": ("billing", "sessions"),
    "session-cancel": ("billing", "sessions"),
    "invoice": ("billing", "invoices"),
    "invoice-void": ("billing", "invoices"),
}


@dataclass(frozen=True)
class EntryFilters:
    """Which of a client's transfers; `first` and `last` bound the effective date."""

    business_id: str
    client_id: str
    first: date | None = None
    last: date | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = [
            Transfer.business_id == self.business_id,
            Transfer.client_id == self.client_id,
        ]
        if self.first is not None:
            found.append(Transfer.effective_on >= self.first)
        if self.last is not None:
            found.append(Transfer.effective_on <= self.last)
        return found


def entries(filters: EntryFilters, sort: str, after: int | None) -> Select[Transfer]:
    """A client's transfers in order, or with `-sequence` the newest first; `after` is the sequence to go on from."""
    query = select(Transfer).where(*filters.conditions())
    if sort == "-sequence":
        query = query.order_by(Transfer.sequence.desc())
        return query if after is None else query.where(Transfer.sequence < after)
    query = query.order_by(Transfer.sequence)
    return query if after is None else query.where(Transfer.sequence > after)


def explain(transfer: Transfer, url_of: Callable[[str], str]) -> dict[str, Any]:
    """A transfer in words, with a link to where it came from; `url_of` tells a service's address."""
    source_kind, _, source_id = transfer.source.partition(":")
    favour = transfer.credit_account == ledger.client_account(transfer.client_id)
    return {
        "sequence": transfer.sequence,
        "kind": transfer.kind,
        "description": describe(transfer),
        "memo": transfer.memo,
        "change_minor": transfer.amount_minor if favour else -transfer.amount_minor,
        "balance_after_minor": transfer.balance_after_minor,
        "currency": transfer.currency,
        "debit_account": transfer.debit_account,
        "credit_account": transfer.credit_account,
        "effective_on": transfer.effective_on,
        "recorded_at": transfer.recorded_at,
        "recorded_by": orjson.loads(transfer.recorded_by) if transfer.recorded_by else None,
        "payment_id": transfer.payment_id,
        "source": {"type": source_kind, "id": source_id, "href": _href(transfer, source_kind, source_id, url_of)},
    }


def describe(transfer: Transfer) -> str:
    """What a transfer is, in a few words."""
    return KIND_WORDS.get(transfer.kind, transfer.kind)


def _href(transfer: Transfer, source_kind: str, source_id: str, url_of: Callable[[str], str]) -> str | None:
    if source_kind not in LINKS:
        return None
    service, path = LINKS[source_kind]
    shown_id = transfer.payment_id or source_id
    return f"{url_of(service)}/v1/businesses/{transfer.business_id}/{path}/{shown_id}"
