"""Whom money in the tray may be of, pure: from its payer, its amount and what was typed, the likeliest first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from payments.domain import invoice as rules
from payments.domain.invoice import Known

SUGGESTED = 5
# Open invoices of one client that are offered for no better reason.
OPEN_OFFERED = 3
# What each reason counts, and the order in which reasons are told. A payer weighs most; a number nearly right for
# exactly what is asked weighs more than an e-mail address alone.
WEIGHTS = {"remembered_payer": 16, "payer_email": 8, "invoice_like": 4, "amount": 5, "open_invoice": 1}


class Asking(Known, Protocol):
    """An invoice, and what it still asks for."""

    @property
    def tidied(self) -> str: ...
    @property
    def currency(self) -> str: ...
    @property
    def outstanding_minor(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Line:
    """What is known of money in the tray. `client_id` is whom the gateway named."""

    amount_minor: int
    currency: str
    tidied: str | None
    client_id: str | None
    remembered: str | None
    payer_client_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A client, perhaps with an invoice, and why: words of `WEIGHTS`."""

    client_id: str
    invoice_number: str | None
    outstanding_minor: int | None
    why: tuple[str, ...]


@dataclass
class Shelf:
    """Invoices that money of one page may pay, each at hand by what it may be found by."""

    by_tidied: dict[str, dict[str, Asking]] = field(default_factory=dict)
    by_outstanding: dict[tuple[str, int], dict[str, Asking]] = field(default_factory=dict)
    by_client: dict[str, dict[str, Asking]] = field(default_factory=dict)

    @classmethod
    def of(cls, invoices: Iterable[Asking]) -> "Shelf":
        shelf = cls()
        for invoice in invoices:
            shelf.by_tidied.setdefault(invoice.tidied, {})[invoice.number] = invoice
            if invoice.state == "pending":
                asked = (invoice.currency, invoice.outstanding_minor)
                shelf.by_outstanding.setdefault(asked, {})[invoice.number] = invoice
                shelf.by_client.setdefault(invoice.client_id, {})[invoice.number] = invoice
        return shelf


def suggest(line: Line, shelf: Shelf) -> list[Suggestion]:
    """At most five clients, with the invoice that speaks for each."""
    like = _like(line, shelf)
    exact = shelf.by_outstanding.get((line.currency, line.amount_minor), {})
    found = [_of_invoice(line, invoice, like, exact) for invoice in (like | exact).values()]
    for client_id in _payers(line):
        if not any(other.client_id == client_id for other in found):
            found += _of_payer(line, client_id, shelf)
    return sorted(found, key=_rank)[:SUGGESTED]


def _like(line: Line, shelf: Shelf) -> dict[str, Asking]:
    """Invoices of the number typed, which did not settle it, and pending ones of a number that is nearly it."""
    if line.tidied is None:
        return {}
    found = dict(shelf.by_tidied.get(line.tidied, {}))
    for other in rules.near(line.tidied):
        found |= {key: one for key, one in shelf.by_tidied.get(other, {}).items() if one.state == "pending"}
    return found


def _of_invoice(line: Line, invoice: Asking, like: dict[str, Asking], exact: dict[str, Asking]) -> Suggestion:
    why = _payer_words(line, invoice.client_id)
    why += [word for word, invoices in (("invoice_like", like), ("amount", exact)) if invoice.number in invoices]
    if invoice.state == "void":  # its client may have paid; it asks for nothing
        return Suggestion(invoice.client_id, None, None, tuple(why))
    return Suggestion(invoice.client_id, invoice.number, invoice.outstanding_minor, tuple(why))


def _of_payer(line: Line, client_id: str, shelf: Shelf) -> list[Suggestion]:
    why = _payer_words(line, client_id)
    asking = sorted(shelf.by_client.get(client_id, {}).values(), key=lambda invoice: invoice.number)
    if asking:
        return [
            Suggestion(client_id, invoice.number, invoice.outstanding_minor, (*why, "open_invoice"))
            for invoice in asking[:OPEN_OFFERED]
        ]
    return [Suggestion(client_id, None, None, tuple(why))] if why else []


def _payers(line: Line) -> list[str]:
    named = (line.remembered, *line.payer_client_ids, line.client_id)
    return list(dict.fromkeys(client_id for client_id in named if client_id))


def _payer_words(line: Line, client_id: str) -> list[str]:
    words = ["remembered_payer"] if client_id == line.remembered else []
    return [*words, "payer_email"] if client_id in line.payer_client_ids else words


def _rank(suggestion: Suggestion) -> tuple[int, str, str]:
    weight = sum(WEIGHTS[word] for word in suggestion.why)
    return -weight, suggestion.invoice_number or "", suggestion.client_id
