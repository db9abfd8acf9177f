"""The unmatched tray: money that is here and belongs to nobody yet, until staff say whose it is."""

from sqlalchemy.orm import Session

from common import clock
from common.auth import Caller
from common.directory import Business, Directory
from common.errors import Conflict, FieldError, Invalid, NotFound
from payments.domain import gateway
from payments.domain.gateway import Key
from payments.models import Payment, Unmatched
from payments.usecases import arrivals, facts, payments


def assign(
    session: Session,
    directory: Directory,
    business_id: str,
    unmatched_id: str,
    client_id: str,
    invoice_number: str | None,
    amount_minor: int | None,
    caller: Caller,
) -> Payment:
    """Record the money as a client's payment, once. `amount_minor` is what money in another currency came to in the
    business's own. Raises NotFound, Conflict, Invalid."""
    seen = session.get(Unmatched, (business_id, unmatched_id))
    if seen is None:
        raise NotFound("not_found", "There is no such money in the tray.")
    client = directory.client(client_id)
    if client is None:
        message = f"there is no client '{client_id}'"
        raise Invalid("client_unknown", f"Nothing was recorded: {message}.", [FieldError("client_id", message)])
    facts.lock(session, [Key.of(seen)])
    found = session.get_one(Unmatched, (business_id, unmatched_id), with_for_update=True, populate_existing=True)
    if found.state == "assigned":
        raise Conflict("already_assigned", "This money is a client's payment already.", payment_id=found.payment_id)
    business = session.get(Business, business_id)
    assert business is not None  # the tray was filled by a handler, which knew it
    row = payments.new_row(
        business_id,
        client,
        amount_minor=_amount(found, business, amount_minor),
        currency=business.currency,
        method=found.method,
        source=found.source,
        received_on=gateway.day_of(found.happened_at, business.time_zone),
        actor=caller.actor,
        invoice_number=invoice_number or found.invoice_number,
        reference=found.reference,
        memo=_memo(found, business),
        gateway=found.gateway,
        gateway_account=found.gateway_account,
        gateway_payment_id=found.gateway_payment_id,
        fee_minor=found.fee_minor if found.currency == business.currency else None,
    )
    found.state, found.payment_id = "assigned", row["payment_id"]
    found.assigned_at, found.assigned_by_name = clock.now(), caller.actor["name"]
    session.flush()
    return arrivals.land(session, business, row, None)


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
