"""What the confirmations of payment intents and setup intents have in common."""

from __future__ import annotations

import hmac
import secrets
from typing import Any

from sandbox.stripe.bodies import visible
from sandbox.stripe.call import Call
from sandbox.stripe.customers import customer
from sandbox.stripe.errors import StripeError, invalid, no_such
from sandbox.stripe.params import Params, boolean, choice, listing, mapping, merged, metadata, text
from sandbox.stripe.payment_methods import DATA, TYPES, make
from sandbox.stripe.saved import check_owner, use
from sandbox.stripe.store import Body

AUTOMATIC = mapping({"enabled": boolean, "allow_redirects": choice("always", "never")})
METHOD_TYPES = listing(TYPES)
# Not shown to pages: a publishable key is in everybody's hands.
HIDDEN = ("customer", "metadata", "latest_charge", "payment_method_options")


def begin(call: Call, body: Body, params: Params) -> Body:
    """The members that every new intent has: secret, customer, how it may be paid."""
    if params.get("customer"):
        customer(call, params["customer"], "customer")
    automatic, types = params.get("automatic_payment_methods"), params.get("payment_method_types")
    if types and automatic and automatic.get("enabled"):
        raise invalid("You may only specify one of these parameters: automatic_payment_methods, payment_method_types.")
    # Unless told otherwise, an intent is open to whatever the account accepts.
    if not types and automatic is None:
        automatic = {"enabled": True}
    enabled = bool(automatic and automatic.get("enabled"))
    return body | {
        "automatic_payment_methods": {
            "allow_redirects": (automatic or {}).get("allow_redirects") or "always", "enabled": True,
        } if enabled else None,
        "cancellation_reason": None,
        "client_secret": f"{body['id']}_secret_{secrets.token_hex(12)}",
        "customer": params.get("customer"),
        "description": params.get("description"),
        "metadata": merged({}, params.get("metadata")),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": params.get("payment_method_options") or {},
        "payment_method_types": types or (["card", "us_bank_account"] if enabled else ["card"]),
        "status": "requires_payment_method",
        "_return_url": None,
        "_error_on_action": False,
    }  # fmt: skip


def method_given(call: Call, intent: Body, params: Params) -> Body | None:
    """The payment method that a request names or describes, checked against the intent."""
    if params.get("payment_method_data"):
        method = make(call, params["payment_method_data"])
    elif params.get("payment_method"):
        method = use(call, params["payment_method"])
    else:
        return None
    check_owner(method, intent["customer"])
    if method["type"] not in intent["payment_method_types"]:
        raise invalid(
            f"The PaymentMethod provided ({method['type']}) is not allowed for this {_word(intent)}. Please attempt"
            f" again with one of: {', '.join(intent['payment_method_types'])}.",
            "payment_method",
        )
    return method


def method_to_confirm(call: Call, intent: Body, params: Params) -> Body:
    """The method of this confirmation: the given one, or the one the intent has. Raises StripeError (400)."""
    method = method_given(call, intent, params)
    if method is None and intent["payment_method"]:
        method = call.get("payment_method", intent["payment_method"])
        check_owner(method, intent["customer"])
    if method is None:
        raise unexpected(
            intent,
            f"You cannot confirm this {_word(intent)} because it's missing a payment method. You can either update"
            f" the {_word(intent)} with a payment method and then confirm it again, or confirm it again directly with"
            " a payment method.",
        )
    return method


def check_return_url(call: Call, intent: Body, params: Params) -> None:
    """A server that confirms has to say where clients come back to, unless redirects are out of the question."""
    automatic = intent["automatic_payment_methods"]
    intent["_return_url"] = params.get("return_url") or intent["_return_url"]
    if automatic and automatic["allow_redirects"] != "never" and not intent["_return_url"] and not call.browser:
        raise invalid(
            f"This {_word(intent)} is configured to accept payment methods enabled in your Dashboard. Because some of"
            " these payment methods might redirect your customer off of your page, you must provide a `return_url`."
            " If you don't want to accept redirect-based payment methods, set"
            " `automatic_payment_methods[enabled]` to `true` and `automatic_payment_methods[allow_redirects]` to"
            " `never` when creating Setup Intents and Payment Intents.",
            "return_url",
        )


def check_secret(call: Call, intent: Body, params: Params) -> None:
    """A page has to show the intent's secret. Raises StripeError (404), as if there were no such intent."""
    given = params.get("client_secret")
    if not call.browser and given is None:
        return
    if not hmac.compare_digest(str(given or "").encode(), intent["client_secret"].encode()):
        raise no_such(intent["object"], intent["id"], "intent")


def shown(call: Call, intent: Body) -> Body:
    """The intent as this caller may see it."""
    if not call.browser:
        return intent
    return {name: value for name, value in intent.items() if name not in HIDDEN}


def unexpected(intent: Body, message: str) -> StripeError:
    """The 400 for something that the intent's state does not allow."""
    code = f"{intent['object']}_unexpected_state"
    return StripeError(400, message, code, **{intent["object"]: visible(intent)})


def _word(intent: Body) -> str:
    return {"payment_intent": "PaymentIntent", "setup_intent": "SetupIntent"}[intent["object"]]


CONFIRM: dict[str, Any] = {
    "client_secret": text, "error_on_requires_action": boolean, "mandate_data": lambda value, _name: value,
    "payment_method": text, "payment_method_data": mapping(DATA), "return_url": text, "use_stripe_sdk": boolean,
    "expected_payment_method_type": text,
}  # fmt: skip
BEGIN: dict[str, Any] = {
    "automatic_payment_methods": AUTOMATIC, "confirm": boolean, "customer": text, "description": text,
    "metadata": metadata, "payment_method_types": METHOD_TYPES,
}  # fmt: skip
