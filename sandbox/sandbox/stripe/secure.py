"""3-D Secure: what the client answers the bank, from Stripe.js or from the page that it is redirected to."""

from __future__ import annotations

from sandbox.stripe import attempt, setup_intents
from sandbox.stripe.call import Call
from sandbox.stripe.confirming import check_secret, shown, unexpected
from sandbox.stripe.errors import invalid
from sandbox.stripe.params import Params, choice, need, text
from sandbox.stripe.routes import operation
from sandbox.stripe.store import Body

ANSWER = {"source": text, "client_secret": text, "outcome": choice("succeeded", "failed")}


@operation("POST", "3ds2/authenticate", ANSWER, browser=True)
def authenticate(call: Call, params: Params) -> Body:
    """The stand-in for the bank's page: outcome tells whether the client proved to be the card's owner."""
    need(params, "source", "client_secret", "outcome")
    kind = "setup_intent" if params["source"].startswith("seti_") else "payment_intent"
    intent = call.get(kind, params["source"], "source")
    check_secret(call, intent, params)
    return shown(call, answered(call, intent, passed=params["outcome"] == "succeeded"))


def answered(call: Call, intent: Body, *, passed: bool) -> Body:
    """The intent after the client's answer. Raises StripeError when nothing was asked."""
    if intent["status"] != "requires_action":
        raise unexpected(intent, f"Nothing is asked: the status is {intent['status']}.")
    if intent["object"] == "setup_intent":
        setup_intents.authenticated(call, intent, passed=passed)
    elif intent["object"] == "payment_intent":
        attempt.authenticated(call, intent, passed=passed)
    else:
        raise invalid("Only intents are authenticated.", "source")
    return intent
