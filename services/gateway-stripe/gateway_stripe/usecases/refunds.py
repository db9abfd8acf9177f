"""Refunds that payments asked for: made once at Stripe, also when nobody knows whether the first try was."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from common import clock
from common.events.gateways import GatewayRefundFailed
from common.gateway import facts
from common.gateway.calls import as_a_job
from common.gateway.fact import Fact
from common.jobs import Call
from common.runtime import Runtime
from gateway_stripe.client import GATEWAY
from gateway_stripe.domain import translate
from gateway_stripe.models import Intent
from gateway_stripe.usecases import accounts


def make(runtime: Runtime, call: Call) -> Sequence[Fact]:
    """The job's call: the refund at Stripe. It is looked for first: Stripe's keys do not live for ever, and an error
    may have become the answer for one, whatever was done."""
    intent_id = call.payload["gateway_payment_id"]
    with runtime.database.read() as session:
        held = session.get(Intent, (call.business_id, intent_id))
        opened = accounts.open_account(runtime, session, call.business_id, held.mode if held else None)
    with as_a_job(GATEWAY):
        found = _made_before(opened.stripe.refunds_of(intent_id), call.key)
        refund = found or opened.stripe.refund(_params(call, intent_id), f"remit-refund-{call.key}")
    return translate.of_refund(opened.context, refund)


def _params(call: Call, intent_id: str) -> dict[str, Any]:
    return {
        "payment_intent": intent_id,
        "amount": call.payload["amount_minor"],
        "reason": "requested_by_customer",
        "metadata": {"remit_business": call.business_id, "remit_refund": call.key},
    }


def _made_before(refunds: Sequence[dict[str, Any]], refund_id: str) -> dict[str, Any] | None:
    return next((refund for refund in refunds if (refund.get("metadata") or {}).get("remit_refund") == refund_id), None)


def done(session: Session, _call: Call, answer: Sequence[Fact]) -> None:
    """Tell what Stripe answered; a refund that is still pending is told of by its notices."""
    facts.tell(session, answer)


def failed(session: Session, call: Call, reason: str) -> None:
    """Tell that no money went back."""
    event = GatewayRefundFailed(
        business_id=call.business_id,
        gateway="stripe",
        gateway_account=call.payload["gateway_account"],
        gateway_payment_id=call.payload["gateway_payment_id"],
        gateway_refund_id=f"none:{call.key}",
        refund_id=call.key,
        amount_minor=call.payload["amount_minor"],
        currency=call.payload["currency"],
        happened_at=clock.now(),
        reason=reason[:500],
    )
    facts.tell(session, [Fact(f"refund-failed:none:{call.key}", event)])
