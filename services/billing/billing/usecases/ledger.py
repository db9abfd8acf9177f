"""Booking: the one function that locks, posts, totals, detects crossings and emits."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import bindparam, select, tuple_, update
from sqlalchemy.orm import Session

from billing.domain import ledger
from billing.domain.ledger import Posting
from billing.models import Business, Client, ClientAccount, Transfer
from common import clock
from common.db import bulk_insert
from common.errors import NotFound
from common.events import Event, caused_by
from common.events.billing import BalanceBelowThreshold, BalanceChanged, BalanceRestored
from common.ids import new_id
from common.outbox import emit

Key = tuple[str, str]


class _Account:
    """A locked client account while entries are booked on it."""

    __slots__ = ("balance_minor", "sequence", "threshold_minor")

    def __init__(self, balance_minor: int, sequence: int, threshold_minor: int | None) -> None:
        self.balance_minor = balance_minor
        self.sequence = sequence
        self.threshold_minor = threshold_minor


class UnknownClient(Exception):
    """A posting for a client, or a business, that is not there."""


def book(session: Session, postings: Sequence[Posting]) -> None:
    """Post each transfer once and move its client's balance; a source already posted is left alone.

    Locks the client accounts in id order first. Raises UnknownClient. Emits BalanceChanged for every transfer and
    BalanceBelowThreshold or BalanceRestored on crossings only.
    """
    accounts = _lock(session, sorted({(posting.business_id, posting.client_id) for posting in postings}))
    new = _not_posted_yet(session, postings)
    now = clock.now()
    rows: list[dict[str, Any]] = []
    events: list[Event] = []
    for posting in new:
        account = accounts[posting.business_id, posting.client_id]
        account.balance_minor += posting.change_minor
        account.sequence += 1
        rows.append(
            {
                "business_id": posting.business_id,
                "client_id": posting.client_id,
                "sequence": account.sequence,
                "debit_account": posting.debit_account,
                "credit_account": posting.credit_account,
                "amount_minor": posting.amount_minor,
                "currency": posting.currency,
                "kind": posting.kind,
                "source": posting.source,
                "line": posting.line,
                "effective_on": posting.effective_on,
                "recorded_at": now,
                "recorded_by": orjson.dumps(posting.recorded_by).decode() if posting.recorded_by else None,
                "memo": posting.memo,
                "balance_after_minor": account.balance_minor,
            }
        )
        events += _events_of(posting, account)
    bulk_insert(session, Transfer.__table__, rows)  # type: ignore[arg-type]
    _store_totals(session, {(posting.business_id, posting.client_id) for posting in new}, accounts)
    emit(session, "billing", events)


def _lock(session: Session, keys: Sequence[Key]) -> dict[Key, _Account]:
    rows = session.execute(
        select(
            ClientAccount.business_id,
            ClientAccount.client_id,
            ClientAccount.balance_minor,
            ClientAccount.sequence,
            Client.threshold_minor,
            Business.threshold_minor,
            Business.prepayment_required,
        )
        .join(
            Client,
            (Client.business_id == ClientAccount.business_id) & (Client.client_id == ClientAccount.client_id),
        )
        .join(Business, Business.business_id == ClientAccount.business_id)
        .where(tuple_(ClientAccount.business_id, ClientAccount.client_id).in_(keys))
        .order_by(ClientAccount.business_id, ClientAccount.client_id)
        .with_for_update(of=ClientAccount)
    )
    accounts = {
        (row[0], row[1]): _Account(row[2], row[3], ledger.watched_threshold(row[4], row[5], row[6])) for row in rows
    }
    for business_id, client_id in keys:
        if (business_id, client_id) not in accounts:
            raise UnknownClient(f"business {business_id} has no client {client_id}")
    return accounts


def _not_posted_yet(session: Session, postings: Sequence[Posting]) -> list[Posting]:
    """The postings whose source is not in the ledger, each once. Callers hold the client's lock, so none slips in."""
    posted: set[tuple[str, str, int]] = {
        (row[0], row[1], row[2])
        for row in session.execute(
            select(Transfer.business_id, Transfer.source, Transfer.line).where(
                Transfer.business_id.in_({posting.business_id for posting in postings}),
                Transfer.source.in_({posting.source for posting in postings}),
            )
        )
    }
    new = []
    for posting in postings:
        key = (posting.business_id, posting.source, posting.line)
        if key not in posted:
            posted.add(key)
            new.append(posting)
    return new


def _events_of(posting: Posting, account: _Account) -> list[Event]:
    cause = caused_by(posting.cause) if posting.cause else {}
    about = {
        "business_id": posting.business_id,
        "client_id": posting.client_id,
        "balance_minor": account.balance_minor,
        "currency": posting.currency,
        "sequence": account.sequence,
        "entry_source": posting.source,
        **cause,
    }
    events: list[Event] = [BalanceChanged(change_minor=posting.change_minor, **about)]
    before_minor = account.balance_minor - posting.change_minor
    fell = ledger.crossing(before_minor, account.balance_minor, account.threshold_minor)
    if fell is not None:
        told = BalanceBelowThreshold if fell else BalanceRestored
        cause_id = posting.cause.event_id if posting.cause else None
        events.append(told(threshold_minor=account.threshold_minor, cause_event_id=cause_id, **about))
    return events


def _store_totals(session: Session, keys: set[Key], accounts: dict[Key, _Account]) -> None:
    if not keys:
        return
    session.connection().execute(
        update(ClientAccount)
        .where(ClientAccount.business_id == bindparam("b"), ClientAccount.client_id == bindparam("c"))
        .values(balance_minor=bindparam("balance"), sequence=bindparam("last")),
        [
            {
                "b": key[0],
                "c": key[1],
                "balance": accounts[key].balance_minor,
                "last": accounts[key].sequence,
            }
            for key in sorted(keys)
        ],
    )


def adjust(
    session: Session,
    business: Business,
    client_id: str,
    kind: str,
    amount_minor: int,
    reason: str,
    actor: dict[str, Any],
) -> str:
    """Book a correction; answers its id. Raises NotFound for an unknown client."""
    adjustment_id = new_id()
    posting = ledger.adjustment(
        business.business_id, client_id, adjustment_id, kind, amount_minor, business.currency,
        clock.today(business.time_zone), reason, actor,
    )  # fmt: skip
    try:
        book(session, [posting])
    except UnknownClient:
        raise NotFound("not_found", "There is no such client.") from None
    return adjustment_id
