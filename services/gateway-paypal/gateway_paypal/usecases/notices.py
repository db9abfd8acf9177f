"""Notices of PayPal's: IPN messages and webhooks. Both are kept as they came and answered before anything else; a job
finds out whether PayPal sent them, and only then what they mean."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from common import clock
from common.errors import Unavailable
from common.gateway import notices as kept
from common.gateway.calls import as_a_job
from common.gateway.fact import Fact
from common.gateway.models import Notice
from common.gateway.notices import Translated
from common.jobs import Call
from common.runtime import Runtime
from gateway_paypal.client import GATEWAY, verify_ipn
from gateway_paypal.domain import ipn, translate
from gateway_paypal.domain.ipn import Ipn
from gateway_paypal.domain.translate import Movement
from gateway_paypal.models import Account
from gateway_paypal.usecases import accounts, customs, hooks, telling, test_notification
from gateway_paypal.usecases.accounts import Opened
from gateway_paypal.usecases.telling import Said, Understood
from gateway_paypal.webhooks import Headers

MAX_BODY_BYTES = 64 * 1024
TOO_LARGE = f"the body is larger than {MAX_BODY_BYTES // 1024} KiB"
IPN = "ipn"
# Anybody can post messages that PayPal will not own up to; beyond so many an hour it is asked to come back later.
UNOWNED_AN_HOUR = 500
NOT_SENT = "PayPal says that it did not send this (INVALID)"


@dataclass(frozen=True)
class Outcome:
    """What a notice came to. `understood`: what is to be told of it, if anything."""

    state: str
    reason: str | None
    understood: tuple[Understood, ...] = ()
    test_id: str | None = None

    def of_test(self, business_id: str) -> Sequence[Fact]:
        return [] if self.test_id is None else translate.of_test(business_id, self.test_id)


def receive_ipn(session: Session, business_id: str, body: bytes) -> bool:
    """Keep a message, once; whether there is a business for it. Raises Unavailable when too many were not PayPal's."""
    return _receive(session, business_id, "ipn", _kind(body), body)


def receive_webhook(session: Session, business_id: str, headers: Headers, body: bytes) -> bool:
    """Keep a webhook with the headers that sign it; as `receive_ipn`."""
    return _receive(session, business_id, "hook", hooks.kind(body), hooks.pack(headers, body))


def _receive(session: Session, business_id: str, sort: str, kind: str, whole: bytes) -> bool:
    account = session.get(Account, business_id)
    if account is None:
        return False
    _limit(session, business_id)
    kept.keep(session, business_id, account.mode, f"{sort}-{hashlib.sha256(whole).hexdigest()}", kind, whole)
    return True


def keep_too_large(session: Session, business_id: str) -> None:
    if session.get(Account, business_id) is not None:
        kept.keep_not_taken(session, business_id, b"", "", TOO_LARGE)


def _limit(session: Session, business_id: str) -> None:
    lately = select(func.count()).where(
        Notice.business_id == business_id, Notice.state == "refused", Notice.reason == NOT_SENT,
        Notice.received_at > clock.now() - timedelta(hours=1),
    )  # fmt: skip
    if session.execute(lately).scalar_one() >= UNOWNED_AN_HOUR:
        raise Unavailable("too_many_unowned", "Too many messages came that PayPal did not send. Try again later.")


def _kind(body: bytes) -> str:
    message = _read(body)
    return f"{IPN}:{message.get('txn_type') or 'none'}:{message.get('payment_status') or 'none'}"


def shown(body: bytes) -> dict[str, Any]:
    """A notice as it is shown: the text, and of IPN its fields."""
    if (hook := hooks.unpack(body)) is not None:
        return {"body": hook.text, "headers": hook.headers}
    message = _read(body)
    return {"body": body.decode("latin-1"), "fields": message.fields, "flags": list(message.flags)}


def translate_notice(runtime: Runtime, call: Call) -> Translated:
    """As every gateway's: (state, reason, facts)."""
    outcome = consider(runtime, call)
    facts = [fact for found in outcome.understood for fact in found.facts]
    return outcome.state, outcome.reason, [*facts, *outcome.of_test(call.business_id)]


