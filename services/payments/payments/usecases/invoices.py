"""payments' own copy of invoices, the newest word about each: it names the client of money that names only an invoice.

What an invoice was paid in part is not told, so `outstanding_minor` may be more than is still asked for."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from common.db import insert_or
from common.errors import FieldError, Invalid
from common.events.billing import InvoiceIssued, InvoicePaid, InvoiceReopened, InvoiceVoided
from common.invoice_number import MAX_NUMBER, tidy
from common.runtime import Runtime
from payments.domain import invoice as rules
from payments.domain.invoice import Known
from payments.models import Invoice
from payments.usecases import locks

InvoiceEvent = InvoiceIssued | InvoicePaid | InvoiceReopened | InvoiceVoided
# business id and tidied number
Name = tuple[str, str]
Named = dict[Name, list[Row[Any]]]

STATES: dict[type[Any], str] = {
    InvoiceIssued: "pending",
    InvoicePaid: "paid",
    InvoiceReopened: "pending",
    InvoiceVoided: "void",
}


def keep(session: Session, events: Sequence[InvoiceEvent]) -> None:
    """Keep the newest of each invoice, whatever the order."""
    newest: dict[tuple[str, str], InvoiceEvent] = {}
    for event in events:
        key = (event.business_id, event.invoice_id)
        if key not in newest or newest[key].sequence < event.sequence:
            newest[key] = event
    hold(session, [name for event in events if (name := name_of(event.business_id, event.invoice_number))])
    statement = insert_or(session, Invoice)
    rows = [_row(newest[key]) for key in sorted(newest)]
    changes = {name: statement.excluded[name] for name in rows[0] if name not in ("business_id", "invoice_id")}
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["business_id", "invoice_id"],
            set_=changes,
            where=Invoice.sequence < statement.excluded.sequence,
        ),
        rows,
    )


def hold(session: Session, names: Iterable[Name]) -> None:
    """Let money that names an invoice and the first word of that invoice see each other, whichever comes first."""
    locks.hold(session, [("invoice", *name) for name in names])


def name_of(business_id: str, typed: str | None) -> Name | None:
    """What an invoice is looked up by; None for text that names none."""
    tidied = tidy(typed)
    return None if tidied is None else (business_id, tidied)


def named(session: Session, names: Iterable[Name | None]) -> Named:
    """Name → the invoices of that tidied number, in one query. Where no number was typed, there is no name."""
    wanted = {name for name in names if name is not None}
    if not wanted:
        return {}
    rows = session.execute(
        select(Invoice.__table__).where(
            Invoice.business_id.in_({business_id for business_id, _ in wanted}),
            Invoice.tidied.in_({tidied for _, tidied in wanted}),
        )
    )
    found: Named = {}
    for row in rows:
        found.setdefault((row.business_id, row.tidied), []).append(row)
    return found


def fits(found: Named, name: Name | None) -> Sequence[Row[Any]]:
    """The invoices of one name."""
    return found.get(name, []) if name else []


def number_for(session: Session, runtime: Runtime, business_id: str, typed: str, client_id: str) -> str:
    """The real number of the client's invoice that staff mean; billing is asked when it is not known here. Raises
    Invalid, and Unavailable when billing is away."""
    name = name_of(business_id, typed)
    fitting = fits(named(session, [name]), name)
    invoice: Known | None = rules.fitting(typed, fitting)
    if fitting and invoice is None:
        raise _refused("invoice_ambiguous", "more than one invoice fits; use the whole number")
    if invoice is None and name is not None:
        invoice = _ask(runtime, *name)
    if invoice is None:
        raise _refused("invoice_unknown", "there is no such invoice")
    if invoice.client_id != client_id:
        raise _refused("invoice_of_another_client", f"{invoice.number} is another client's invoice")
    if invoice.state == "void":
        raise _refused("invoice_void", f"{invoice.number} is void; without it the money becomes the client's credit")
    return invoice.number


class _Told:
    """An invoice as billing answers it."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.number: str = answer["number"]
        self.client_id: str = answer["client_id"]
        self.state: str = answer["status"]


def _ask(runtime: Runtime, business_id: str, tidied: str) -> Known | None:
    if not (tidied.isascii() and tidied.isdigit()):
        return None  # billing's numbers are digits once they are tidied
    path = f"/v1/businesses/{business_id}/invoices/{tidied}"
    answer = runtime.ask("billing", "GET", path, scope="billing:read", business_id=business_id)
    return _Told(answer.json()) if answer.ok and answer.json()["number"] else None


def _refused(code: str, message: str) -> Invalid:
    return Invalid(code, f"Nothing was recorded: {message}.", [FieldError("invoice_number", message)])


def _row(event: InvoiceEvent) -> dict[str, Any]:
    state = STATES[type(event)]
    number = event.invoice_number[:MAX_NUMBER]
    return {
        "business_id": event.business_id,
        "invoice_id": event.invoice_id,
        "sequence": event.sequence,
        "number": number,
        "tidied": tidy(number) or number,
        "client_id": event.client_id,
        "total_minor": event.total_minor,
        "paid_minor": event.paid_minor,
        "outstanding_minor": event.total_minor - event.paid_minor if state == "pending" else 0,
        "currency": event.currency,
        "state": state,
        "issued_on": event.issued_on,
    }
