"""IPNs and events as they were made, and their deliveries."""

from __future__ import annotations

import base64
import hashlib
import random
import uuid
from typing import TYPE_CHECKING, Any

from sandbox.paypal.errors import missing

if TYPE_CHECKING:
    from sandbox.paypal.engine import Call
    from sandbox.paypal.store import Store

IPN = "ipn"
EVENT = "event"


def keep(call: Call, kind: str, key: str, account: str, body: bytes, url: str = "") -> str:
    """Keep a message as it will be sent; url: where an IPN goes."""
    call.store.run(
        "INSERT INTO message (id, kind, account, url, created, body, digest) VALUES (?,?,?,?,?,?,?)",
        key, kind, account, url, call.now, body, digest(body),
    )  # fmt: skip
    return key


def digest(body: bytes) -> str:
    """By which a body is found again."""
    return hashlib.sha256(body).hexdigest()


def ipn_made(store: Store, body: bytes) -> bool:
    """Whether these very bytes were an IPN of this sandbox."""
    return bool(store.rows("SELECT 1 FROM message WHERE digest = ? AND kind = ?", digest(body), IPN))


def send(call: Call, key: str, webhook: str | None = None, *, faulty: bool = True) -> None:
    """Have a message delivered; webhook: which one an event goes to; faulty: as the faults in force tell."""
    faults = call.engine.faults.faults
    if faulty and call.engine.faults.take("drop_next"):
        _insert(call, key, webhook, call.now, "dropped")
        return
    for _ in range(1 + (faults.duplicate if faulty else 0)):
        wait = faults.delay_seconds + random.uniform(0, faults.shuffle_seconds) if faulty else 0
        _insert(call, key, webhook, call.now + wait, "due")


def _insert(call: Call, key: str, webhook: str | None, due: float, state: str) -> None:
    call.store.run(
        "INSERT INTO delivery (message, webhook, transmission, due, state) VALUES (?,?,?,?,?)",
        key, webhook, str(uuid.uuid4()), due, state,
    )  # fmt: skip


def resend(call: Call, kind: str, key: str) -> dict[str, Any]:
    """Once more to where it went; the message as lists show it."""
    found = call.store.rows("SELECT account FROM message WHERE id = ? AND kind = ?", key, kind)
    if not found:
        raise missing(kind, key)
    to = call.store.rows("SELECT DISTINCT webhook FROM delivery WHERE message = ?", key)
    for (webhook,) in to:
        send(call, key, webhook, faulty=False)
    return listed(call.store, kind, key)[0]


def listed(store: Store, kind: str, key: str | None = None) -> list[dict[str, Any]]:
    """Messages with what became of them, oldest first; key: only this one."""
    rows = store.rows(
        "SELECT id, account, url, created, body FROM message WHERE kind = ? AND ? IN (id, '') ORDER BY seq",
        kind, key or "",
    )  # fmt: skip
    return [
        {"id": found, "account": account, "url": url, "created": created, **_outcome(store, found),
         "body_base64": base64.b64encode(body).decode()}
        for found, account, url, created, body in rows
    ]  # fmt: skip


def _outcome(store: Store, key: str) -> dict[str, Any]:
    """tries and delivered over all deliveries; status: of the last answer, None when none came."""
    rows = store.rows("SELECT tries, state, status FROM delivery WHERE message = ? ORDER BY seq", key)
    statuses = [status for _, _, status in rows if status is not None]
    return {
        "tries": sum(tries for tries, _, _ in rows),
        "status": (statuses[-1] or None) if statuses else None,
        "delivered": any(state == "done" for _, state, _ in rows),
        "states": [state for _, state, _ in rows],
    }
