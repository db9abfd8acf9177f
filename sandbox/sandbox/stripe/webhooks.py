"""Events, and their way to the endpoints that asked for them."""

from __future__ import annotations

import json
import logging
import random
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import requests

from sandbox.stripe.bodies import visible
from sandbox.stripe.keys import World, world_named
from sandbox.stripe.signing import signature
from sandbox.stripe.store import Body, Filter

if TYPE_CHECKING:
    from sandbox.stripe.call import Call
    from sandbox.stripe.engine import Engine

API_VERSION = "2026-10-28.endive"
EVENT_DAYS = 30
MOST_ENDPOINTS = 16
TRY_FOR_SECONDS = 3 * 24 * 3600
FIRST_GAP_SECONDS = 1
GAP_FACTOR = 4
LONGEST_GAP_SECONDS = 12 * 3600
TIMEOUT_SECONDS = (3, 10)
AT_ONCE = 16
log = logging.getLogger(__name__)


def emit(call: Call, kind: str, body: Body, previous: dict[str, Any] | None = None) -> Body:
    """Keep the event with the object as it is now, and a delivery for each endpoint subscribed to its type."""
    data = {"object": visible(body)} | ({"previous_attributes": previous} if previous is not None else {})
    endpoints = [found for found in endpoints_of(call.engine, call.world) if wants(found, kind)]
    event = call.head("evt", "event") | {
        "api_version": API_VERSION,
        "data": data,
        "pending_webhooks": len(endpoints),
        "request": {"id": call.request_id, "idempotency_key": call.idempotency_key},
        "type": kind,
    }
    call.add(event)
    for endpoint in endpoints:
        enqueue(call, event, endpoint)
    return event


def endpoints_of(engine: Engine, world: World) -> list[Body]:
    """The webhook endpoints of a world."""
    return engine.store.page(world.name, "webhook_endpoint", Filter(), limit=MOST_ENDPOINTS)


def wants(endpoint: Body, kind: str) -> bool:
    """Whether this endpoint is told of events of this type."""
    return endpoint["status"] == "enabled" and bool({"*", kind} & set(endpoint["enabled_events"]))


def enqueue(call: Call, event: Body, endpoint: Body, *, faulty: bool = True) -> None:
    """Have the event delivered; faulty: as the faults in force tell."""
    faults, now = call.engine.faults.faults, call.engine.clock.now()
    if faulty and call.engine.faults.take_drop():
        _insert(call, event, endpoint, now, "dropped")
        return
    for _ in range(1 + (faults.duplicate if faulty else 0)):
        wait = faults.delay_seconds + random.uniform(0, faults.shuffle_seconds) if faulty else 0
        _insert(call, event, endpoint, now + wait, "due")


def _insert(call: Call, event: Body, endpoint: Body, due: float, state: str) -> None:
    call.engine.store.run(
        "INSERT INTO delivery (world, event, endpoint, due, until, state) VALUES (?,?,?,?,?,?)",
        call.world.name, event["id"], endpoint["id"], due, due + TRY_FOR_SECONDS, state,
    )  # fmt: skip


def gap_seconds(attempts: int) -> float:
    """How long to wait after so many attempts that failed: 1, 4, 16, … seconds, at most half a day."""
    return float(min(FIRST_GAP_SECONDS * GAP_FACTOR ** min(attempts - 1, 20), LONGEST_GAP_SECONDS))


def valid_secrets(endpoint: Body, now: float) -> list[str]:
    """The secret, and the one before as long as a roll-over lets it live."""
    old = [endpoint["_old_secret"]] if endpoint.get("_old_secret_until", 0) > now else []
    return [endpoint["_secret"], *old]


class Sender:
    """Takes due deliveries out of the store and posts them, several at once, in no certain order."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._under_way: set[int] = set()

    def send_due(self) -> None:
        """Begin with what is due and not under way."""
        with self._lock:
            busy = set(self._under_way)
        rows = self._engine.store.rows(
            "SELECT seq, world, event, endpoint, attempts, until FROM delivery WHERE state = 'due' AND due <= ?"
            " ORDER BY due, seq LIMIT ?",
            self._engine.clock.now(), AT_ONCE + len(busy),
        )  # fmt: skip
        for row in [row for row in rows if row[0] not in busy][: max(0, AT_ONCE - len(busy))]:
            with self._lock:
                self._under_way.add(row[0])
            # Daemons: a process that ends does not wait for an endpoint that hangs; after its start it sends again.
            threading.Thread(target=self._deliver, args=row, name="stripe-webhook", daemon=True).start()

    def _deliver(self, seq: int, world: str, event_id: str, endpoint_id: str, attempts: int, until: float) -> None:
        try:
            store = self._engine.store
            event, endpoint = store.find(world, event_id), store.find(world, endpoint_id)
            if event is None or endpoint is None or endpoint["status"] != "enabled":
                self._note(seq, "failed", attempts, "the endpoint is gone", 0)
                return
            problem = self._post(event, endpoint)
            due = self._engine.clock.now() + gap_seconds(attempts + 1)
            state = "done" if problem is None else "due" if due <= until else "failed"
            self._note(seq, state, attempts + 1, problem or "delivered", due)
            if state != "due":
                self._settle(world, event_id)
        except Exception:
            if not self._engine.stopping.is_set():
                log.exception("a webhook could not be handled")
        finally:
            with self._lock:
                self._under_way.discard(seq)
            self._engine.wake.set()

    def _post(self, event: Body, endpoint: Body) -> str | None:
        """What went wrong, or None when the endpoint answered 2xx."""
        # Each endpoint has its own version; the sandbox knows one shape and only names it as asked.
        told = {**event, "api_version": endpoint["api_version"] or API_VERSION}
        body = json.dumps(told, indent=2).encode()
        now = self._engine.clock.now()
        keys: Sequence[str] = valid_secrets(endpoint, now)
        if self._engine.faults.take_wrong_secret():
            keys = ["whsec_of_somebody_else"]
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(body, keys, int(now)),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        try:
            with requests.post(endpoint["url"], data=body, headers=headers, timeout=TIMEOUT_SECONDS,
                               allow_redirects=False, stream=True) as answer:  # fmt: skip
                return None if 200 <= answer.status_code < 300 else f"HTTP {answer.status_code}"
        except (requests.RequestException, ValueError) as error:
            return type(error).__name__

    def _note(self, seq: int, state: str, attempts: int, answer: str, due: float) -> None:
        self._engine.store.run(
            "UPDATE delivery SET state = ?, attempts = ?, answer = ?, due = ? WHERE seq = ?",
            state, attempts, answer, due, seq,
        )  # fmt: skip

    def _settle(self, world: str, event_id: str) -> None:
        with self._engine.call(world_named(world)) as call:
            event = call.find("event", event_id)
            if event is not None and event["pending_webhooks"] > 0:
                call.save(event | {"pending_webhooks": event["pending_webhooks"] - 1})
