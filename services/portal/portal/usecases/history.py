"""The payment history: which payments a list asks for, and money that gateways announced beside it."""

from collections.abc import Mapping
from typing import Any

from common.errors import Unavailable
from portal.domain import payments as words
from portal.peers import Remit
from portal.usecases import picking, reading
from portal.usecases.reading import Form

# What stands in the address of a list; `client` is what was typed where nobody was picked.
FILTERS = (
    "q", "client_id", "client", "method", "source", "status", "from", "to", "min", "max", "invoice_number",
    "recorded_by", "batch_id",
)  # fmt: skip
SORTS = ("received_on", "amount", "client_name")
NEWEST_FIRST = "-received_on"
ANNOUNCED_SHOWN = 20


def read(remit: Remit, form: Form, currency: str) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """What a list's filters ask for, as payments takes it, and the client that it is about. What is wrong is noted in
    the form: then the query is not to be asked."""
    client = picking.read(remit, form) if form.get("client_id") or form.get("client") else None
    first, last = (form.read_or_none(name, reading.day) for name in ("from", "to"))
    if first and last and first > last:
        form.note("to", "The last day comes before the first one.")
    least, most = (form.read_or_none(name, reading.any_money(currency)) for name in ("min", "max"))
    if least is not None and most is not None and least > most:
        form.note("max", "The largest amount is below the smallest one.")
    as_typed = {name: form.get(name) for name in ("q", "invoice_number", "recorded_by", "batch_id")}
    return {
        **as_typed,
        **{name: _one_of(form.get(name), known) for name, known in _KNOWN.items()},
        "client_id": client["id"] if client else None,
        "from": first.isoformat() if first else None,
        "to": last.isoformat() if last else None,
        "min_minor": least,
        "max_minor": most,
        "sort": sort_of(form.get("sort")),
    }, client


def sort_of(asked: str) -> str:
    """The order that was asked for, where there is such a one."""
    return asked if asked.removeprefix("-") in SORTS else NEWEST_FIRST


def on_its_way(remit: Remit, client: dict[str, Any] | None) -> dict[str, Any]:
    """Money that gateways announced and that is not certain yet, with whose it is: {items, is_cut}."""
    query = {"client_id": client["id"] if client else None, "limit": ANNOUNCED_SHOWN}
    found = remit.payments.pending(query)
    names = {client["id"]: client["name"]} if client else _names(remit, found["items"])
    items = [{**row, "client_name": names.get(row["client_id"], "")} for row in found["items"]]
    return {"items": items, "is_cut": bool(found["next_cursor"])}


def _names(remit: Remit, rows: list[dict[str, Any]]) -> dict[str, str]:
    client_ids = sorted({str(row["client_id"]) for row in rows if row["client_id"]})
    if not client_ids:
        return {}
    try:
        return {client_id: str(client["name"]) for client_id, client in remit.billing.clients_of(client_ids).items()}
    except Unavailable:  # whose it is can be seen later; that it comes is worth saying now
        return {}


def _one_of(typed: str, known: Mapping[str, str] | tuple[str, ...]) -> str | None:
    return typed if typed in known else None


_KNOWN: dict[str, Mapping[str, str] | tuple[str, ...]] = {
    "method": words.METHODS, "source": words.SOURCES, "status": words.STATUSES
}  # fmt: skip
