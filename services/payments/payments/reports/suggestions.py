"""Whom the money on a page of the tray may be of. However many lines, the number of queries is the same."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Row, Select, func, or_, select
from sqlalchemy.orm import Session

from common.directory import Client
from payments.domain import invoice as rules
from payments.domain import suggestion
from payments.domain.gateway import Payer
from payments.domain.suggestion import Line, Shelf, Suggestion
from payments.models import Invoice, Unmatched
from payments.reports import payers

# What one page looks at: numbers that are nearly a typed one, clients of a kind, invoices of one amount or client.
NEAR_NUMBERS = 5_000
CLIENTS_READ = 1_000
INVOICES_EACH = 20


@dataclass(frozen=True)
class Page:
    """What is known of the lines of a page: client id → client, and by line what is suggested and remembered."""

    clients: Mapping[str, Client]
    remembered: Mapping[str, str]
    suggested: Mapping[str, Sequence[Suggestion]]
    referred: Mapping[str, Sequence[Client]]


def of_page(session: Session, business_id: str, rows: Sequence[Unmatched]) -> Page:
    """For the open ones of the rows, whom they may be of; for all of them, who is remembered."""
    known = payers.remembered(session, [Payer.of(row) for row in rows])
    remembered = {row.unmatched_id: known[payer] for row in rows if (payer := Payer.of(row)) in known and payer}
    lines = {row.unmatched_id: _line(row, remembered.get(row.unmatched_id)) for row in rows if row.state == "open"}
    shelf = Shelf.of(_invoices(session, business_id, list(lines.values())))
    suggested = {unmatched_id: suggestion.suggest(line, shelf) for unmatched_id, line in lines.items()}
    named = {one.client_id for found in suggested.values() for one in found} | set(remembered.values())
    return Page(
        _clients(session, business_id, named), remembered, suggested,
        _referred(session, business_id, [row for row in rows if row.state == "open"]),
    )  # fmt: skip


def _line(row: Unmatched, remembered: str | None) -> Line:
    ids = orjson.loads(row.payer_client_ids) if row.payer_client_ids else []
    return Line(row.amount_minor, row.currency, row.invoice_tidied, row.client_id, remembered, ids)


def _invoices(session: Session, business_id: str, lines: Sequence[Line]) -> list[Row[Any]]:
    """What the lines may pay: of their numbers, nearly of their numbers, of their amounts, of their payers."""
    numbers = {line.tidied for line in lines if line.tidied}
    near = list(dict.fromkeys(other for number in sorted(numbers) for other in sorted(rules.near(number))))
    ids = {one for line in lines for one in (line.remembered, line.client_id, *line.payer_client_ids) if one}
    is_pending = Invoice.state == "pending"
    queries = [
        _few(business_id, Invoice.tidied, Invoice.tidied.in_(numbers)),
        _few(business_id, Invoice.tidied, is_pending, Invoice.tidied.in_(near[:NEAR_NUMBERS])),
        _few(
            business_id, Invoice.outstanding_minor, is_pending,
            Invoice.outstanding_minor.in_({line.amount_minor for line in lines}),
        ),
        _few(business_id, Invoice.client_id, is_pending, Invoice.client_id.in_(ids)),
    ]  # fmt: skip
    return [row for query in queries for row in session.execute(query)]


def _few(business_id: str, each: ColumnElement[Any] | Any, *fits: ColumnElement[bool]) -> Select[Any]:
    """The invoices that fit, the oldest few of each."""
    place = func.row_number().over(partition_by=each, order_by=Invoice.number).label("place")
    found = select(Invoice.__table__, place).where(Invoice.business_id == business_id, *fits).subquery()
    return select(found).where(found.c.place <= INVOICES_EACH)


def _clients(session: Session, business_id: str, ids: Iterable[str]) -> dict[str, Client]:
    found = select(Client).where(Client.business_id == business_id, Client.client_id.in_(set(ids)))
    return {client.client_id: client for client in session.scalars(found)}


def _referred(session: Session, business_id: str, rows: Sequence[Unmatched]) -> dict[str, list[Client]]:
    """Unmatched id → clients whom the gateway named, or whom the money's reference fits by id, address, external
    reference or exact name."""
    words = {row.unmatched_id: [word for word in (row.client_id, row.reference) if word] for row in rows}
    named = {word for found in words.values() for word in found}
    fits = or_(
        Client.client_id.in_(named),
        Client.external_ref.in_(named),
        Client.name.in_(named),
        Client.email_folded.in_({word.casefold() for word in named}),
    )
    query = select(Client).where(Client.business_id == business_id, fits).order_by(Client.name, Client.client_id)
    by_word: dict[str, dict[str, Client]] = {}
    for client in session.scalars(query.limit(CLIENTS_READ)):
        for word in (client.client_id, client.external_ref, client.name):
            if word:
                by_word.setdefault(word, {})[client.client_id] = client
        if client.email_folded:
            by_word.setdefault("@" + client.email_folded, {})[client.client_id] = client
    return {unmatched_id: _who(found, by_word) for unmatched_id, found in words.items()}


def _who(words: Sequence[str], by_word: Mapping[str, dict[str, Client]]) -> list[Client]:
    found: dict[str, Client] = {}
    for word in words:
        found |= by_word.get(word, {}) | by_word.get("@" + word.casefold(), {})
    return sorted(found.values(), key=lambda client: (client.name, client.client_id))[: suggestion.SUGGESTED]


def as_json(page: Page, unmatched_id: str) -> dict[str, Any]:
    """What the API shows of it beside a line. A client of whom nothing is known here is left out."""
    remembered = page.clients.get(page.remembered.get(unmatched_id, ""))
    return {
        "remembered_client": remembered and {"client_id": remembered.client_id, "client_name": remembered.name},
        "suggestions": [
            {
                "client_id": one.client_id,
                "client_name": page.clients[one.client_id].name,
                "invoice_number": one.invoice_number,
                "outstanding_minor": one.outstanding_minor,
                "why": list(one.why),
            }
            for one in page.suggested.get(unmatched_id, [])
            if one.client_id in page.clients
        ],
        "suggested": [
            {"client_id": client.client_id, "name": client.name, "external_ref": client.external_ref}
            for client in page.referred.get(unmatched_id, [])
        ],
    }
