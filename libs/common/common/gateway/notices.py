"""Notices: a gateway's callbacks, kept as they came, answered at once, and translated afterwards by a job.

The gateway's own part is to know who sent one, and a job's call that translates it: (state, reason, facts).
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from common import clock, jobs
from common.db import insert_or
from common.errors import Conflict, NotFound, Unavailable
from common.gateway import facts
from common.gateway.fact import Fact
from common.gateway.models import Notice
from common.ids import new_id
from common.jobs import Call, GiveUp, TryLater
from common.runtime import Runtime

JOB = "notice"
# Anybody can send what is not taken: that much of it is kept to be looked at, and no more.
NOT_TAKEN = "none"
NOT_TAKEN_AN_HOUR = 30
NOT_TAKEN_BYTES = 4_000

Translated = tuple[str, str | None, Sequence[Fact]]
Translate = Callable[[Runtime, Call], Translated]


class NotTaken(Exception):
    """A callback that is not acted on, because nobody can tell whether the gateway sent it; the message says why."""


def keep(session: Session, business_id: str, mode: str, event_id: str, kind: str, body: bytes) -> bool:
    """Keep an event of the gateway's once, however it came, and leave the rest to a job; whether it is new."""
    row = _row(business_id, mode, event_id, kind, body)
    fresh = insert_or(session, Notice).values(row).on_conflict_do_nothing(index_elements=["business_id", "event_id"])
    if session.execute(fresh.returning(Notice.notice_id)).first() is None:
        return False
    jobs.add(session, [(JOB, str(row["notice_id"]), business_id, {})])
    return True


def keep_not_taken(session: Session, business_id: str, body: bytes, mark: str, reason: str) -> None:
    """Keep a callback that was not taken, so that its business sees it and why; the same one once. `mark`: what it was
    signed with."""
    lately = select(func.count()).where(
        Notice.business_id == business_id,
        Notice.mode == NOT_TAKEN,
        Notice.received_at > clock.now() - timedelta(hours=1),
    )
    if session.execute(lately).scalar_one() >= NOT_TAKEN_AN_HOUR:
        return
    event_id = "not-taken-" + hashlib.sha256(b"\0".join((reason.encode(), mark.encode(), body))).hexdigest()
    row = _row(business_id, NOT_TAKEN, event_id, "unknown", body[:NOT_TAKEN_BYTES])
    once = insert_or(session, Notice).on_conflict_do_nothing(index_elements=["business_id", "event_id"])
    session.execute(once.values({**row, "state": "refused", "reason": reason}))


def _row(business_id: str, mode: str, event_id: str, kind: str, body: bytes) -> dict[str, Any]:
    return {
        "business_id": business_id,
        "notice_id": new_id(),
        "event_id": event_id,
        "type": kind[:100],
        "mode": mode,
        "state": "received",
        "reason": None,
        "body": body,
        "received_at": clock.now(),
    }


def done(session: Session, call: Call, answer: Translated) -> None:
    """Tell what the notice means, and note what became of it."""
    state, reason, found = answer
    notice = session.get_one(Notice, (call.business_id, call.key))
    notice.state, notice.reason = state, reason
    session.flush()
    facts.tell(session, found)


def failed(session: Session, call: Call, reason: str) -> None:
    notice = session.get_one(Notice, (call.business_id, call.key))
    notice.state, notice.reason = "refused", reason[:2000]
    session.flush()


def delayed(session: Session, call: Call, reason: str) -> None:
    """It is tried again; meanwhile it says why it waits."""
    notice = session.get_one(Notice, (call.business_id, call.key))
    notice.reason = reason[:2000]
    session.flush()


def find(session: Session, business_id: str, notice_id: str) -> Notice:
    """The notice, or NotFound."""
    notice = session.get(Notice, (business_id, notice_id))
    if notice is None:
        raise NotFound("not_found", "There is no such notice.")
    return notice


def preview(runtime: Runtime, translate: Translate, business_id: str, notice_id: str) -> dict[str, Any]:
    """What translating it now would come to: its state and reason, and each event with whether it was told already.
    Asks the gateway; changes nothing. Raises as `replay`, and Unavailable."""
    with runtime.database.read() as session:
        _find_taken(session, business_id, notice_id)
    try:
        state, reason, found = translate(runtime, Call(business_id, notice_id, {}, 0))
    except TryLater as error:
        raise Unavailable("gateway_unavailable", f"{error} Nothing was changed; try again in a moment.") from error
    except GiveUp as error:
        return {"status": "refused", "reason": str(error), "events": []}
    with runtime.database.read() as session:
        told = facts.told_amounts(session, found)
    events = [{"event": type(fact.event).__name__, "already_told": fact.key in told} for fact in found]
    return {"status": state, "reason": reason, "events": events}


def replay(session: Session, business_id: str, notice_id: str) -> Notice:
    """Translate a notice again; what was told already is not told again. Raises NotFound, or Conflict of one that was
    not the gateway's."""
    notice = _find_taken(session, business_id, notice_id)
    notice.state, notice.reason = "received", None
    session.flush()
    jobs.retry(session, JOB, notice_id)
    return notice


def _find_taken(session: Session, business_id: str, notice_id: str) -> Notice:
    notice = find(session, business_id, notice_id)
    if notice.mode == NOT_TAKEN:
        raise Conflict("notice_not_taken", f"Nobody knows who sent it, so it cannot be replayed: {notice.reason}.")
    return notice


def newest_first(business_id: str, after: tuple[Any, ...] | None) -> Any:
    query = select(Notice).where(Notice.business_id == business_id).order_by(Notice.notice_id.desc())
    return query if after is None else query.where(Notice.notice_id < after[0])
