"""Refunds: never more than the charge, some of them slow, some failing later."""

from __future__ import annotations

from sandbox.stripe.balance import record, settle
from sandbox.stripe.call import Call
from sandbox.stripe.cards import behaviour
from sandbox.stripe.currencies import check_decimals, worded
from sandbox.stripe.errors import StripeError, invalid, missing
from sandbox.stripe.lists import list_spec, listed
from sandbox.stripe.params import EXPAND, Params, boolean, choice, email, integer, merged, metadata, text
from sandbox.stripe.routes import operation
from sandbox.stripe.store import Body
from sandbox.stripe.tasks import task

REFUND_SECONDS = 1.0
CREATE = {
    **EXPAND, "amount": integer, "charge": text, "payment_intent": text, "currency": text,
    "reason": choice("duplicate", "fraudulent", "requested_by_customer"), "metadata": metadata,
    "instructions_email": email, "refund_application_fee": boolean, "reverse_transfer": boolean,
}  # fmt: skip


@operation("POST", "refunds", CREATE)
def create(call: Call, params: Params) -> Body:
    """Give back all that is left of a charge, or an amount of it."""
    charge = _charge(call, params)
    amount = params.get("amount")
    return refund(call, charge, amount, params.get("reason"), merged({}, params.get("metadata")))


def refund(call: Call, charge: Body, amount: int | None, reason: str | None, words: dict[str, str]) -> Body:
    """A new refund of so many minor units, None for all that is left. Raises StripeError (400)."""
    amount = _checked(charge, amount)
    slow = behaviour(charge["_number"])
    # The charge's own transaction comes first, also when the refund is quicker than the fee.
    settle(call, charge)
    body = call.head("re" if charge["id"].startswith("ch_") else "pyr", "refund") | {
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "currency": charge["currency"],
        "destination_details": {
            "card": {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"},
            "type": "card",
        },
        "metadata": words,
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if slow.later == "refund_waits" or slow.bank else "succeeded",
        "transfer_reversal": None,
    }
    call.add(body)
    body["balance_transaction"] = record(call, "refund", -amount, charge["currency"], body["id"])["id"]
    call.save(body)
    _count(call, charge, amount)
    call.emit("refund.created", body)
    call.emit("charge.refunded", charge)
    if body["status"] == "pending":
        call.later(REFUND_SECONDS, "refund_succeeds", body["id"])
    elif slow.later == "refund_fails":
        call.later(REFUND_SECONDS, "refund_fails", body["id"])
    return body


def _charge(call: Call, params: Params) -> Body:
    if params.get("charge"):
        return call.get("charge", params["charge"], "charge")
    if not params.get("payment_intent"):
        raise missing("payment_intent")
    intent = call.get("payment_intent", params["payment_intent"], "payment_intent")
    if intent["latest_charge"] is None or intent["status"] != "succeeded":
        raise invalid(
            f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.", "payment_intent"
        )
    return call.get("charge", intent["latest_charge"])


def _checked(charge: Body, amount: int | None) -> int:
    left = charge["amount_captured"] - charge["amount_refunded"]
    if charge["status"] != "succeeded":
        raise invalid(f"Charge {charge['id']} is not refundable: its status is {charge['status']}.", "charge")
    if charge["disputed"]:
        raise StripeError(
            400, f"Charge {charge['id']} has been charged back; cannot issue a refund.", "charge_disputed"
        )
    if left <= 0:
        raise StripeError(400, f"Charge {charge['id']} has already been refunded.", "charge_already_refunded")
    if amount is None:
        return int(left)
    if amount < 1:
        raise invalid("Invalid positive integer", "amount", "parameter_invalid_integer")
    check_decimals(amount, charge["currency"])
    if amount > left:
        unit = charge["currency"]
        raise invalid(
            f"Refund amount ({worded(amount, unit)}) is greater than unrefunded amount on charge"
            f" ({worded(left, unit)})",
            "amount",
        )
    return amount


def _count(call: Call, charge: Body, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] >= charge["amount_captured"]
    call.save(charge)


@task("refund_succeeds")
def refund_succeeds(call: Call, refund_id: str) -> None:
    """A slow refund has arrived."""
    body = call.get("refund", refund_id)
    if body["status"] == "pending":
        body["status"] = "succeeded"
        _changed(call, body, {"status": "pending"})


@task("refund_fails")
def refund_fails(call: Call, refund_id: str) -> None:
    """A refund came back: the money is the account's again, and the charge counts it no more."""
    body = call.get("refund", refund_id)
    if body["status"] not in ("pending", "succeeded"):
        return
    before = body["status"]
    back = record(call, "refund_failure", body["amount"], body["currency"], body["id"])
    body.update(status="failed", failure_reason="expired_or_canceled_card", failure_balance_transaction=back["id"])
    _count(call, call.get("charge", body["charge"]), -body["amount"])
    _changed(call, body, {"status": before})
    call.emit("refund.failed", body)


def _changed(call: Call, body: Body, previous: dict[str, str]) -> None:
    call.save(body)
    call.emit("refund.updated", body, previous)
    call.emit("charge.refund.updated", body, previous)


@operation("GET", "refunds/{id}", EXPAND)
def retrieve(call: Call, _params: Params, key: str) -> Body:
    """One refund."""
    return call.get("refund", key)


@operation("POST", "refunds/{id}", {**EXPAND, "metadata": metadata})
def update(call: Call, params: Params, key: str) -> Body:
    """Change a refund's metadata."""
    body = call.get("refund", key)
    body["metadata"] = merged(body["metadata"], params.get("metadata"))
    _changed(call, body, {})
    return body


@operation("GET", "refunds", list_spec("charge", "payment_intent"))
def page(call: Call, params: Params) -> Body:
    """Refunds."""
    return listed(call, "refund", params, "/v1/refunds", "charge", "payment_intent")
