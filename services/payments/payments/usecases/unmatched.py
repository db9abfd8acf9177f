"""The unmatched tray: money that is here and belongs to nobody yet, until staff say whose it is, or the invoice that it
names becomes known."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Select, and_, or_, select
from sqlalchemy.orm import Session

from common import clock
from common.auth import Caller
from common.db import IN_CHUNK
from common.directory import Business, Client, Directory, businesses_of
from common.errors import Conflict, FieldError, Invalid, NotFound
from common.events import Event
from common.events.billing import ClientRegistered, ClientUpdated
from common.runtime import Runtime
from payments.domain import attribution, gateway
from payments.domain.attribution import Owner
from payments.domain.gateway import Key, Payer
from payments.models import Invoice, Payment, Unmatched
from payments.usecases import arrivals, invoices, locks, payers, payments
from payments.usecases.invoices import InvoiceEvent, Name, Named
from payments.usecases.payments import Named as NamedClient

SWEPT = 200


def assign(
    session: Session,
    runtime: Runtime,
    directory: Directory,
    business_id: str,
    unmatched_id: str,
    client_id: str,
    invoice_number: str | None,
    amount_minor: int | None,
    remember_payer: bool,
    caller: Caller,
) -> Payment:
    """Record the money as a client's payment, once. `amount_minor` is what money in another currency came to in the
    business's own; `remember_payer` lets the payer's next money be the client's at once. Raises NotFound, Conflict,
    Invalid, and Unavailable when billing must be asked and is away."""
    seen = session.get(Unmatched, (business_id, unmatched_id))
    if seen is None:
        raise NotFound("not_found", "There is no such money in the tray.")
    client = directory.client(client_id)
    if client is None:
        message = f"there is no client '{client_id}'"
        raise Invalid("client_unknown", f"Nothing was recorded: {message}.", [FieldError("client_id", message)])
    payer = Payer.of(seen)
    if remember_payer and payer is None:
        message = "the gateway does not say who paid, so nobody can be remembered"
        raise Invalid("payer_unknown", f"Nothing was recorded: {message}.", [FieldError("remember_payer", message)])
    _refuse_assigned(seen)  # before billing is asked; and again below, where nobody can come between
    number = None
    if invoice_number is not None:
        number = invoices.number_for(session, runtime, business_id, invoice_number, client_id)
    (found,) = _lock(session, [seen])
    _refuse_assigned(found)
    business = session.get(Business, business_id)
    assert business is not None  # the tray was filled by a handler, which knew it
    if remember_payer and payer is not None:
        payers.remember(session, payer, client_id, caller.actor["name"])
    owner = Owner(client_id, number or _as_theirs(session, found, client_id), _memo(found, business))
    recorded_minor = _amount(found, business, amount_minor)
    return _record(session, business, found, client, owner, recorded_minor, caller.actor, caller.actor["name"], None)


def attribute_to_invoices(session: Session, events: Sequence[InvoiceEvent]) -> None:
    """Record what waits for these invoices as money of their clients."""
    causes: dict[Name, Event] = {}
    for event in events:
        name = invoices.name_of(event.business_id, event.invoice_number)
        if name is not None:
            causes[name] = event
    for names in _chunks(sorted(causes)):
        by_invoice = and_(
            Unmatched.business_id.in_({business_id for business_id, _ in names}),
            Unmatched.invoice_tidied.in_([tidied for _, tidied in names]),
        )
        _attribute(session, session.scalars(_of_nobody().where(by_invoice)).all(), causes)


def attribute_to_clients(session: Session, events: Sequence[ClientRegistered | ClientUpdated]) -> None:
    """Record what waits for invoices of these clients, who were not known here when the invoices were."""
    theirs = _of_nobody().where(Unmatched.business_id.in_({event.business_id for event in events}))
    by_invoice = (Invoice.business_id == Unmatched.business_id, Invoice.tidied == Unmatched.invoice_tidied)
    for ids in _chunks(sorted({event.client_id for event in events})):
        is_theirs = select(Invoice.invoice_id).where(*by_invoice, Invoice.client_id.in_(ids)).exists()
        _attribute(session, session.scalars(theirs.where(is_theirs)).all(), {})


def attribute_late(session: Session, after: tuple[str, str] | None) -> tuple[str, str] | None:
    """Record what could be attributed by now, of the next part of the trays; answers where to go on, or None at the
    end. Finds what a client and an invoice that were heard of in the same moment left behind."""
    key = (Unmatched.business_id, Unmatched.unmatched_id)
    query = _of_nobody().where(Unmatched.invoice_tidied.is_not(None))
    if after is not None:
        query = query.where(or_(key[0] > after[0], and_(key[0] == after[0], key[1] > after[1])))
    lines = session.scalars(query.order_by(*key).limit(SWEPT)).all()
    _attribute(session, lines, {})
    return (lines[-1].business_id, lines[-1].unmatched_id) if len(lines) == SWEPT else None


def _of_nobody() -> Select[Unmatched]:
    """Money in the tray that came without a client: what names one is for staff."""
    return select(Unmatched).where(Unmatched.state == "open", Unmatched.client_id.is_(None))


def _attribute(session: Session, lines: Sequence[Unmatched], causes: Mapping[Name, Event]) -> None:
    """Record those of the lines whose invoice says whose they are, once each."""
    if not lines:
        return
    found = invoices.named(session, map(_name, lines))
    clients = _clients_of(session, found)
    businesses = businesses_of(session, {line.business_id for line in lines})
    for line in _lock(session, [line for line in lines if _client_of(line, found, clients)]):
        client = _client_of(line, found, clients)
        business = businesses[line.business_id]
        if client is None or line.state != "open" or line.currency != business.currency:
            continue
        owner = _owner(line, found)
        actor = gateway.system_actor(line.gateway)
        cause = causes.get(name) if (name := _name(line)) else None
        _record(session, business, line, client, owner, line.amount_minor, actor, None, cause)


def _owner(line: Unmatched, found: Named) -> Owner:
    fits = invoices.fits(found, _name(line))
    return attribution.of_nobody(line.invoice_number, fits, None, line.happened_at.date())


def _client_of(line: Unmatched, found: Named, clients: Mapping[tuple[str, str], Client]) -> Client | None:
    owner = _owner(line, found)
    return clients.get((line.business_id, owner.client_id)) if owner.client_id else None


def _clients_of(session: Session, found: Named) -> dict[tuple[str, str], Client]:
    """(business id, client id) → those of the invoices' clients who are known."""
    rows: list[Row[Any]] = [row for fits in found.values() for row in fits]
    known = session.scalars(
        select(Client).where(
            Client.business_id.in_({row.business_id for row in rows}),
            Client.client_id.in_({row.client_id for row in rows}),
        )
    )
    return {(client.business_id, client.client_id): client for client in known}


