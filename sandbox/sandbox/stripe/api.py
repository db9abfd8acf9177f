"""From an HTTP request to Stripe's answer: key, operation, idempotency, faults, and the transaction."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

from sandbox.stripe import idempotency, params, routes
from sandbox.stripe.bodies import visible
from sandbox.stripe.engine import Engine
from sandbox.stripe.errors import StripeError
from sandbox.stripe.expand import expand
from sandbox.stripe.faults import Failure
from sandbox.stripe.idempotency import Kept
from sandbox.stripe.keys import Key, masked, read_key

FAILED = {"error": {"message": "Something went wrong on Stripe's end (sandbox fault).", "type": "api_error"}}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """A request. raw: nested parameters; address: of the sandbox as the client sees it, up to /stripe."""

    method: str
    path: str
    key: str
    raw: dict[str, Any]
    idempotency_key: str | None
    request_id: str
    address: str


@dataclass(frozen=True)
class Answer:
    """What is answered: HTTP status and JSON text. replayed: the id of the first request. cut: not answered at all."""

    status: int
    body: str
    replayed: str | None = None
    cut: bool = False


def answer(engine: Engine, asked: Asked) -> Answer:
    """The answer to a request; never raises."""
    try:
        return _answer(engine, asked)
    except StripeError as error:
        return _refused(error)
    except Exception:
        log.exception("request failed: %s %s", asked.method, asked.path)
        return Answer(500, json.dumps({"error": {"message": "The sandbox failed; see its log.", "type": "api_error"}}))


def _answer(engine: Engine, asked: Asked) -> Answer:
    key = read_key(asked.key)
    if engine.store.rows("SELECT 1 FROM expired_key WHERE key = ?", key.text):
        raise StripeError(401, f"Expired API Key provided: {masked(key.text)}", "api_key_expired")
    operation, ids = routes.find(asked.method, asked.path)
    if key.browser and not operation.browser:
        raise StripeError(
            403, "This API call cannot be made with a publishable API key. Please use a secret API key instead.",
            "secret_key_required",
        )  # fmt: skip
    if asked.method != "POST":
        return _do(engine, asked, key, operation, ids)
    failure = engine.faults.take_failure(asked.path.partition("/")[0])
    if failure is not None and failure.kind == "rate_limit":
        raise StripeError(429, "Request rate limit exceeded (sandbox fault).", "rate_limit")
    if failure is not None and failure.kind == "unavailable":
        return Answer(503, json.dumps(FAILED))
    done = _once(engine, asked, key, failure, lambda: _do(engine, asked, key, operation, ids, failure))
    if failure is None:
        return done
    # The key is free again by now: the client's next try gets the answer that it did not hear.
    if failure.kind == "charge_then_hang":
        engine.stopping.wait(failure.seconds)
    if failure.kind == "charge_then_409":
        raise StripeError(
            409, "Another request with this key is in progress (sandbox fault).", "idempotency_key_in_use",
            kind="idempotency_error",
        )  # fmt: skip
    if failure.kind == "charge_then_429":
        raise StripeError(429, "Request rate limit exceeded (sandbox fault).", "rate_limit")
    return replace(done, cut=failure.kind == "charge_then_reset")


def _once(engine: Engine, asked: Asked, key: Key, failure: Failure | None, act: Callable[[], Answer]) -> Answer:
    """act(), or the answer that was given under the same idempotency key."""
    own = asked.idempotency_key
    if own is not None:
        idempotency.check(own)
    with nullcontext() if own is None else engine.in_flight.hold(key.world, own):
        kept = None if own is None else idempotency.recall(engine, key.world, own, _mark(asked))
        if kept is not None:
            return Answer(kept.status, kept.body, replayed=kept.request_id)
        if failure is not None and failure.kind == "slow":
            engine.stopping.wait(failure.seconds)
        return act()


def _do(
    engine: Engine, asked: Asked, key: Key, operation: routes.Operation, ids: tuple[Any, ...],
    failure: Failure | None = None,
) -> Answer:  # fmt: skip
    """The operation in its transaction, with the answer kept in the same one if it came with a key."""
    given = params.read(operation.spec, asked.raw)
    with engine.call(
        key.world, browser=key.browser, request_id=asked.request_id, idempotency_key=asked.idempotency_key,
        address=asked.address,
    ) as call:  # fmt: skip
        try:
            body = expand(call, operation.act(call, given, *ids), given.get("expand") or [])
            done = Answer(200, _text(body))
        except StripeError as error:
            if not error.kept:
                raise
            done = _refused(error)
        if failure is not None and failure.kind == "charge_then_500":
            done = Answer(500, json.dumps(FAILED))
        if asked.method == "POST" and asked.idempotency_key is not None:
            kept = Kept(done.status, done.body, asked.request_id)
            idempotency.keep(engine, key.world, asked.idempotency_key, _mark(asked), kept)
    return done


def _mark(asked: Asked) -> str:
    return idempotency.fingerprint(asked.method, asked.path, asked.raw)


def _refused(error: StripeError) -> Answer:
    return Answer(error.status, _text(error.body))


def _text(body: Any) -> str:
    return json.dumps(visible(body), indent=2)
