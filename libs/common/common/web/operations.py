"""What operators see of one service and do there, as on its command line: how it is, events that could not be handled,
and outside calls. Every service with an API has it; only tokens for all businesses reach it."""

from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from flask_openapi3 import APIBlueprint, Tag
from pydantic import AfterValidator, BaseModel, Field

from common import clock, inbox, jobs, logs, outbox
from common.errors import NotFound
from common.inbox import InboxRow
from common.jobs import JobRow
from common.text import clean_text
from common.web.app import caller, endpoint, runtime, session
from common.web.fields import Body, PageQuery
from common.web.paging import decode_cursor, page

READ, WRITE = "operations:read", "operations:write"
# A broker that says nothing is not waited for: the rest is wanted all the more then.
QUEUE_SECONDS = 1.0
MOST_OF_A_BODY = 100_000

log = logs.get("operations")


class InboxQuery(PageQuery):
    state: Literal["parked", "dead", "discarded"] | None = None


class JobsQuery(PageQuery):
    state: Literal["due", "claimed", "failed"] | None = None


class EventPath(BaseModel):
    event_id: str = Field(min_length=1, max_length=100)


class ReplayQuery(BaseModel):
    preview: bool = False


class DiscardBody(Body):
    reason: Annotated[str, Field(max_length=inbox.MAX_REASON), AfterValidator(clean_text), Field(min_length=1)]


class JobBody(Body):
    kind: str = Field(min_length=1, max_length=50)
    key: str = Field(min_length=1, max_length=200)


def blueprint() -> APIBlueprint:
    api = APIBlueprint("operations", __name__, abp_tags=[Tag(name="Operations")], abp_security=[{"bearer": []}])

    @api.get("/v1/operations/state")
    @endpoint(READ, in_stages=True, every_business=True)
    def state() -> dict[str, Any]:
        """How this service is: what it needs, and what waits where

        `database` and `bus` are `ok` or say why they are not; without its database the figures are null. `queue` is
        null where there is no broker, or it does not say.
        """
        checks = runtime().readiness()
        figures = _figures() if checks["database"] == "ok" else {"outbox": None, "inbox": None, "jobs": None}
        return {
            "service": runtime().service.name,
            "ready": all(found == "ok" for found in checks.values()),
            "checks": checks,
            **figures,
            "queue": _queue(checks),
            "clock": clock.now(),
        }

    @api.get("/v1/operations/inbox")
    @endpoint(READ, every_business=True)
    def list_events(query: InboxQuery) -> dict[str, Any]:
        """Events that could not be handled, oldest first: parked, dead and discarded"""
        after = decode_cursor(query.cursor, datetime, str)
        states = [query.state] if query.state else inbox.TROUBLED
        rows = inbox.troubled(session(), states, query.limit + 1, after)
        last = rows[query.limit - 1] if len(rows) > query.limit else None
        return page([_event(row) for row in rows], query.limit, [last.received_at, last.event_id] if last else None)

    @api.get("/v1/operations/inbox/<path:event_id>")
    @endpoint(READ, every_business=True)
    def get_event(path: EventPath) -> dict[str, Any]:
        """One event with its body as it came, without the secrets and the whole addresses in it"""
        row = _troubled(session().get(InboxRow, path.event_id))
        return {**_event(row), "body": _shown(row.body or "")}

    @api.post("/v1/operations/inbox/<path:event_id>/replay")
    @endpoint(WRITE, in_stages=True, every_business=True)
    def replay(path: EventPath, query: ReplayQuery) -> tuple[dict[str, Any], int]:
        """Let an event be tried again. With preview=true: what handling it now would emit, or why it would fail;
        nothing is changed"""
        if query.preview:
            with runtime().database.read() as reading:
                _troubled(reading.get(InboxRow, path.event_id))
            return _preview(path.event_id), 200
        with runtime().database.write() as writing:
            if not inbox.replay(writing, path.event_id):
                raise _no_event()
            _note("event replayed", event_id=path.event_id)
            return _event(writing.get_one(InboxRow, path.event_id)), 202

    @api.post("/v1/operations/inbox/<path:event_id>/discard")
    @endpoint(WRITE, every_business=True)
    def discard(path: EventPath, body: DiscardBody) -> dict[str, Any]:
        """Give an event up for good, saying why; it is kept"""
        if not inbox.discard(session(), path.event_id, body.reason):
            raise _no_event()
        _note("event discarded", event_id=path.event_id, reason=body.reason)
        return _event(session().get_one(InboxRow, path.event_id))

    @api.get("/v1/operations/jobs")
    @endpoint(READ, every_business=True)
    def list_jobs(query: JobsQuery) -> dict[str, Any]:
        """Calls to the outside that are due, claimed (under way, or in doubt) or failed, oldest first"""
        after = decode_cursor(query.cursor, datetime, str, str)
        states = [query.state] if query.state else jobs.NOT_DONE
        rows = jobs.not_done(session(), states, query.limit + 1, after)
        last = rows[query.limit - 1] if len(rows) > query.limit else None
        return page([_job(row) for row in rows], query.limit, [last.created_at, last.kind, last.key] if last else None)

    @api.post("/v1/operations/jobs/retry")
    @endpoint(WRITE, every_business=True)
    def retry_job(body: JobBody) -> dict[str, Any]:
        """Make a call again that ended"""
        if not jobs.retry(session(), body.kind, body.key):
            raise NotFound("not_found", "There is no such call that has ended.")
        _note("job retried", kind=body.kind, key=body.key)
        return _job(session().get_one(JobRow, (body.kind, body.key)))

    return api


