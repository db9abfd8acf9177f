"""Refunds that payments asked for: made once at PayPal, whatever becomes of the first try."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from common import clock
from common.errors import Conflict
from common.gateway import facts
from common.gateway.calls import as_a_job
from common.gateway.fact import Fact
from common.jobs import Call, GiveUp
from common.runtime import Runtime
from gateway_paypal.client import GATEWAY
from gateway_paypal.domain import amounts, translate
from gateway_paypal.domain.translate import Context, Movement, Who
from gateway_paypal.usecases import accounts

MARK = "remit-refund:"


def make(runtime: Runtime, call: Call) -> Sequence[Fact]:
    """The job's call: the refund at PayPal. Its request id is the refund's: however often it is asked, it is one."""
    with runtime.database.read() as session:
        opened = accounts.open_account(runtime, session, call.business_id)
    payment_id, currency = call.payload["gateway_payment_id"], call.payload["currency"]
    body = {
        "amount": {"value": amounts.to_text(call.payload["amount_minor"], currency), "currency_code": currency},
        "custom_id": f"{MARK}{call.key}",
    }
    try:
        with as_a_job(GATEWAY):
            refund = opened.called().refund(payment_id, body, f"remit-refund-{call.key}")
    except Conflict as missing:
        raise GiveUp(
            "it needs PayPal's client id and secret; or make the refund at PayPal's site: it is booked when PayPal"
            " tells of it"
        ) from missing
    movement = translate.of_refund(refund, payment_id, call.key, clock.now())
    if not isinstance(movement, Movement):
        return []  # still pending: its notice tells
    context = Context(call.business_id, call.payload["gateway_account"])
    return translate.facts_of(context, movement, Who())


def done(session: Session, call: Call, answer: Sequence[Fact]) -> None:
    """Tell what PayPal answered. A notice that came first could not say which refund of ours it is: that is told then,
    so that payments no longer holds the money for it."""
    if not facts.tell(session, answer):
        facts.tell(session, [replace(fact, key=f"{fact.key}:{call.key}") for fact in answer])


def failed(session: Session, call: Call, reason: str) -> None:
    """Tell that no money went back."""
    told: Any = call.payload
    fact = translate.refund_failed(
        Context(call.business_id, told["gateway_account"]), told["gateway_payment_id"], call.key, told["amount_minor"],
        told["currency"], reason, clock.now(),
    )  # fmt: skip
    facts.tell(session, [fact])
