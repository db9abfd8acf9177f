"""Notices: Stripe's callbacks, kept as they came, answered at once, and translated afterwards by a job."""

import re
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from common import clock, jobs
from common.db import insert_or
from common.errors import NotFound
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


class NotTaken(Exception):
    """A callback that is not kept, because nobody can tell whether Stripe sent it; the message says why."""


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
    return "done", None, translate.MEANING[kind](opened.context, thing)


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


def replay(session: Session, business_id: str, notice_id: str) -> Notice:
    """Translate a notice again; what was told already is not told again."""
    notice = find(session, business_id, notice_id)
    notice.state, notice.reason = "received", None
    session.flush()
    jobs.retry(session, JOB, notice_id)
    return notice


def newest_first(business_id: str, after: tuple[Any, ...] | None) -> Any:
    query = select(Notice).where(Notice.business_id == business_id).order_by(Notice.notice_id.desc())
    return query if after is None else query.where(Notice.notice_id < after[0])
