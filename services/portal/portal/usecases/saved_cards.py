"""Saving a card without charging it: typed into Stripe's field, and never here."""

from typing import Any

from portal.peers import Remit
from portal.usecases import attempts


def start(remit: Remit, client_id: str, attempt: str) -> dict[str, Any]:
    """What pay.js needs to let a card be typed and saved. Raises Refused."""
    body = {"client_id": client_id}
    begun = remit.stripe.start_saving_card(body, attempts.key(remit, attempt, {"saves": True, **body}))
    return {
        "client_secret": begun["client_secret"],
        "publishable_key": begun["publishable_key"],
        "is_to_save": True,
    }
