"""What billing can tell: clients, balances, and the ledger explained. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, tuple_
from sqlalchemy.orm import Session

from billing.domain import ledger
from billing.domain.client import effective_status
from billing.models import Business, Client, ClientAccount, Transfer
from common.db import IN_CHUNK
from common.money import describe_balance

KIND_WORDS = {
    "payment": "Payment received",
    "payment_void": "Payment voided",
    "refund": "Refund",
    "adjustment_credit": "Adjustment in the client's favour",
    "adjustment_debit": "Adjustment",
}


@dataclass(frozen=True)
class ClientFilters:
    """Which clients; `today` decides who is inactive by date."""

    business_id: str
    today: date
    status: str | None = None
    q: str | None = None
    client_id: str | None = None
    email: str | None = None
    external_ref: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = [Client.business_id == self.business_id]
        if self.status is not None:
            found.append(_status_is(self.status, self.today))
        if self.client_id is not None:
            found.append(Client.client_id == self.client_id)
        if self.email is not None:
            found.append(Client.email_folded == self.email.casefold())
        if self.external_ref is not None:
            found.append(Client.external_ref == self.external_ref)
        if self.q:
            found.append(
                or_(
                    Client.name.icontains(self.q, autoescape=True),
                    Client.email_folded.contains(self.q.casefold(), autoescape=True),
                    Client.external_ref == self.q,
                )
            )
        return found


@dataclass(frozen=True)
class BalanceFilters(ClientFilters):
    """Which clients, by balance as well."""

    below_minor: int | None = None
    above_minor: int | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found = super().conditions()
        if self.below_minor is not None:
            found.append(ClientAccount.balance_minor < self.below_minor)
        if self.above_minor is not None:
            found.append(ClientAccount.balance_minor > self.above_minor)
        return found


def _status_is(status: str, today: date) -> ColumnElement[bool]:
    inactive = or_(Client.status == "inactive", and_(Client.inactive_on.is_not(None), Client.inactive_on <= today))
    return inactive if status == "inactive" else and_(Client.status == status, ~inactive)


def clients(filters: ClientFilters, after: tuple[Any, ...] | None) -> Select[Client]:
    """Clients by name."""
    query = select(Client).where(*filters.conditions()).order_by(Client.name, Client.client_id)
    return query if after is None else query.where(tuple_(Client.name, Client.client_id) > tuple_(*after))


def find_clients(
    session: Session,
    business_id: str,
    ids: Sequence[str],
    emails: Sequence[str],
    external_refs: Sequence[str],
    names: Sequence[str],
) -> list[Client]:
    """Clients that fit one of the values, by name; each once."""
    found: dict[str, Client] = {}
    for column, values in (
        (Client.client_id, ids),
        (Client.email_folded, [email.casefold() for email in emails]),
        (Client.external_ref, external_refs),
        (Client.name, names),
    ):
        for start in range(0, len(values), IN_CHUNK):
            chunk = values[start : start + IN_CHUNK]
            rows = session.scalars(select(Client).where(Client.business_id == business_id, column.in_(chunk)))
            found |= {client.client_id: client for client in rows}
    return sorted(found.values(), key=lambda client: (client.name, client.client_id))


def balance(session: Session, business_id: str, client_id: str) -> dict[str, Any] | None:
    """A client's figures in minor units; None when there is no such client."""
    row = session.execute(
        select(
            Business.currency,
            ClientAccount.balance_minor,
            Client.threshold_minor,
            Business.threshold_minor,
        )
        .join(Client, Client.business_id == Business.business_id)
        .join(ClientAccount, _same_client())
        .where(Business.business_id == business_id, Client.client_id == client_id)
    ).one_or_none()
    if row is None:
        return None
    currency, balance_minor, own_threshold_minor, business_threshold_minor = row
    # Nothing can be reserved or provisional before there are sessions and gateways.
    reserved_minor = provisional_minor = 0
    return {
        "client_id": client_id,
        "currency": currency,
        "balance_minor": balance_minor,
        "reserved_minor": reserved_minor,
        "provisional_minor": provisional_minor,
        "available_minor": balance_minor - reserved_minor,
        "threshold_minor": business_threshold_minor if own_threshold_minor is None else own_threshold_minor,
    }


