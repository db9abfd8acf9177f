"""From an HTTP request to PayPal's answer: token, operation, request id, faults, and the transaction."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sandbox.paypal import routes
from sandbox.paypal.accounts import Account, account_of, account_of_client
from sandbox.paypal.errors import PaypalError, malformed, told, unauthenticated

if TYPE_CHECKING:
    from sandbox.paypal.engine import Call, Engine

TOKEN_SECONDS = 32_400
KEEP_SECONDS = 45 * 24 * 3600
LONGEST_REQUEST_ID = 108
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """A request. address: of the sandbox as the client sees it, up to /paypal."""

    method: str
    path: str
    token: str
    body: bytes
    args: Mapping[str, str]
    request_id: str
    address: str


@dataclass(frozen=True)
class Answer:
    """What is answered: HTTP status and JSON text. cut: not answered at all."""

    status: int
    body: str
    cut: bool = False


def answer(engine: Engine, asked: Asked) -> Answer:
    """The answer to a request; never raises."""
    try:
        account = _account(engine, asked.token)
        operation, ids = routes.find(asked.method, asked.path)
        wanted = _wanted(asked)
        return _failing(engine, operation.point, lambda: _once(engine, asked, account, operation, ids, wanted))
    except PaypalError as error:
        return _refused(error)
    except Exception:
        log.exception("request failed: %s %s", asked.method, asked.path)
        return Answer(500, json.dumps(told("INTERNAL_SERVER_ERROR")))


def token(engine: Engine, client_id: str, secret: str, grant_type: str) -> Answer:
    """An access token for whoever shows a client id and any secret."""

    def give() -> Answer:
        if not client_id or not secret or client_id.startswith("refused"):
            return Answer(401, _flat("invalid_client", "Client Authentication failed"))
        if grant_type != "client_credentials":
            return Answer(400, _flat("unsupported_grant_type", "Grant Type is NULL or not client_credentials"))
        with engine.store.transaction():
            account, now, fresh = account_of_client(engine.store, client_id), engine.clock.now(), secrets.token_hex(24)
            engine.store.run("DELETE FROM token WHERE until <= ?", now)
            engine.store.run("INSERT INTO token VALUES (?,?,?)", f"A21AA{fresh}", account.email, now + TOKEN_SECONDS)
        body = {"scope": "https://uri.paypal.com/services/payments/payment", "access_token": f"A21AA{fresh}",
                "token_type": "Bearer", "app_id": "APP-80W284485P519543T", "expires_in": TOKEN_SECONDS}  # fmt: skip
        return Answer(200, json.dumps(body))

    return _failing(engine, "token", give)


def _flat(error: str, description: str) -> str:
    return json.dumps({"error": error, "error_description": description})


def _account(engine: Engine, bearer: str) -> Account:
    rows = engine.store.rows("SELECT account, until FROM token WHERE token = ?", bearer)
    if not rows or rows[0][1] <= engine.clock.now():
        raise unauthenticated("The token passed in was not found in the system, or it has expired.")
    return account_of(engine.store, rows[0][0])


def _wanted(asked: Asked) -> dict[str, Any]:
    if not asked.body:
        return {}
    try:
        wanted = json.loads(asked.body)
    except ValueError as error:
        raise malformed("MALFORMED_REQUEST_JSON", "The request JSON is not well formed.") from error
    if not isinstance(wanted, dict):
        raise malformed("MALFORMED_REQUEST_JSON", "The request JSON must be an object.")
    if len(asked.request_id) > LONGEST_REQUEST_ID:
        raise malformed("INVALID_STRING_LENGTH", f"PayPal-Request-Id has at most {LONGEST_REQUEST_ID} characters.")
    return wanted


def _failing(engine: Engine, point: str, act: Callable[[], Answer]) -> Answer:
    """act(), unless a fault is in force at this point."""
    failure = engine.faults.take_failure(point)
    if failure is None:
        return act()
    if failure.kind == "hang":
        engine.stopping.wait(failure.seconds)
    if failure.kind == "500":
        return Answer(500, json.dumps(told("INTERNAL_SERVER_ERROR")))
    if failure.kind in ("503", "hang"):
        return Answer(503, json.dumps(told("SERVICE_UNAVAILABLE")))
    done = act()
    # The request id is free again by now: the client's next try gets the answer that it did not hear.
    if failure.kind == "act_then_hang":
        engine.stopping.wait(failure.seconds)
    if failure.kind == "act_then_500":
        return Answer(500, json.dumps(told("INTERNAL_SERVER_ERROR")))
    return replace(done, cut=failure.kind == "act_then_reset")


def _once(
    engine: Engine, asked: Asked, account: Account, operation: routes.Operation, ids: tuple[Any, ...],
    wanted: dict[str, Any],
) -> Answer:  # fmt: skip
    """The operation in its transaction, or the answer that was given under the same request id.

    Only what succeeded is kept: a refusal may well become a success later, as at PayPal.
    """
    place = (account.email, asked.path, asked.request_id)
    keyed = bool(asked.request_id) and asked.method == "POST"
    # One transaction at a time: a second request of the same id waits here for the first and gets its answer.
    with engine.call(asked.address) as call:
        kept = _recall(call, place) if keyed else None
        if kept is not None:
            return Answer(200, kept)
        status, body = operation.act(routes.Ask(call, account, wanted, asked.args), *ids)
        text = "" if body is None else json.dumps(body)
        if keyed:
            call.store.run("INSERT OR REPLACE INTO answered VALUES (?,?,?,?,?)", *place, call.now, text)
    return Answer(status, text)


def _recall(call: Call, place: tuple[str, str, str]) -> str | None:
    rows = call.store.rows(
        "SELECT body FROM answered WHERE account = ? AND path = ? AND request = ? AND created > ?",
        *place, call.now - KEEP_SECONDS,
    )  # fmt: skip
    return str(rows[0][0]) if rows else None


def _refused(error: PaypalError) -> Answer:
    return Answer(error.status, json.dumps(error.body))
