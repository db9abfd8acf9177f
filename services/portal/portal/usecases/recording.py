"""Money that was received by hand: what a form says of it, recorded once; and given back."""

import re
from dataclasses import dataclass
from typing import Any

from common.errors import NotFound, Refused
from portal.domain.payments import BY_HAND
from portal.peers import Remit
from portal.usecases import attempts, picking, reading
from portal.usecases.reading import Form

NOT_RECORDED = "Nothing was recorded. Look at the fields that are marked."
UNKNOWN = (
    "It is not known whether it was recorded. Press “Record the payment” again: it finds out, and records it only once."
)
REFUND_UNKNOWN = (
    "It is not known whether it was given back. Press “Give it back” again: it finds out, and gives it back only once."
)
NOT_GIVEN_BACK = "Nothing was given back. Look at the fields that are marked."
_BLANKS = re.compile(r"[\s#]+")


@dataclass(frozen=True)
class Received:
    """A payment as a form describes it."""

    client: dict[str, Any] | None
    body: dict[str, Any]


def read(remit: Remit, form: Form) -> Received:
    """What the form says was received. What is wrong is noted in the form, and then nothing may be recorded."""
    client = picking.read(remit, form)
    received_on = form.read("received_on", reading.day)
    body = {
        "client_id": client["id"] if client else None,
        "amount_minor": form.read("amount", reading.money(remit.billing.business()["currency"])),
        "method": form.read("method", _method),
        "received_on": received_on.isoformat() if received_on else None,
        "invoice_number": _invoice_number(remit, form, client),
        "reference": form.read_or_none("reference", reading.line("the reference")),
        "memo": form.read_or_none("memo", reading.line("what is to be remembered", 2000)),
    }
    return Received(client, body)


def record(remit: Remit, received: Received, attempt: str, *, although_alike: bool) -> dict[str, Any]:
    """Record it; one attempt records it once. Raises Conflict `probable_duplicates` when it looks recorded already,
    unless it is to be recorded all the same."""
    body = {**received.body, "check_duplicates": not although_alike}
    return remit.payments.record(body, attempts.key(remit, attempt, body))


def refund(remit: Remit, payment_id: str, form: Form) -> bool:
    """Give back what the form says; one attempt gives it once. Answers whether it is done: a gateway's is under way
    until the gateway confirms it. Raises Refused."""
    currency = remit.billing.business()["currency"]
    body = {
        "amount_minor": form.read("amount", reading.money(currency)),
        "reason": form.read("reason", reading.line("why")),
    }
    form.check(NOT_GIVEN_BACK)
    key = attempts.key(remit, form.get("attempt"), {"refund_of": payment_id, **body})
    return bool(remit.payments.refund(payment_id, body, key)["status"] != "pending")


def beside(refused: Refused) -> dict[str, str]:
    """What a refusal says of the form's fields."""
    return reading.beside(refused, {"amount_minor": "amount", "client_id": "client", "invoice_number": "invoice_typed"})


def _method(typed: str) -> str:
    if typed not in BY_HAND:
        raise ValueError("Say how it was paid.")
    return typed


def _invoice_number(remit: Remit, form: Form, client: dict[str, Any] | None) -> str | None:
    """The invoice that was chosen among the client's pending ones, or the one whose number was typed. Money for one
    that cannot take it would become credit without anybody having meant that."""
    chosen, typed = form.get("invoice_number"), form.get("invoice_typed")[:50]
    if chosen or not typed or client is None:
        return chosen or typed or None
    try:
        invoice = remit.billing.invoice(_BLANKS.sub("", typed))
    except NotFound:
        invoice = {"number": None}
    if invoice["number"] is None:
        form.note("invoice_typed", f"There is no invoice {typed}.")
    elif invoice["client_id"] != client["id"]:
        form.note("invoice_typed", f"Invoice {invoice['number']} is not one of {client['name']}.")
    elif invoice["status"] != "pending":
        words = (
            f"Invoice {invoice['number']} is not waiting to be paid. Without an invoice the money is kept as credit."
        )
        form.note("invoice_typed", words)
    return str(invoice["number"])
