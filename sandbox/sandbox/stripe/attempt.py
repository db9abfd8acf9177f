"""One attempt to pay an intent: 3-D Secure, decline, bank debit or success, with what each leaves behind."""

from __future__ import annotations

from typing import Any

from sandbox.stripe import charges
from sandbox.stripe.bodies import visible
from sandbox.stripe.call import Call
from sandbox.stripe.cards import AUTHENTICATION, BANK_FUNDS, EXPIRED, Refusal, TestCard
from sandbox.stripe.errors import StripeError, card_error
from sandbox.stripe.saved import attach, card_of, expired
from sandbox.stripe.store import Body
from sandbox.stripe.tasks import task

# By the sandbox's clock. A bank takes days; the control API completes a debit at once.
FEE_SECONDS = 1.0
DISPUTE_SECONDS = 1.0
BANK_SECONDS = 4 * 24 * 3600.0
CARD_FAILED = "The provided PaymentMethod has failed authentication. You can provide a new one to try again."


def attempt(call: Call, intent: Body, method: Body, *, off_session: bool, authenticated: bool = False) -> None:
    """Charge the method. Raises StripeError (402, kept) when that is refused; the intent is saved in any case."""
    card = card_of(method)
    intent.update(payment_method=method["id"], last_payment_error=None, next_action=None)
    if not authenticated and asks(intent, method, card, off_session=off_session):
        if off_session or intent["_error_on_action"]:
            refuse(call, intent, method, AUTHENTICATION)
        else:
            ask(call, intent)
        return
    if card.bank:
        process(call, intent, method)
        return
    stale = method["type"] == "card" and expired(call, method["card"]["exp_month"], method["card"]["exp_year"])
    refusal = EXPIRED if stale else card.charge
    if refusal is not None:
        refuse(call, intent, method, refusal)
    charge = charges.make(call, intent, method, "succeeded")
    keep_method(call, intent, method)
    succeed(call, intent, charge, card)


def asks(intent: Body, method: Body, card: TestCard, *, off_session: bool) -> bool:
    """Whether the bank wants to see the client; never for orders by mail and telephone."""
    options = (intent["payment_method_options"] or {}).get("card") or {}
    if options.get("moto") or card.secure == "never":
        return False
    if card.secure == "always" or not off_session:
        return True
    return card.secure == "setup" and not method["_set_up"]


def ask(call: Call, intent: Body) -> None:
    """Wait for the client to prove that the card is theirs."""
    intent.update(status="requires_action", next_action=next_action(call, intent))
    call.save(intent)
    call.emit(f"{intent['object']}.requires_action", intent)


def next_action(call: Call, intent: Body) -> dict[str, Any]:
    """What Stripe.js does, or the address where a client without it is sent."""
    if intent["_return_url"] and not call.browser:
        url = f"{call.address}/3ds/{intent['id']}?client_secret={intent['client_secret']}"
        return {"redirect_to_url": {"return_url": intent["_return_url"], "url": url}, "type": "redirect_to_url"}
    return {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect", "source": intent["id"]}}


def refuse(call: Call, intent: Body, method: Body, refusal: Refusal, charge: Body | None = None) -> None:
    """The attempt failed: the intent waits for another method. Raises StripeError (402, kept)."""
    if charge is None:
        charge = charges.make(call, intent, method, "failed", refusal)
    error = {
        "advice_code": "try_again_later"
        if refusal.decline_code in ("insufficient_funds", "processing_error")
        else None,
        "charge": charge["id"],
        "code": refusal.code,
        "decline_code": refusal.decline_code,
        "message": refusal.message,
        "payment_method": visible(method),
        "type": "card_error",
    }
    fall_back(call, intent, {name: value for name, value in error.items() if value is not None}, charge)
    raise card_error(
        refusal.message, refusal.code, refusal.decline_code, advice_code=error["advice_code"], charge=charge["id"],
        payment_intent=visible(intent), payment_method=visible(method),
    )  # fmt: skip


def fall_back(call: Call, intent: Body, error: dict[str, Any], charge: Body | None) -> None:
    """Back to requires_payment_method, with the reason."""
    intent.update(
        status="requires_payment_method", payment_method=None, next_action=None, processing=None,
        last_payment_error=error,
    )  # fmt: skip
    if charge is not None:
        intent["latest_charge"] = charge["id"]
        call.emit("charge.failed", charge)
    call.save(intent)
    call.emit("payment_intent.payment_failed", intent)


def process(call: Call, intent: Body, method: Body) -> None:
    """A bank debit: begun now, decided in some days."""
    charge = charges.make(call, intent, method, "pending")
    keep_method(call, intent, method)
    intent.update(status="processing", latest_charge=charge["id"])
    call.save(intent)
    call.emit("charge.pending", charge)
    call.emit("payment_intent.processing", intent)
    call.later(BANK_SECONDS, "bank", intent["id"])


@task("bank")
def bank_decided(call: Call, intent_id: str, outcome: str | None = None) -> None:
    """The bank's answer to a debit; outcome: "succeeded" or "failed" instead of what the account does."""
    intent = call.get("payment_intent", intent_id)
    if intent["status"] != "processing":
        return
    method, charge = call.get("payment_method", intent["payment_method"]), call.get("charge", intent["latest_charge"])
    card = card_of(method)
    if outcome == "succeeded" or (outcome is None and card.charge is None):
        charge.update(status="succeeded", paid=True)
        succeed(call, intent, call.save(charge), card)
        return
    refusal = card.charge or BANK_FUNDS
    charge.update(
        status="failed", paid=False, captured=False, amount_captured=0, failure_code=refusal.code,
        failure_message=refusal.message,
    )  # fmt: skip
    call.save(charge)
    try:
        refuse(call, intent, method, refusal, charge)
    except StripeError:
        return  # nobody waits for this answer: the events tell it


def succeed(call: Call, intent: Body, charge: Body, card: TestCard) -> None:
    """The money is there. The fee comes later, and so may a dispute."""
    intent.update(status="succeeded", amount_received=intent["amount"], latest_charge=charge["id"], processing=None)
    call.save(intent)
    call.emit("charge.succeeded", charge)
    call.emit("payment_intent.succeeded", intent)
    call.later(FEE_SECONDS, "fee", charge["id"])
    if card.later in ("dispute", "inquiry"):
        call.later(DISPUTE_SECONDS, card.later, charge["id"])


def keep_method(call: Call, intent: Body, method: Body) -> None:
    """After a success: saved for the customer if the intent says so; otherwise used once and never again."""
    usage = intent["setup_future_usage"]
    if intent["customer"] and usage:
        method["_set_up"] = method["_set_up"] or usage == "off_session"
        call.save(attach(call, method, intent["customer"], verified=True))
    elif method["customer"] is None:
        method["_used"] = True
        call.save(method)


def authenticated(call: Call, intent: Body, *, passed: bool) -> None:
    """The client answered the bank's question. Never raises for a refusal: the intent tells it."""
    method = call.get("payment_method", intent["payment_method"])
    if not passed:
        code = "payment_intent_authentication_failure"
        error = {"code": code, "message": CARD_FAILED, "payment_method": visible(method), "type": "card_error"}
        fall_back(call, intent, error, None)
        return
    try:
        attempt(call, intent, method, off_session=False, authenticated=True)
    except StripeError as refused:
        if not refused.kept:
            raise
