"""A page's attempt is made once, however often its form is sent: one idempotency key for one attempt at one thing."""

import hashlib
from typing import Any

from portal.peers import Remit


def key(remit: Remit, attempt: str, body: dict[str, Any]) -> str:
    """The key for what `body` says, attempted by this person; `attempt` is the form's, made with its page."""
    actor = remit.actor or {}
    said = "\n".join([attempt, str(actor.get("type")), str(actor.get("id")), *map(str, body.values())])
    return f"portal-{hashlib.sha256(said.encode()).hexdigest()}"
