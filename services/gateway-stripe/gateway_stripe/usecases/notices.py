"""Notices: Stripe's callbacks, kept as they came, answered at once, and translated afterwards by a job."""

import hashlib
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from common import clock, jobs
from common.db import insert_or
from common.errors import Conflict, NotFound, Unavailable
from common.ids import new_id
from common.jobs import Call, GiveUp, TryLater
from common.runtime import Runtime
from gateway_stripe import webhooks
from gateway_stripe.client import Refused, Unknown
from gateway_stripe.domain import translate
from gateway_stripe.domain.translate import Fact
from gateway_stripe.models import Account, Intent, Keys, Notice
from gateway_stripe.usecases import accounts, facts
from gateway_stripe.usecases.accounts import MODES, Opened, place

JOB = "notice"
# Kept as it came, but for the secret with which a browser could still act on the payment.
_SECRET = re.compile(r'("client_secret"\s*:\s*)"[^"]*"')
MAX_BODY_BYTES = 512 * 1024


TOO_LARGE = f"the body is larger than {MAX_BODY_BYTES // 1024} KiB"
# Anybody can send what is not taken: that much of it is kept to be looked at, and no more.
NOT_TAKEN = "none"
NOT_TAKEN_AN_HOUR = 30
NOT_TAKEN_CHARACTERS = 4_000


class NotTaken(Exception):
    """A callback that is not acted on, because nobody can tell whether Stripe sent it; the message says why."""


def receive(runtime: Runtime, session: Session, business_id: str, body: bytes, signature: str) -> None:
    """Check who sent it, keep it once, and leave the rest to a job. Raises NotTaken."""
    mode = _verify(runtime, session, business_id, body, signature)
    keep(session, business_id, mode, _read(body), body.decode())


def keep(session: Session, business_id: str, mode: str, event: dict[str, Any], text: str) -> bool:
    """Keep an event of Stripe's once, however it came, and leave the rest to a job; whether it is new."""
    row = {
        "business_id": business_id,
        "notice_id": new_id(),
        "event_id": event["id"],
        "type": event["type"][:100],
        "mode": mode,
        "state": "received",
        "reason": None,
        "body": _SECRET.sub(r'\1"…"', text.replace("\0", "")),
        "received_at": clock.now(),
    }
    fresh = insert_or(session, Notice).values(row).on_conflict_do_nothing(index_elements=["business_id", "event_id"])
    if session.execute(fresh.returning(Notice.notice_id)).first() is None:
        return False
    jobs.add(session, [(JOB, str(row["notice_id"]), business_id, {})])
    return True


def keep_refused(session: Session, business_id: str, body: bytes, signature: str, reason: str) -> None:
    """Keep a callback that was not taken, so that its business sees it and why; the same one once."""
    if session.get(Account, business_id) is None:
        return  # nobody would look at it
    now = clock.now()
    lately = select(func.count()).where(
        Notice.business_id == business_id, Notice.mode == NOT_TAKEN, Notice.received_at > now - timedelta(hours=1)
    )
    if session.execute(lately).scalar_one() >= NOT_TAKEN_AN_HOUR:
        return
    text = _SECRET.sub(r'\1"…"', body.decode(errors="replace").replace("\0", ""))
    row = {
        "business_id": business_id,
        "notice_id": new_id(),
        "event_id": "not-taken-" + hashlib.sha256(b"\0".join((reason.encode(), signature.encode(), body))).hexdigest(),
        "type": "unknown",
        "mode": NOT_TAKEN,
        "state": "refused",
        "reason": reason,
        "body": text[:NOT_TAKEN_CHARACTERS],
        "received_at": now,
    }
    once = insert_or(session, Notice).on_conflict_do_nothing(index_elements=["business_id", "event_id"])
    session.execute(once.values(row))


def _verify(runtime: Runtime, session: Session, business_id: str, body: bytes, signature: str) -> str:
    """The mode of the keys whose webhook signed it."""
    secrets: list[str] = []
    modes: list[str] = []
    for mode in MODES:
        keys = session.get(Keys, (business_id, mode))
        for name in ("webhook_secret", "previous_webhook_secret"):
            sealed = getattr(keys, name) if keys else None
            if sealed:
                secrets.append(runtime.sealer.open(sealed, place(business_id, mode, "webhook_secret")))
                modes.append(mode)
    try:
        return modes[webhooks.verify(body, signature, secrets)]
    except webhooks.NotSigned as error:
        raise NotTaken(str(error)) from None


