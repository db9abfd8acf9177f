"""Which client a form means: the one that was picked from the list, or the one whose name was typed in full."""

from typing import Any

from common.errors import FieldError, Invalid, NotFound
from portal.peers import Remit
from portal.usecases.reading import Form

OFFERED = 10


def picked(remit: Remit, client_id: str, words: str) -> dict[str, Any]:
    """The client. `client_id` is set when one was picked; `words` is what stands in the field. Raises Invalid with the
    field `client` when nobody, or more than one, is meant."""
    words = words.strip()[:200]
    if client_id:
        client = remit.billing.client(client_id)
        if not words or _is(client, words):  # without scripts the id stays while another name is typed
            return client
    if not words:
        raise _wrong("Say which client this is for.")
    found = remit.billing.clients_like(words, OFFERED)
    exact = [client for client in found if _is(client, words)] or found
    if not exact:
        raise _wrong(f"There is no client called “{words}”.")
    if len(exact) > 1:
        raise _wrong(f"“{words}” fits more than one client. Pick one from the list.")
    return exact[0]


def read(remit: Remit, form: Form) -> dict[str, Any] | None:
    """The client that a form is about, read like its other fields: None when it is unclear, which is noted."""
    try:
        return picked(remit, form.get("client_id"), form.get("client"))
    except Invalid as wrong:
        form.wrong.extend(wrong.errors)
    except NotFound:
        form.note("client", "This client is not there any more. Pick another one.")
    return None


def filtered(remit: Remit, client_id: str, words: str) -> dict[str, Any] | None:
    """The client that a list is filtered by, if by one. Raises Invalid like `picked`, NotFound."""
    return picked(remit, client_id, words) if client_id or words.strip() else None


def _is(client: dict[str, Any], words: str) -> bool:
    known = (client["name"], client.get("email"), client.get("external_ref"))
    return words.casefold() in [str(name).casefold() for name in known if name]


def _wrong(words: str) -> Invalid:
    return Invalid("client_unclear", words, [FieldError("client", words)])
