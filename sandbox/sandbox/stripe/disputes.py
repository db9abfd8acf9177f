"""Disputes: a client takes the money back through the bank, and the bank decides."""

from __future__ import annotations

from sandbox.stripe.balance import record, settle
from sandbox.stripe.call import Call
from sandbox.stripe.cards import behaviour
from sandbox.stripe.errors import StripeError, invalid
from sandbox.stripe.lists import list_spec, listed
from sandbox.stripe.params import EXPAND, Params, anything, boolean, merged, metadata
from sandbox.stripe.routes import operation
from sandbox.stripe.store import Body
from sandbox.stripe.tasks import task

FEE = 1500
ANSWER_SECONDS = 14 * 24 * 3600
CLOSED = ("won", "lost", "warning_closed")


def open_dispute(
    call: Call, charge: Body, reason: str, *, amount: int | None = None, inquiry: bool = False, withdraw: bool = True
) -> Body:
    """A new dispute of a paid charge. inquiry: the bank only asks, no money moves. Raises StripeError (400)."""
    if not charge["paid"] or charge["disputed"]:
        raise invalid(f"Charge {charge['id']} is not paid, or disputed already.", "charge")
    disputed = amount or charge["amount"]
    if not 1 <= disputed <= charge["amount"]:
        raise invalid("A dispute is about at most the amount of the charge.", "amount")
    settle(call, charge)
    body = call.add(_new(call, charge, disputed, reason, inquiry=inquiry))
    call.emit("charge.dispute.created", body)
    if not inquiry:
        charge["disputed"] = True
        call.save(charge)
        call.emit("charge.updated", charge, {"disputed": False})
    if withdraw and not inquiry:
        withdraw_funds(call, body)
    return body


def _new(call: Call, charge: Body, amount: int, reason: str, *, inquiry: bool) -> Body:
    card = {"brand": "visa", "case_type": "inquiry" if inquiry else "chargeback", "network": "visa",
            "network_reason_code": "10"}  # fmt: skip
    return call.head("du", "dispute") | {
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {},
        "evidence_details": {
            "due_by": call.now + ANSWER_SECONDS,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": inquiry,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {"card": card, "type": "card"},
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
        "_moved": 0,
    }


def withdraw_funds(call: Call, body: Body) -> Body:
    """The bank takes the amount, Stripe its fee."""
    if body["_moved"]:
        raise invalid("The funds of this dispute are withdrawn already.")
    _move(call, body, -body["amount"], FEE)
    call.emit("charge.dispute.funds_withdrawn", body)
    return body


def reinstate_funds(call: Call, body: Body) -> Body:
    """The amount and the fee come back."""
    if not body["_moved"]:
        raise invalid("The funds of this dispute are not withdrawn.")
    _move(call, body, body["amount"], -FEE)
    call.emit("charge.dispute.funds_reinstated", body)
    return body


def _move(call: Call, body: Body, amount: int, cost: int) -> None:
    moved = record(call, "adjustment", amount, body["currency"], body["id"], cost)
    body["balance_transactions"].append(moved)
    body["_moved"] = int(amount < 0)
    call.save(body)


def close_dispute(call: Call, body: Body, status: str) -> Body:
    """The bank has decided: won (the funds come back), lost, or warning_closed for an inquiry."""
    if body["status"] in CLOSED:
        raise invalid(f"This dispute is already closed: {body['status']}.")
    if status not in CLOSED or (status == "warning_closed") != body["status"].startswith("warning"):
        raise invalid(f"A dispute that is {body['status']} cannot become {status}.", "status")
    body["status"] = status
    call.save(body)
    if status == "won" and body["_moved"]:
        reinstate_funds(call, body)
    call.emit("charge.dispute.closed", body)
    return body


@task("dispute")
def dispute_comes(call: Call, charge_id: str) -> None:
    """What a test card brings after its success."""
    charge = call.get("charge", charge_id)
    if not charge["disputed"]:
        open_dispute(call, charge, behaviour(charge["_number"]).reason)


@task("inquiry")
def inquiry_comes(call: Call, charge_id: str) -> None:
    """What a test card brings after its success: a question, no money moves."""
    open_dispute(call, call.get("charge", charge_id), "fraudulent", inquiry=True)


@operation("GET", "disputes/{id}", EXPAND)
def retrieve(call: Call, _params: Params, key: str) -> Body:
    """One dispute."""
    return call.get("dispute", key)


@operation("GET", "disputes", list_spec("charge", "payment_intent"))
def page(call: Call, params: Params) -> Body:
    """Disputes."""
    return listed(call, "dispute", params, "/v1/disputes", "charge", "payment_intent")


@operation("POST", "disputes/{id}", {**EXPAND, "evidence": anything, "metadata": metadata, "submit": boolean})
def update(call: Call, params: Params, key: str) -> Body:
    """Answer a dispute. As at Stripe, the evidence winning_evidence wins and losing_evidence loses."""
    body = call.get("dispute", key)
    if body["status"] in CLOSED:
        raise StripeError(400, f"This dispute is already closed: {body['status']}.", param="id")
    evidence = dict(params.get("evidence") or {})
    body["evidence"] |= evidence
    body["metadata"] = merged(body["metadata"], params.get("metadata"))
    body["evidence_details"]["has_evidence"] = bool(body["evidence"])
    words = evidence.get("uncategorized_text")
    if evidence and params.get("submit", True) and not body["status"].startswith("warning"):
        body["status"] = "under_review"
    call.save(body)
    call.emit("charge.dispute.updated", body)
    if words in ("winning_evidence", "losing_evidence") and body["status"] == "under_review":
        close_dispute(call, body, "won" if words == "winning_evidence" else "lost")
    return body


@operation("POST", "disputes/{id}/close", EXPAND)
def close(call: Call, _params: Params, key: str) -> Body:
    """Accept that a dispute is lost."""
    body = call.get("dispute", key)
    return close_dispute(call, body, "warning_closed" if body["status"].startswith("warning") else "lost")
