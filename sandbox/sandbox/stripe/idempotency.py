"""Idempotency keys: the first answer is kept for 24 hours in the transaction of its effect, and given again."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.stripe.errors import StripeError
from sandbox.stripe.keys import World

if TYPE_CHECKING:
    from sandbox.stripe.engine import Engine

KEEP_SECONDS = 24 * 3600
LONGEST = 255


@dataclass(frozen=True)
class Kept:
    """An answer that was given: JSON text, HTTP status and the id of the first request."""

    status: int
    body: str
    request_id: str


class InFlight:
    """The keys whose first request is being answered. In memory: a request does not survive the process either."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: set[tuple[str, str]] = set()

    @contextmanager
    def hold(self, world: World, key: str) -> Iterator[None]:
        """Keep others with this key out. Raises StripeError (409) when one is in."""
        place = (world.name, key)
        with self._lock:
            if place in self._held:
                message = (
                    "There is currently another in-progress request using this Idempotent Key (that probably means"
                    f" you submitted twice, and the other request is still going through): {key}."
                )
                raise StripeError(409, message, "idempotency_key_in_use", kind="idempotency_error")
            self._held.add(place)
        try:
            yield
        finally:
            with self._lock:
                self._held.discard(place)


def check(key: str) -> None:
    """Refuse a key that is too long."""
    if len(key) > LONGEST:
        raise StripeError(400, f"Idempotency keys may be at most {LONGEST} characters long.", kind="idempotency_error")


def fingerprint(method: str, path: str, params: dict[str, Any]) -> str:
    """What has to be the same when a key comes again."""
    return hashlib.sha256(json.dumps([method, path, params], sort_keys=True).encode()).hexdigest()


def recall(engine: Engine, world: World, key: str, mark: str) -> Kept | None:
    """The answer kept for this key. Raises StripeError (400) when it was another request's."""
    rows = engine.store.rows(
        "SELECT fingerprint, status, body, request FROM idempotency WHERE world = ? AND key = ? AND created > ?",
        world.name, key, engine.clock.now() - KEEP_SECONDS,
    )  # fmt: skip
    if not rows:
        return None
    first, status, body, request_id = rows[0]
    if first != mark:
        message = (
            "Keys for idempotent requests can only be used with the same parameters they were first used with. Try"
            f" using a key other than '{key}' if you meant to execute a different request."
        )
        raise StripeError(400, message, kind="idempotency_error")
    return Kept(status, body, request_id)


def keep(engine: Engine, world: World, key: str, mark: str, answer: Kept) -> None:
    """Keep the answer, in the transaction of what it tells of; old ones go."""
    now = engine.clock.now()
    engine.store.run("DELETE FROM idempotency WHERE created <= ?", now - KEEP_SECONDS)
    engine.store.run(
        "INSERT OR REPLACE INTO idempotency VALUES (?,?,?,?,?,?,?)",
        world.name, key, mark, now, answer.request_id, answer.status, answer.body,
    )  # fmt: skip