def _figures() -> dict[str, Any]:
    with runtime().database.read() as reading:
        waiting, oldest = outbox.waiting(reading)
        return {
            "outbox": {"waiting": waiting, "oldest": oldest},
            "inbox": inbox.count_by_state(reading),
            "jobs": {**jobs.count_open(reading), "in_doubt": jobs.count_in_doubt(reading)},
        }


def _queue(checks: dict[str, str]) -> int | None:
    url = runtime().settings.amqp_url
    if not url or checks["bus"] != "ok":
        return None
    from common.bus import rabbit  # noqa: PLC0415 - only where there is a broker

    return rabbit.depth(url, runtime().service.name, QUEUE_SECONDS)


def _preview(event_id: str) -> dict[str, Any]:
    try:
        emitted = runtime().consumer.preview(event_id)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the operator wants to know
        return {"would_emit": [], "would_fail": logs.redact(inbox.reason_of(error))}
    return {"would_emit": logs.redact_tree(emitted), "would_fail": None}


def _troubled(row: InboxRow | None) -> InboxRow:
    if row is None or row.state not in inbox.TROUBLED:
        raise _no_event()
    return row


def _no_event() -> NotFound:
    return NotFound("not_found", "There is no such event that could not be handled. It may have been handled by now.")


def _event(row: InboxRow) -> dict[str, Any]:
    return {
        "event_id": row.event_id,
        "type": row.type,
        "business_id": row.business_id,
        "state": row.state,
        "attempts": row.attempts,
        "received_at": row.received_at,
        "next_at": row.next_at,
        "reason": logs.redact(row.reason) if row.reason else None,
    }


def _job(row: JobRow) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "key": row.key,
        "business_id": row.business_id,
        "state": row.state,
        "in_doubt": row.state == "claimed" and row.next_at < clock.now(),
        "attempts": row.attempts,
        "created_at": row.created_at,
        "next_at": row.next_at,
        "reason": logs.redact(row.reason) if row.reason else None,
    }


def _shown(body: str) -> str:
    """A body as people may read it: whatever it is, it came from outside."""
    try:
        parsed = logs.redact_tree(orjson.loads(body))
        text = orjson.dumps(parsed, option=orjson.OPT_INDENT_2).decode()
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):
        text = logs.redact(body)
    return text[:MOST_OF_A_BODY]


def _note(what: str, **facts: str) -> None:
    log.info(what, service=runtime().service.name, by=caller().actor.get("id"), caller=caller().sub, **facts)
