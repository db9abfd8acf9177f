"""Operations: a call that must answer with its outcome is committed before it is made, with the gateway's idempotency
key in it. A repeat of the request resumes it; one that nobody knows the outcome of is found out later."""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from common import clock, crash, errors
from common.db import Database, insert_or
from common.errors import Invalid, Unavailable
from common.gateway.calls import NOT_ASKED, Unknown, plainly
from common.gateway.models import Operation
from common.ids import new_id
from common.metrics import OPERATIONS_UNKNOWN
from common.runtime import Runtime
from common.timers import each

UNKNOWN = "outcome_unknown"
HANDED_OUT = "client_secret"
# After this a gateway shows whatever it has made: its own work on a request is long over.
SETTLED = timedelta(minutes=5)
UNDER_WAY = timedelta(seconds=60)


def run(
    gateway: str,
    database: Database,
    business_id: str,
    kind: str,
    caller: str,
    request_key: str | None,
    request: dict[str, Any],
    mode: str,
    act: Callable[[Operation], dict[str, Any]],
    look_for: Callable[[Operation], dict[str, Any] | None],
    record: Callable[[Session, Operation, dict[str, Any]], dict[str, Any]],
) -> tuple[dict[str, Any], bool]:
    """(answer, whether it is a repeat's). `act` calls the gateway with no transaction open; `record` writes what
    came of it, in the transaction that ends the operation, and makes the answer. What `act` refuses may be asked for
    again.

    An operation in doubt is looked for at the gateway before anything is made: an error that it answered once may stay
    the answer for that key, whatever it did.

    Raises Unavailable when the outcome is not known; the same request again finds it out.
    """
    operation, is_new = _begin(database, business_id, kind, caller, request_key or new_id(), request, mode)
    if operation.state == "done":
        answer: dict[str, Any] = orjson.loads(operation.answer or "{}")
        return answer, True
    try:
        outcome = act(operation) if is_new else _resume(database, operation, act, look_for)
    except Unknown as error:
        _note(database, operation, "unknown")
        raise Unavailable(
            UNKNOWN,
            f"{gateway} did not say what became of it. It is being found out; do not pay again, ask with the same"
            " request.",
            operation_id=operation.operation_id,
        ) from error
    except Exception as error:
        _note(database, operation, "refused")
        with plainly(gateway):
            raise error
    crash.here("gateway_answered")
    with database.write() as session:
        held = session.get_one(Operation, (business_id, operation.operation_id), with_for_update=True)
        if held.state == "done":
            return orjson.loads(held.answer or "{}"), True
        answer = record(session, held, outcome)
        # A secret is not kept: whoever repeats the request is given it by the gateway again.
        kept = {name: value for name, value in answer.items() if name != HANDED_OUT}
        held.state, held.answer = "done", orjson.dumps(kept).decode()
    return answer, False


def idempotency_key(operation: Operation, step: str) -> str:
    """The gateway's key of one step of an operation."""
    return f"remit-{operation.operation_id}-{step}-{operation.attempt}"


def _resume(
    database: Database,
    operation: Operation,
    act: Callable[[Operation], dict[str, Any]],
    look_for: Callable[[Operation], dict[str, Any] | None],
) -> dict[str, Any]:
    """What the gateway made of the operation already; made now, under a new key, when it is certain that there is
    nothing."""
    found = look_for(operation)
    if found is not None:
        return found
    if operation.state != "refused" and clock.now() - operation.started_at > SETTLED:
        with database.write() as session:
            held = session.get_one(Operation, (operation.business_id, operation.operation_id), with_for_update=True)
            if held.attempt == operation.attempt:  # else another repeat begins anew as well: with one key it is one
                held.attempt, held.started_at = held.attempt + 1, clock.now()
            operation.attempt = held.attempt
    return act(operation)


def begun(session: Session, business_id: str, kind: str, caller: str, request_key: str | None) -> Operation | None:
    """The operation that a request has begun before, if it may have done anything: it goes on whatever has become of
    what would refuse a new one."""
    if request_key is None:
        return None
    return session.scalars(
        _of_request(business_id, kind, caller, request_key).where(Operation.state != "refused")
    ).one_or_none()


def _of_request(business_id: str, kind: str, caller: str, request_key: str) -> Select[Operation]:
    return select(Operation).where(
        Operation.business_id == business_id,
        Operation.caller == caller,
        Operation.kind == kind,
        Operation.request_key == request_key,
    )


def _begin(
    database: Database, business_id: str, kind: str, caller: str, request_key: str, request: dict[str, Any], mode: str
) -> tuple[Operation, bool]:
    """The operation of this request, and whether it is new."""
    text = orjson.dumps(request, option=orjson.OPT_SORT_KEYS).decode()
    row = {
        "business_id": business_id,
        "operation_id": new_id(),
        "kind": kind,
        "caller": caller,
        "request_key": request_key,
        "request": text,
        "mode": mode,
        "state": "started",
        "attempt": 1,
        "started_at": clock.now(),
    }
    with database.write() as session:
        fresh = insert_or(session, Operation).values(row).on_conflict_do_nothing().returning(Operation.operation_id)
        is_new = session.execute(fresh).first() is not None
        found = session.scalars(_of_request(business_id, kind, caller, request_key)).one()
        if hashlib.sha256(found.request.encode()).digest() != hashlib.sha256(text.encode()).digest():
            raise Invalid(
                "idempotency_key_reused",
                "This Idempotency-Key was used for another request. Use a new key for a new request.",
            )
        session.expunge(found)
    return found, is_new


def _note(database: Database, operation: Operation, state: str) -> None:
    with database.write() as session:
        held = session.get_one(Operation, (operation.business_id, operation.operation_id), with_for_update=True)
        if held.state != "done":
            held.state = state


def measure(service: str, session: Session) -> None:
    """How many operations nobody knows the outcome of, those of the last minute left out: they may be under way."""
    unknown = select(func.count()).where(
        Operation.state.in_(("started", "unknown")), Operation.started_at < clock.now() - UNDER_WAY
    )
    OPERATIONS_UNKNOWN.labels(service).set(session.execute(unknown).scalar_one())


def find_unknown(runtime: Runtime, reconcile: Callable[[Runtime, str, datetime], object]) -> None:
    """Find out what became of operations that nobody knows the outcome of: `reconcile(runtime, business_id, since)`
    asks the gateway for what it has, and tells it."""
    before = clock.now() - UNDER_WAY
    waits = Operation.state.in_(("started", "unknown")), Operation.started_at < before
    with runtime.database.read() as session:
        since = func.min(Operation.started_at)
        asked = select(Operation.business_id, since).where(*waits).group_by(Operation.business_id).order_by(since)
        oldest = dict(session.execute(asked).all())

    def find_out(business_id: str) -> None:
        reconcile(runtime, business_id, oldest[business_id])
        with runtime.database.write() as session:
            found = update(Operation).where(Operation.business_id == business_id, *waits).values(state="resolved")
            session.execute(found)

    # The gateway is away, or there are no keys that it takes: the next round asks again.
    each(oldest, find_out, expected=(*NOT_ASKED, errors.Refused))
