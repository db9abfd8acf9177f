"""Transactions: payments, and the refunds and reversals that follow them as transactions of their own."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sandbox.paypal.marks import new_id, payer_id
from sandbox.paypal.money import worded
from sandbox.paypal.store import Store

KIND = "transaction"
# A payment that came to nothing leaves its invoice free.
DEAD = ("Denied", "Failed")


@dataclass(frozen=True)
class Payer:
    """Who paid."""

    id: str = ""
    email: str = ""
    first_name: str = ""
    last_name: str = ""


def payer(email: str, first_name: str = "", last_name: str = "") -> Payer:
    """The payer with this address; one without has an id that comes but once."""
    return Payer(payer_id(email) if email else new_id(13), email, first_name, last_name)


@dataclass(frozen=True)
class Transaction:
    """kind: web_accept, virtual_terminal, send_money …, capture; refund, reversal, canceled_reversal.

    status: IPN's payment_status. fee_minor: what PayPal keeps, less than zero when it gives back. custom: None when
    there is none at all. notify_url: where IPNs of it go, empty for the account's. order: the order of a capture and of
    what follows it. held_minor: what a reversal took. case: the open one. note: for the payer of a refund.
    """

    id: str
    account: str
    kind: str
    status: str
    amount_minor: int
    currency: str
    fee_minor: int
    created: float
    updated: float
    payer: Payer = field(default_factory=Payer)
    parent: str = ""
    invoice: str = ""
    custom: str | None = None
    item_name: str = ""
    item_number: str = ""
    echeck: bool = False
    pending_reason: str = ""
    reason_code: str = ""
    notify_url: str = ""
    order: str = ""
    refunded_minor: int = 0
    held_minor: int = 0
    case: str = ""
    case_kind: str = ""
    note: str = ""

    @property
    def left_minor(self) -> int:
        """What can still be refunded."""
        return self.amount_minor - self.refunded_minor

    def as_dict(self) -> dict[str, Any]:
        """The transaction as the control API shows it."""
        return {
            "txn_id": self.id, "parent_txn_id": self.parent or None, "status": self.status,
            "amount": worded(self.amount_minor, self.currency), "currency": self.currency, "invoice": self.invoice,
            "custom": self.custom or "", "account": self.account, "kind": self.kind, "order_id": self.order or None,
            "fee": worded(self.fee_minor, self.currency), "payer_email": self.payer.email,
        }  # fmt: skip


def add(store: Store, transaction: Transaction) -> Transaction:
    """Keep a new transaction."""
    store.insert(KIND, transaction.id, transaction.account, transaction.created, asdict(transaction))
    return transaction


def save(store: Store, transaction: Transaction, now: float, **changes: Any) -> Transaction:
    """Keep a transaction with these changes."""
    changed = replace(transaction, updated=now, **changes)
    store.update(changed.id, asdict(changed))
    return changed


def find(store: Store, key: str, account: str | None = None) -> Transaction | None:
    """The transaction of this id; account: only if it is this one's."""
    body = store.find(KIND, key, account)
    return read(body) if body is not None else None


def read(body: dict[str, Any]) -> Transaction:
    """The transaction that was kept as JSON."""
    return Transaction(**{**body, "payer": Payer(**body["payer"])})


def listed(store: Store) -> list[Transaction]:
    """All transactions, oldest first."""
    return [read(body) for body in store.all(KIND)]


def invoice_used(store: Store, account: str, invoice: str) -> bool:
    """Whether this invoice was paid on the account before."""
    if not invoice:
        return False
    rows = store.rows(
        "SELECT 1 FROM object WHERE json_extract(body, '$.invoice') = ? AND account = ? AND kind = ?"
        " AND json_extract(body, '$.parent') = '' AND json_extract(body, '$.status') NOT IN (?,?)",
        invoice, account, KIND, *DEAD,
    )  # fmt: skip
    return bool(rows)
