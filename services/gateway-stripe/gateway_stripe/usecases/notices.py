"""Notices of Stripe's: who sent one, what is kept of it, and what it means."""

import re
from contextlib import suppress
from typing import Any

import orjson
from sqlalchemy.orm import Session

from common.gateway import notices as kept
from common.gateway import seals
from common.gateway.calls import Refused, as_a_job
from common.gateway.models import Notice
from common.gateway.notices import NotTaken, Translated
from common.jobs import Call
from common.runtime import Runtime
from gateway_stripe import webhooks
from gateway_stripe.client import GATEWAY
from gateway_stripe.domain import translate
from gateway_stripe.models import Account, Intent, Keys
from gateway_stripe.usecases import accounts
from gateway_stripe.usecases.accounts import MODES, Opened, place

# Kept as it came, but for the secret with which a browser could still act on the payment.
_SECRET = re.compile(rb'("client_secret"\s*:\s*)"[^"]*"')
MAX_BODY_BYTES = 512 * 1024
TOO_LARGE = f"the body is larger than {MAX_BODY_BYTES // 1024} KiB"


def receive(runtime: Runtime, session: Session, business_id: str, body: bytes, signature: str) -> None:
    """Check who sent it, keep it once, and leave the rest to a job. Raises NotTaken."""
    mode = _verify(runtime, session, business_id, body, signature)
    keep(session, business_id, mode, _read(body), body)


def keep(session: Session, business_id: str, mode: str, event: dict[str, Any], body: bytes) -> bool:
    """Keep an event of Stripe's once, however it came; whether it is new."""
    return kept.keep(session, business_id, mode, event["id"], event["type"], _without_secrets(body))


def keep_refused(session: Session, business_id: str, body: bytes, signature: str, reason: str) -> None:
    """Keep a callback that was not taken, where there is a business to look at it."""
    if session.get(Account, business_id) is not None:
        kept.keep_not_taken(session, business_id, _without_secrets(body), signature, reason)


def shown(body: bytes) -> dict[str, Any]:
    """The event; the text of what is none."""
    try:
        return {"body": orjson.loads(body)}
    except orjson.JSONDecodeError:
        return {"body": body.decode(errors="replace")}


def _without_secrets(body: bytes) -> bytes:
    return _SECRET.sub(rb'\1"..."', body)


def _verify(runtime: Runtime, session: Session, business_id: str, body: bytes, signature: str) -> str:
    """The mode of the keys whose webhook signed it."""
    secrets: list[str] = []
    modes: list[str] = []
    for mode in MODES:
        keys = session.get(Keys, (business_id, mode))
        for name in ("webhook_secret", "previous_webhook_secret"):
            sealed = getattr(keys, name) if keys else None
            if sealed:
                # One from before the keys were entered anew may not open: it must not hide the one from since.
                with suppress(Refused):
                    secrets.append(seals.opened(runtime, sealed, place(business_id, mode, "webhook_secret")))
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


def translate_notice(runtime: Runtime, call: Call) -> Translated:
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
    with as_a_job(GATEWAY):
        return _translate(runtime, opened, kind, thing)


def _translate(runtime: Runtime, opened: Opened, kind: str, thing: dict[str, Any]) -> Translated:
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
