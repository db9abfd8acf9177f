"""A client as a form describes one, and a file of clients."""

import hashlib
from collections.abc import Mapping
from typing import Any

from common.errors import FieldError, Invalid
from portal.peers import Remit
from portal.usecases import attempts
from portal.usecases.reading import Form, any_money, line

# Fields of the API that are typed in major units.
NAMES = {"threshold_minor": "threshold", "amount_minor": "amount"}


def described(typed: Mapping[str, str], currency: str) -> dict[str, Any]:
    """What the form says of a client, as billing takes it. Raises Invalid."""
    form = Form(typed)
    said = {
        "name": form.read("name", line("what the client is called")),
        **{name: form.get(name) or None for name in ("email", "phone", "external_ref")},
        "threshold_minor": form.read_or_none("threshold", any_money(currency)),
        "status": form.get("status") or "active",
    }
    form.check("Nothing was saved. Look at the fields that are marked.")
    return said


def register(remit: Remit, typed: Mapping[str, str], currency: str) -> dict[str, Any]:
    """Add the client that the form describes; one attempt adds one. Raises Refused."""
    body = described(typed, currency)
    return remit.billing.add_client(body, attempts.key(remit, typed.get("attempt", ""), body))


def change(remit: Remit, client_id: str, typed: Mapping[str, str], currency: str) -> None:
    """Change what the form says otherwise than it is. Raises Refused."""
    client = remit.billing.client(client_id)
    said = described(typed, currency)
    changes = {name: value for name, value in said.items() if value != client.get(name)}
    if changes:
        remit.billing.change_client(client_id, changes)


def take_file(remit: Remit, content: bytes, attempt: str) -> int:
    """Add the clients of a CSV file, all or none; answers how many. Raises Refused, with errors by row."""
    if not content.strip():
        words = "Choose a file that has clients in it."
        raise Invalid("file_missing", words, [FieldError("file", words)])
    body = {"file": hashlib.sha256(content).hexdigest()}
    return int(remit.billing.add_clients(content, attempts.key(remit, attempt, body))["count"])