def consider(runtime: Runtime, call: Call) -> Outcome:
    """The job's call: whether PayPal sent it, and what it means."""
    with runtime.database.read() as session:
        notice = session.get_one(Notice, (call.business_id, call.key))
        opened = accounts.open_account(runtime, session, call.business_id)
    if notice.mode != opened.mode:
        return Outcome("refused", f"it is {notice.mode} money, and the business does not take that now")
    with as_a_job(GATEWAY):
        if (hook := hooks.unpack(notice.body)) is not None:
            return _of_hook(runtime, opened, hook)
        return _of_ipn(runtime, opened, notice)


def _of_hook(runtime: Runtime, opened: Opened, hook: hooks.Hook) -> Outcome:
    reason = hooks.why_not_ours(runtime, opened, hook)
    if reason is not None:
        return Outcome("refused", reason)
    try:
        understood, remark = hooks.understand(runtime, opened, hook)
    except customs.Foreign as foreign:
        return Outcome("refused", str(foreign))
    return Outcome("done" if understood else "ignored", remark, understood)


def _of_ipn(runtime: Runtime, opened: Opened, notice: Notice) -> Outcome:
    settings: Any = runtime.settings
    is_paypals = verify_ipn(settings, opened.mode, notice.body)
    message = _read(notice.body)
    test_id = test_notification.test_of(runtime, opened.business_id, message)
    if test_id is not None:  # ours: PayPal has answered, and that is what the test is for
        return Outcome("done", "a test of ours, which PayPal rightly does not know", test_id=test_id)
    reason = _why_not_ours(opened, message) if is_paypals else NOT_SENT
    if reason is not None:
        return Outcome("refused", reason)
    movement = translate.of_ipn(message, notice.received_at)
    return Outcome("ignored", movement) if isinstance(movement, str) else _moved(runtime, opened, message, movement)


def _moved(runtime: Runtime, opened: Opened, message: Ipn, movement: Movement) -> Outcome:
    try:
        with runtime.database.read() as session:
            found = telling.understand(runtime, session, opened, movement, _said(message))
    except customs.Foreign as foreign:
        return Outcome("refused", str(foreign))
    if not found.facts:
        return Outcome("ignored", f"nothing is done for payment_status {movement.status!r}")
    remarks = [*([found.remark] if found.remark else []), *message.flags]
    return Outcome("done", "; ".join(remarks) or None, (found,))


def _read(body: bytes) -> Ipn:
    """The message; without fields when it cannot be read."""
    try:
        return ipn.read(body)
    except ValueError:
        return Ipn({}, ["it cannot be read"])


def _why_not_ours(opened: Opened, message: Ipn) -> str | None:
    """What a message that PayPal did send must still be: money of the business's mode, to the business's account."""
    is_test = message.get("test_ipn") == "1"
    if is_test != (opened.mode == "test"):
        return f"it is {'test' if is_test else 'live'} money, and the business takes {opened.mode} money"
    receiver_id = message.get("receiver_id")
    if opened.merchant_id and receiver_id:
        return None if receiver_id == opened.merchant_id else f"it was paid to another account ({receiver_id[:20]})"
    receivers = {message.get(name).casefold() for name in ("business", "receiver_email")} - {""}
    if opened.business_email in receivers:
        return None
    return "it was paid to another account" if receivers else "it does not say who received it"


def _said(message: Ipn) -> Said:
    return Said(
        custom=message.get("custom"), invoice=message.fields.get("invoice", ""), payer_id=message.get("payer_id"),
        payer_email=message.get("payer_email"), is_virtual_terminal=message.get("txn_type") == "virtual_terminal",
    )  # fmt: skip


def done(session: Session, call: Call, outcome: Outcome) -> None:
    """Tell what the notice means, and note what became of it and of its checkout."""
    for found in outcome.understood:
        telling.tell(session, call.business_id, found)
    kept.done(session, call, (outcome.state, outcome.reason, outcome.of_test(call.business_id)))