def _read(body: bytes) -> dict[str, Any]:
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise NotTaken("the body is not JSON") from None
    if not isinstance(event, dict) or not isinstance(event.get("id"), str) or not isinstance(event.get("type"), str):
        raise NotTaken("the body is no event: it has no id and type")
    if event.get("object") != "event" or not isinstance(event.get("data"), dict):
        raise NotTaken("this is a thin event; let the webhook send snapshot events")
    return event


def translate_notice(runtime: Runtime, call: Call) -> tuple[str, str | None, Sequence[Fact]]:
    """The job's call: (state, reason, facts). A payment is asked for at Stripe: the notice is a hint."""
    with runtime.database.read() as session:
        notice = session.get_one(Notice, (call.business_id, call.key))
        account = session.get(Account, call.business_id)
        event = orjson.loads(notice.body)
        if account is None or notice.mode != account.mode or event.get("livemode") != (notice.mode == "live"):
            return "refused", f"it is {notice.mode} money, and the business does not take that now", []
        kind = translate.ABOUT.get(event["type"])
        if kind is None:
            reason = None if event["type"] in translate.HEARD else f"nothing is done for {event['type']}"
            return "ignored", reason, []
        opened = accounts.open_account(runtime, session, call.business_id, notice.mode)
    thing = event["data"].get("object")
    if not isinstance(thing, dict) or not thing.get("id"):
        return "refused", "its object has no id", []
    try:
        return _translate(runtime, opened, kind, thing)
    except Unknown as error:
        raise TryLater(f"Stripe does not answer: {error}") from error
    except Refused as error:
        raise GiveUp(f"Stripe refused to show {thing['id']}: {error.message}") from error


def _translate(
    runtime: Runtime, opened: Opened, kind: str, thing: dict[str, Any]
) -> tuple[str, str | None, Sequence[Fact]]:
    if kind == "payment_intent":
        thing = opened.stripe.intent(thing["id"])
        ours = translate.is_ours(opened.context, thing)
    else:
        intent_id = thing.get("payment_intent")
        ours = bool(intent_id) and _is_ours(runtime, opened, str(intent_id))
    if not ours:
        return "ignored", "it is not this business's: its payment was not made here", []
    if kind == "charge":
        thing = opened.stripe.charge(thing["id"])
    found = translate.MEANING[kind](opened.context, thing)
    return "done", None if found else f"Stripe shows it as {thing.get('status')}: there is nothing to tell", found


def _is_ours(runtime: Runtime, opened: Opened, intent_id: str) -> bool:
    with runtime.database.read() as session:
        if session.get(Intent, (opened.business_id, intent_id)) is not None:
            return True
    return translate.is_ours(opened.context, opened.stripe.intent(intent_id))


def done(session: Session, call: Call, answer: tuple[str, str | None, Sequence[Fact]]) -> None:
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


def find(session: Session, business_id: str, notice_id: str) -> Notice:
    """The notice, or NotFound."""
    notice = session.get(Notice, (business_id, notice_id))
    if notice is None:
        raise NotFound("not_found", "There is no such notice.")
    return notice


def preview(runtime: Runtime, business_id: str, notice_id: str) -> dict[str, Any]:
    """What translating it now would come to: its state and reason, and each event with whether it was told already.
    Asks Stripe; changes nothing. Raises as `replay`, and Unavailable."""
    with runtime.database.read() as session:
        _find_taken(session, business_id, notice_id)
    try:
        state, reason, found = translate_notice(runtime, Call(business_id, notice_id, {}, 0))
    except TryLater as error:
        raise Unavailable("stripe_unavailable", f"{error} Nothing was changed; try again in a moment.") from error
    except GiveUp as error:
        return {"status": "refused", "reason": str(error), "events": []}
    with runtime.database.read() as session:
        told = facts.told_amounts(session, found)
    events = [{"event": type(fact.event).__name__, "already_told": fact.key in told} for fact in found]
    return {"status": state, "reason": reason, "events": events}


def replay(session: Session, business_id: str, notice_id: str) -> Notice:
    """Translate a notice again; what was told already is not told again. Raises NotFound, or Conflict of one that was
    not Stripe's."""
    notice = _find_taken(session, business_id, notice_id)
    notice.state, notice.reason = "received", None
    session.flush()
    jobs.retry(session, JOB, notice_id)
    return notice


def _find_taken(session: Session, business_id: str, notice_id: str) -> Notice:
    notice = find(session, business_id, notice_id)
    if notice.mode == NOT_TAKEN:
        raise Conflict("notice_not_taken", f"It was not taken as Stripe's, and cannot be replayed: {notice.reason}.")
    return notice


def newest_first(business_id: str, after: tuple[Any, ...] | None) -> Any:
    query = select(Notice).where(Notice.business_id == business_id).order_by(Notice.notice_id.desc())
    return query if after is None else query.where(Notice.notice_id < after[0])