def _as_theirs(session: Session, found: Unmatched, client_id: str) -> str | None:
    """What was typed, put right when it is an invoice of the client to whom staff assign it."""
    name = _name(found)
    fits = invoices.fits(invoices.named(session, [name]), name)
    return attribution.of_client(client_id, found.invoice_number, fits).invoice_number


def _name(line: Unmatched) -> Name | None:
    return (line.business_id, line.invoice_tidied) if line.invoice_tidied else None


def _lock(session: Session, lines: Sequence[Unmatched]) -> Sequence[Unmatched]:
    """The lines as they are now, and nobody else's up to the commit: whoever records one, or lets it be recorded by
    itself, holds it."""
    if not lines:
        return []
    locks.hold(session, [Key.of(line) for line in lines])
    query = select(Unmatched).where(
        Unmatched.business_id.in_({line.business_id for line in lines}),
        Unmatched.unmatched_id.in_([line.unmatched_id for line in lines]),
    )
    query = query.order_by(Unmatched.business_id, Unmatched.unmatched_id).with_for_update()
    return session.scalars(query, execution_options={"populate_existing": True}).all()


def _record(
    session: Session,
    business: Business,
    found: Unmatched,
    client: NamedClient,
    owner: Owner,
    amount_minor: int,
    actor: dict[str, str],
    assigned_by_name: str | None,
    cause: Event | None,
) -> Payment:
    """Make a payment of money that is held in the tray."""
    row = payments.new_row(
        business.business_id,
        client,
        amount_minor=amount_minor,
        currency=business.currency,
        method=found.method,
        source=found.source,
        received_on=gateway.day_of(found.happened_at, business.time_zone),
        actor=actor,
        invoice_number=owner.invoice_number,
        reference=found.reference,
        memo=owner.memo,
        gateway=found.gateway,
        gateway_account=found.gateway_account,
        gateway_payment_id=found.gateway_payment_id,
        fee_minor=found.fee_minor if found.currency == business.currency else None,
    )
    found.state, found.payment_id = "assigned", row["payment_id"]
    found.assigned_at, found.assigned_by_name = clock.now(), assigned_by_name
    session.flush()
    return arrivals.land(session, business, row, cause)


def _refuse_assigned(found: Unmatched) -> None:
    if found.state == "assigned":
        raise Conflict("already_assigned", "This money is a client's payment already.", payment_id=found.payment_id)


def _amount(found: Unmatched, business: Business, told_minor: int | None) -> int:
    """What is recorded, in the business's currency."""
    if found.currency == business.currency:
        if told_minor not in (None, found.amount_minor):
            raise _refused(f"this money is {found.amount_minor} (minor units)", "amount_mismatch")
        return found.amount_minor
    if told_minor is None:
        raise _refused(f"this money is {found.currency}; say what it came to in {business.currency}", "amount_needed")
    return told_minor


def _refused(message: str, code: str) -> Invalid:
    return Invalid(code, f"Nothing was recorded: {message}.", [FieldError("amount_minor", message)])


def _memo(found: Unmatched, business: Business) -> str | None:
    if found.currency == business.currency:
        return None
    return f"Arrived as {found.amount_minor} minor units of {found.currency}"


def _chunks(names: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (names[start : start + IN_CHUNK] for start in range(0, len(names), IN_CHUNK))