def entries(business_id: str, client_id: str, first: date | None, last: date | None, after: int) -> Select[Transfer]:
    """A client's transfers in order; `first` and `last` bound the effective date."""
    query = select(Transfer).where(
        Transfer.business_id == business_id, Transfer.client_id == client_id, Transfer.sequence > after
    )
    if first is not None:
        query = query.where(Transfer.effective_on >= first)
    if last is not None:
        query = query.where(Transfer.effective_on <= last)
    return query.order_by(Transfer.sequence)


def explain(transfer: Transfer, payments_url: str) -> dict[str, Any]:
    """A transfer in words, with a link to where it came from."""
    source_kind, _, source_id = transfer.source.partition(":")
    favour = transfer.credit_account == ledger.client_account(transfer.client_id)
    href = f"{payments_url}/v1/businesses/{transfer.business_id}/payments/{source_id}"
    return {
        "sequence": transfer.sequence,
        "kind": transfer.kind,
        "description": KIND_WORDS.get(transfer.kind, transfer.kind),
        "memo": transfer.memo,
        "change_minor": transfer.amount_minor if favour else -transfer.amount_minor,
        "balance_after_minor": transfer.balance_after_minor,
        "currency": transfer.currency,
        "debit_account": transfer.debit_account,
        "credit_account": transfer.credit_account,
        "effective_on": transfer.effective_on,
        "recorded_at": transfer.recorded_at,
        "recorded_by": orjson.loads(transfer.recorded_by) if transfer.recorded_by else None,
        "source": {
            "type": source_kind,
            "id": source_id,
            "href": href if source_kind in ("payment", "payment-void") else None,
        },
    }


def balances(
    filters: BalanceFilters, sort: str, after: tuple[Any, ...] | None
) -> Select[str, str, str | None, str, date | None, int]:
    """Clients with their balances, in the order asked for."""
    query = (
        select(
            Client.client_id,
            Client.name,
            Client.email,
            Client.status,
            Client.inactive_on,
            ClientAccount.balance_minor,
        )
        .join(ClientAccount, _same_client())
        .where(*filters.conditions())
    )
    if sort == "name":
        query = query.order_by(Client.name, Client.client_id)
        return query if after is None else query.where(tuple_(Client.name, Client.client_id) > tuple_(*after))
    key = tuple_(ClientAccount.balance_minor, ClientAccount.client_id)
    if sort == "balance":
        query = query.order_by(ClientAccount.balance_minor, ClientAccount.client_id)
        return query if after is None else query.where(key > tuple_(*after))
    query = query.order_by(ClientAccount.balance_minor.desc(), ClientAccount.client_id.desc())
    return query if after is None else query.where(key < tuple_(*after))


def balance_line(row: Any, currency: str, today: date) -> dict[str, Any]:
    return {
        "client_id": row.client_id,
        "client_name": row.name,
        "email": row.email,
        "status": effective_status(row.status, row.inactive_on, today),
        "balance_minor": row.balance_minor,
        "currency": currency,
        "in_words": describe_balance(row.balance_minor, currency),
    }


def balance_totals(session: Session, filters: BalanceFilters) -> dict[str, int]:
    """What the clients owe, and what they have paid ahead, both as positive sums."""
    balance_minor = ClientAccount.balance_minor
    row = session.execute(
        select(
            func.coalesce(func.sum(case((balance_minor < 0, -balance_minor), else_=0)), 0),
            func.coalesce(func.sum(case((balance_minor > 0, balance_minor), else_=0)), 0),
            func.count(),
        )
        .select_from(Client)
        .join(ClientAccount, _same_client())
        .where(*filters.conditions())
    ).one()
    return {"owed_minor": int(row[0]), "prepaid_minor": int(row[1]), "clients": row[2]}


def _same_client() -> ColumnElement[bool]:
    return and_(ClientAccount.business_id == Client.business_id, ClientAccount.client_id == Client.client_id)
