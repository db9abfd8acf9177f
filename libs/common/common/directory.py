"""The local copy of businesses and clients that a service other than billing keeps from events.

The newest `sequence` wins, so the order of arrival does not matter. Where the copy has not caught up, an edge asks
billing once (`Directory`), and a handler raises Retry (`client_of`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Date, Index, MetaData, String, Text, or_, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from common.db import IN_CHUNK, NAMING, BigId, insert_or, is_one_of
from common.errors import NotFound
from common.events import Event
from common.events.billing import BusinessRegistered, BusinessUpdated, ClientRegistered, ClientUpdated
from common.inbox import Handlers, Retry
from common.runtime import Runtime
from common.standing import effective_status

MIGRATIONS = Path(__file__).parent / "migrations" / "directory"


class DirectoryModel(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class Business(DirectoryModel):
    """A business as its newest event told of it."""

    __tablename__ = "directory_businesses"

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigId)
    name: Mapped[str] = mapped_column(Text)
    currency: Mapped[str] = mapped_column(String(3))
    time_zone: Mapped[str] = mapped_column(String(64))
    reply_to_email: Mapped[str | None] = mapped_column(Text)


class Client(DirectoryModel):
    """A client as its newest event told of it."""

    __tablename__ = "directory_clients"
    __table_args__ = (
        Index("ix_directory_clients_name", "business_id", "name"),
        Index("ix_directory_clients_email", "business_id", "email_folded"),
        Index("ix_directory_clients_external_ref", "business_id", "external_ref"),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigId)
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    email_folded: Mapped[str | None] = mapped_column(Text)
    external_ref: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(10))
    inactive_on: Mapped[date | None] = mapped_column(Date)


@dataclass(frozen=True)
class BusinessFacts:
    """What an edge needs of a business."""

    business_id: str
    name: str
    currency: str
    time_zone: str
    reply_to_email: str | None


@dataclass(frozen=True)
class ClientFacts:
    """What an edge needs of a client."""

    client_id: str
    name: str
    email: str | None
    external_ref: str | None
    status: str
    inactive_on: date | None

    def is_inactive(self, today: date) -> bool:
        return effective_status(self.status, self.inactive_on, today) == "inactive"


def keep_businesses(events: Sequence[BusinessRegistered | BusinessUpdated], session: Session) -> None:
    """Keep the newest of each business."""
    _keep_newest(session, Business, ("business_id",), [
        {
            "business_id": event.business_id,
            "sequence": event.sequence,
            "name": event.name,
            "currency": event.currency,
            "time_zone": event.time_zone,
            "reply_to_email": event.reply_to_email,
        }
        for event in _newest(events)
    ])  # fmt: skip


def keep_clients(events: Sequence[ClientRegistered | ClientUpdated], session: Session) -> None:
    """Keep the newest of each client."""
    _keep_newest(session, Client, ("business_id", "client_id"), [
        {
            "business_id": event.business_id,
            "client_id": event.client_id,
            "sequence": event.sequence,
            "name": event.name,
            "email": event.email,
            "email_folded": event.email.casefold() if event.email else None,
            "external_ref": event.external_ref,
            "status": event.status,
            "inactive_on": event.inactive_on,
        }
        for event in _newest(events)
    ])  # fmt: skip


HANDLERS: Handlers = {
    BusinessRegistered: keep_businesses,
    BusinessUpdated: keep_businesses,
    ClientRegistered: keep_clients,
    ClientUpdated: keep_clients,
}


def _newest(events: Iterable[Any]) -> list[Any]:
    newest: dict[tuple[str, str], Event] = {}
    for event in events:
        key = (event.business_id, event.subject)
        if key not in newest or newest[key].sequence < event.sequence:
            newest[key] = event
    return [newest[key] for key in sorted(newest)]


def _keep_newest(session: Session, table: Any, key: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    statement = insert_or(session, table)
    changes = {name: statement.excluded[name] for name in rows[0] if name not in key}
    session.execute(
        statement.on_conflict_do_update(
            index_elements=list(key), set_=changes, where=table.sequence < statement.excluded.sequence
        ),
        list(rows),
    )


def businesses_of(session: Session, business_ids: Iterable[str]) -> dict[str, Business]:
    """business id → the copy of the business, for handlers; raises Retry while one is missing."""
    wanted = set(business_ids)
    rows = session.scalars(select(Business).where(Business.business_id.in_(wanted)))
    found = {business.business_id: business for business in rows}
    missing = wanted - found.keys()
    if missing:
        raise Retry(f"business {next(iter(missing))} is not known here yet")
    return found


def clients_of(session: Session, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Client]:
    """(business id, client id) → the copy of the client, for handlers; raises Retry while one is missing."""
    wanted = set(keys)
    ids = {client_id for _, client_id in wanted}
    found = {
        (client.business_id, client.client_id): client
        for client in session.scalars(select(Client).where(Client.client_id.in_(ids)))
    }
    missing = wanted - found.keys()
    if missing:
        raise Retry(f"client {next(iter(missing))[1]} is not known here yet")
    return {key: found[key] for key in wanted}


class Directory:
    """Look-ups for one request: the copy first, then billing, asked once."""

    def __init__(self, runtime: Runtime, session: Session, business_id: str) -> None:
        self._runtime = runtime
        self._session = session
        self._business_id = business_id

    def business(self) -> BusinessFacts:
        """The business, or NotFound."""
        # Plain rows, here and below: loading entities costs more than the query.
        found = select(Business.__table__).where(Business.business_id == self._business_id)
        row = self._session.connection().execute(found).one_or_none()
        if row is not None:
            return BusinessFacts(row.business_id, row.name, row.currency, row.time_zone, row.reply_to_email)
        answer = self._ask("GET", "")
        if answer is None:
            raise NotFound("not_found", "There is no such business.")
        return BusinessFacts(
            answer["id"],
            answer["name"],
            answer["currency"],
            answer["time_zone"],
            answer.get("reply_to_email"),
        )

    def client(self, client_id: str) -> ClientFacts | None:
        """One client by id; None when there is none."""
        row = self._session.get(Client, (self._business_id, client_id))
        if row is not None:
            return _facts(row)
        return self.match([client_id]).get(client_id, [None])[0]

    def match(self, references: Sequence[str]) -> dict[str, list[ClientFacts]]:
        """Reference → the clients it fits: by id, e-mail address, external reference or exact name.

        An id fits one client alone; anything else may fit several. What fits nobody is left out.
        """
        wanted = sorted(set(references))
        found = self._local(wanted, [Client.client_id])
        # What is no id may be any of these; most callers send ids, which are one look into the primary key.
        others = [reference for reference in wanted if reference not in found]
        if others:
            found |= self._local(others, [Client.email_folded, Client.external_ref, Client.name])
        missing = [reference for reference in wanted if reference not in found]
        if missing:
            found |= self._remote(missing)
        return found

    def _local(self, wanted: Sequence[str], columns: Sequence[Any]) -> dict[str, list[ClientFacts]]:
        """The clients of the copy of whom one of `columns` is wanted."""
        clients: dict[str, ClientFacts] = {}
        for start in range(0, len(wanted), IN_CHUNK):
            chunk = wanted[start : start + IN_CHUNK]
            folded = [reference.casefold() for reference in chunk]
            fits = [
                is_one_of(self._session, column, folded if column is Client.email_folded else chunk)
                for column in columns
            ]
            rows = self._session.connection().execute(
                select(Client.__table__).where(Client.business_id == self._business_id, or_(*fits))
            )
            clients |= {row.client_id: _facts(row) for row in rows}
        return _index(wanted, clients.values())

    def _remote(self, wanted: Sequence[str]) -> dict[str, list[ClientFacts]]:
        body = {"ids": wanted, "emails": wanted, "external_refs": wanted, "names": wanted}
        answer = self._ask("POST", "/clients/lookup", json=body) or {"items": []}
        clients = [
            ClientFacts(
                item["id"], item["name"], item.get("email"), item.get("external_ref"), item["status"],
                date.fromisoformat(item["inactive_on"]) if item.get("inactive_on") else None,
            )
            for item in answer["items"]
        ]  # fmt: skip
        return _index(wanted, clients)

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        answer = self._runtime.ask(
            "billing", method, f"/v1/businesses/{self._business_id}{path}",
            scope="billing:read", business_id=self._business_id, **options,
        )  # fmt: skip
        return answer.json() if answer.ok else None


def _facts(row: Any) -> ClientFacts:
    return ClientFacts(row.client_id, row.name, row.email, row.external_ref, row.status, row.inactive_on)


def _index(wanted: Iterable[str], clients: Iterable[ClientFacts]) -> dict[str, list[ClientFacts]]:
    by_id: dict[str, ClientFacts] = {}
    by_other: dict[str, dict[str, ClientFacts]] = {}
    for client in clients:
        by_id[client.client_id] = client
        for name in (client.email and "@" + client.email.casefold(), client.external_ref, client.name):
            if name:
                by_other.setdefault(name, {})[client.client_id] = client
    found: dict[str, list[ClientFacts]] = {}
    for reference in wanted:
        if reference in by_id:
            found[reference] = [by_id[reference]]
            continue
        fits = by_other.get(reference, {}) | by_other.get("@" + reference.casefold(), {})
        if fits:
            found[reference] = list(fits.values())
    return found
