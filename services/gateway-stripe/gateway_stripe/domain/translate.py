"""What Stripe's objects mean, pure: a table from types of notice to functions that make gateway-neutral events.

A notice is a hint: what moves money is made from the PaymentIntent or charge as Stripe shows it when it is asked, or
from the refund or dispute as the signed notice holds it, where that cannot change any more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from common.events.gateways import (
    GatewayDisputeClosed,
    GatewayDisputeOpened,
    GatewayFeeKnown,
    GatewayFundsReinstated,
    GatewayFundsWithdrawn,
    GatewayPaymentFailed,
    GatewayPaymentPending,
    GatewayPaymentSucceeded,
    GatewayRefundFailed,
    GatewayRefundSucceeded,
    GatewayTestNoticed,
)
from common.events.payments import Actor, Source
from common.gateway.fact import Fact

METADATA = "remit_"
OUTCOMES = {"won": "won", "lost": "lost", "warning_closed": "withdrawn", "prevented": "withdrawn"}


@dataclass(frozen=True)
class Context:
    """Whose account told it."""

    business_id: str
    account_id: str


def metadata(
    business_id: str,
    client_id: str,
    operation_id: str,
    source: Source,
    invoice_number: str | None,
    actor: dict[str, str],
) -> dict[str, str]:
    """What an intent of ours carries at Stripe, so that it can be adopted from there."""
    found = {
        "business": business_id,
        "client": client_id,
        "operation": operation_id,
        "source": source,
        "invoice": invoice_number or "",
        "actor_type": actor["type"],
        "actor_id": actor["id"],
        "actor_name": actor["name"],
    }
    return {f"{METADATA}{name}": value for name, value in found.items() if value}


def is_ours(context: Context, thing: dict[str, Any]) -> bool:
    """Whether an object carries this business in its metadata: two businesses may share one account."""
    return bool((thing.get("metadata") or {}).get(f"{METADATA}business") == context.business_id)


def of_intent(context: Context, intent: dict[str, Any]) -> Sequence[Fact]:
    """What a PaymentIntent's state means, from the intent with its latest charge expanded where it has one."""
    marks = _marks(intent)
    if "test" in marks:
        return _test(context, intent, marks["test"])
    meaning = _BY_STATUS.get(intent["status"])
    return meaning(_about(context, intent["id"]), intent, marks) if meaning else []


def _test(context: Context, intent: dict[str, Any], test_id: str) -> Sequence[Fact]:
    if intent["status"] != "succeeded":
        return []
    noticed = GatewayTestNoticed(business_id=context.business_id, gateway="stripe", test_id=test_id)
    return [Fact(f"test:{test_id}", noticed)]


def _succeeded(about: dict[str, Any], intent: dict[str, Any], marks: dict[str, str]) -> Sequence[Fact]:
    money = _money(intent, marks, intent["amount_received"])
    event = GatewayPaymentSucceeded(**about, **money, reference=intent["id"])
    recorded = Fact(f"succeeded:{intent['id']}", event, event.amount_minor)
    return [recorded, *_fee(about, intent.get("latest_charge"))]


def _processing(about: dict[str, Any], intent: dict[str, Any], marks: dict[str, str]) -> Sequence[Fact]:
    money = _money(intent, marks, intent["amount"])
    pending = GatewayPaymentPending(**about, **money, reason="the bank has not confirmed it yet")
    return [Fact(f"pending:{intent['id']}", pending)]


def _canceled(about: dict[str, Any], intent: dict[str, Any], marks: dict[str, str]) -> Sequence[Fact]:
    return [_failed(about, marks, "canceled", "the payment was cancelled", f"canceled:{intent['id']}")]


def _attempted(about: dict[str, Any], intent: dict[str, Any], marks: dict[str, str]) -> Sequence[Fact]:
    """An attempt that failed: the intent is back at asking for a card."""
    error = intent.get("last_payment_error")
    if not error:
        return []
    code = error.get("decline_code") or error.get("code") or "failed"
    charge = error.get("charge") or intent.get("latest_charge")
    attempt = _id(charge) if charge else ""
    words = error.get("message") or "the payment failed"
    return [_failed(about, marks, code, words, f"failed:{intent['id']}:{attempt}")]


_BY_STATUS: dict[str, Callable[[dict[str, Any], dict[str, Any], dict[str, str]], Sequence[Fact]]] = {
    "succeeded": _succeeded,
    "processing": _processing,
    "canceled": _canceled,
    "requires_payment_method": _attempted,
}


def of_charge(context: Context, charge: dict[str, Any]) -> Sequence[Fact]:
    """What a charge tells besides its intent: the fee, once its balance transaction is there."""
    if not charge.get("payment_intent"):
        return []
    return _fee(_about(context, _id(charge["payment_intent"])), charge)


