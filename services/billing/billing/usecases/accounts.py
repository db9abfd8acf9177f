"""Clients' accounts, locked: what they hold, what is reserved of it, and what crossing a threshold tells.

Whatever changes a client's money or sessions locks the account first, in id order, before any other row.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, select, tuple_, update
from sqlalchemy.orm import Session

from billing.domain import ledger
from billing.domain.gate import Gate
from billing.models import Business, Client, ClientAccount
from common.errors import NotFound
from common.events.billing import GateOpened
from common.outbox import emit

Key = tuple[str, str]


# Made once: what is asked of every batch costs as much to write as to run.
_ACCOUNTS = (
    select(
        ClientAccount.business_id,
        ClientAccount.client_id,
        Business.currency,
        ClientAccount.balance_minor,
        ClientAccount.scheduled_minor,
        ClientAccount.refunding_minor,
        ClientAccount.sequence,
        Client.threshold_minor.label("own_minor"),
        Business.threshold_minor,
        Business.prepayment_required,
        Business.reserve_scheduled,
        Business.apply_credit_automatically,
    )
    .join(
        Client,
        (Client.business_id == ClientAccount.business_id) & (Client.client_id == ClientAccount.client_id),
    )
    .join(Business, Business.business_id == ClientAccount.business_id)
    .where(tuple_(ClientAccount.business_id, ClientAccount.client_id).in_(bindparam("wanted", expanding=True)))
    .order_by(ClientAccount.business_id, ClientAccount.client_id)
)
_LOCKED = _ACCOUNTS.with_for_update(of=ClientAccount)
_STORED = (
    update(ClientAccount.__table__)  # type: ignore[arg-type]
    .where(ClientAccount.business_id == bindparam("b"), ClientAccount.client_id == bindparam("c"))
    .values(
        balance_minor=bindparam("balance"),
        scheduled_minor=bindparam("scheduled"),
        refunding_minor=bindparam("refunding"),
        sequence=bindparam("last"),
    )
)


class UnknownClient(Exception):
    """A client, or a business, that is not there."""


@dataclass(slots=True)
class Account:
    """A locked account. `watched_minor`: the threshold whose crossing is announced, if one is."""

    business_id: str
    client_id: str
    currency: str
    balance_minor: int
    scheduled_minor: int
    refunding_minor: int
    sequence: int
    watched_minor: int | None
    gate: Gate
    applies_credit: bool
    was_shut: bool = field(init=False)

    def __post_init__(self) -> None:
        self.was_shut = self.is_shut

    @property
    def reserved_minor(self) -> int:
        """Scheduled sessions, where the business reserves for them, and refunds under way."""
        return self.refunding_minor + (self.scheduled_minor if self.gate.reserve_scheduled else 0)

    @property
    def available_minor(self) -> int:
        return self.balance_minor - self.reserved_minor

    @property
    def is_shut(self) -> bool:
        return self.gate.shortfall_minor(self.available_minor) > 0


def lock(session: Session, keys: Iterable[Key]) -> dict[Key, Account]:
    """Lock the accounts of these clients, in id order. Raises UnknownClient."""
    wanted = sorted(set(keys))
    rows = session.execute(_LOCKED, {"wanted": wanted})
    accounts = {(row.business_id, row.client_id): _account(row) for row in rows}
    for business_id, client_id in wanted:
        if (business_id, client_id) not in accounts:
            raise UnknownClient(f"business {business_id} has no client {client_id}")
    return accounts


def look(session: Session, business_id: str, client_id: str) -> Account:
    """What a client's account holds, without locking it: for showing, not for changing. Raises NotFound."""
    row = session.execute(_ACCOUNTS, {"wanted": [(business_id, client_id)]}).one_or_none()
    if row is None:
        raise NotFound("not_found", "There is no such client.")
    return _account(row)


def lock_one(session: Session, business_id: str, client_id: str) -> Account:
    """Lock one client's account. Raises NotFound."""
    try:
        return lock(session, [(business_id, client_id)])[business_id, client_id]
    except UnknownClient:
        raise NotFound("not_found", "There is no such client.") from None


def _account(row: Any) -> Account:
    return Account(
        business_id=row.business_id,
        client_id=row.client_id,
        currency=row.currency,
        balance_minor=row.balance_minor,
        scheduled_minor=row.scheduled_minor,
        refunding_minor=row.refunding_minor,
        sequence=row.sequence,
        watched_minor=ledger.watched_threshold(row.own_minor, row.threshold_minor, row.prepayment_required),
        gate=Gate(
            row.prepayment_required,
            row.reserve_scheduled,
            row.threshold_minor if row.own_minor is None else row.own_minor,
        ),
        applies_credit=row.apply_credit_automatically,
    )


def store(session: Session, accounts: Sequence[Account]) -> None:
    """Store what the accounts hold now, and tell of gates that opened since they were locked."""
    if not accounts:
        return
    session.connection().execute(
        _STORED,
        [
            {
                "b": account.business_id,
                "c": account.client_id,
                "balance": account.balance_minor,
                "scheduled": account.scheduled_minor,
                "refunding": account.refunding_minor,
                "last": account.sequence,
            }
            for account in accounts
        ],
    )
    opened = [account for account in accounts if account.was_shut and not account.is_shut]
    for account in accounts:
        account.was_shut = account.is_shut
    emit(session, "billing", [
        GateOpened(
            business_id=account.business_id,
            client_id=account.client_id,
            available_minor=account.available_minor,
            threshold_minor=account.gate.threshold_minor,
            currency=account.currency,
            sequence=max(account.sequence, 1),
        )
        for account in opened
    ])  # fmt: skip