def of_refund(context: Context, refund: dict[str, Any]) -> Sequence[Fact]:
    """One refund, which may be ours or made at Stripe's own site."""
    if not refund.get("payment_intent") or refund["status"] not in ("succeeded", "failed", "canceled"):
        return []
    about = {
        **_about(context, _id(refund["payment_intent"])),
        "gateway_refund_id": refund["id"],
        "refund_id": _marks(refund).get("refund"),
        "amount_minor": refund["amount"],
        "currency": refund["currency"].upper(),
        "happened_at": _moment(refund["created"]),
    }
    if refund["status"] == "succeeded":
        done = GatewayRefundSucceeded(**about, reason=refund.get("reason") or "refunded at Stripe")
        return [Fact(f"refunded:{refund['id']}", done)]
    failed = GatewayRefundFailed(**about, reason=refund.get("failure_reason") or refund["status"])
    return [Fact(f"refund-failed:{refund['id']}", failed)]


def of_dispute(context: Context, dispute: dict[str, Any]) -> Sequence[Fact]:
    """A dispute's state, and the movements of money that it brought: two different things."""
    if not dispute.get("payment_intent"):
        return []
    intent_id, dispute_id = _id(dispute["payment_intent"]), dispute["id"]
    about = {**_about(context, intent_id), "gateway_dispute_id": dispute_id}
    opened = GatewayDisputeOpened(
        **about, amount_minor=dispute["amount"], reason=dispute["reason"], happened_at=_moment(dispute["created"])
    )
    facts = [Fact(f"disputed:{dispute_id}", opened)]
    for movement in dispute.get("balance_transactions") or []:
        kind = GatewayFundsWithdrawn if movement["amount"] < 0 else GatewayFundsReinstated
        # An account that is settled in another currency moves that; the payment is kept in its own, the dispute's.
        is_settled_alike = movement["currency"] == dispute["currency"]
        moved = kind(
            **about, gateway_movement_id=movement["id"],
            amount_minor=abs(movement["amount"]) if is_settled_alike else dispute["amount"],
            currency=dispute["currency"].upper(), happened_at=_moment(movement["created"]),
        )  # fmt: skip
        facts.append(Fact(f"moved:{movement['id']}", moved))
    if dispute["status"] in OUTCOMES:
        outcome: Any = OUTCOMES[dispute["status"]]
        closed = GatewayDisputeClosed(**about, outcome=outcome, happened_at=_moment(dispute["created"]))
        facts.append(Fact(f"dispute-closed:{dispute_id}", closed))
    return facts


Translate = Callable[[Context, dict[str, Any]], Sequence[Fact]]
# Type of notice → what kind of object it is about. Its meaning is the object's: duplicates and order are harmless.
ABOUT: dict[str, str] = {
    "payment_intent.succeeded": "payment_intent",
    "payment_intent.payment_failed": "payment_intent",
    "payment_intent.processing": "payment_intent",
    "payment_intent.requires_action": "payment_intent",
    "payment_intent.canceled": "payment_intent",
    "charge.updated": "charge",
    "refund.created": "refund",
    "refund.updated": "refund",
    "refund.failed": "refund",
    "charge.dispute.created": "dispute",
    "charge.dispute.updated": "dispute",
    "charge.dispute.funds_withdrawn": "dispute",
    "charge.dispute.funds_reinstated": "dispute",
    "charge.dispute.closed": "dispute",
}
MEANING: dict[str, Translate] = {
    "payment_intent": of_intent,
    "charge": of_charge,
    "refund": of_refund,
    "dispute": of_dispute,
}
# Told of, and of no meaning for money.
HEARD = ("setup_intent.succeeded", "setup_intent.setup_failed", "payment_method.attached", "payment_method.detached")


def _about(context: Context, intent_id: str) -> dict[str, Any]:
    return {
        "business_id": context.business_id,
        "gateway": "stripe",
        "gateway_account": context.account_id,
        "gateway_payment_id": intent_id,
    }


def _money(intent: dict[str, Any], marks: dict[str, str], amount_minor: int) -> dict[str, Any]:
    actor = None
    if "actor_type" in marks:
        actor = Actor(type=marks["actor_type"], id=marks.get("actor_id", ""), name=marks.get("actor_name", ""))
    return {
        "amount_minor": amount_minor,
        "currency": intent["currency"].upper(),
        "client_id": marks.get("client"),
        "method": "card",
        "source": marks.get("source", "reconciled"),
        "invoice_number": marks.get("invoice"),
        "recorded_by": actor,
        "happened_at": _moment(intent["created"]),
    }


def _fee(about: dict[str, Any], charge: Any) -> list[Fact]:
    transaction = charge.get("balance_transaction") if isinstance(charge, dict) else None
    if not isinstance(transaction, dict):
        return []
    intent_id = about["gateway_payment_id"]
    event = GatewayFeeKnown(**about, fee_minor=transaction["fee"], currency=transaction["currency"].upper())
    return [Fact(f"fee:{intent_id}", event, event.fee_minor)]


def _failed(about: dict[str, Any], marks: dict[str, str], code: str, reason: str, key: str) -> Fact:
    return Fact(key, GatewayPaymentFailed(**about, client_id=marks.get("client"), code=code, reason=reason[:500]))


def _marks(thing: dict[str, Any]) -> dict[str, str]:
    found = thing.get("metadata") or {}
    return {name.removeprefix(METADATA): value for name, value in found.items() if name.startswith(METADATA)}


def _id(thing: Any) -> str:
    return str(thing if isinstance(thing, str) else thing["id"])


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
