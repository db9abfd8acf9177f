"""Setup intents: saving a card without charging it."""

from __future__ import annotations

from typing import Any

from sandbox.stripe.attempt import CARD_FAILED, ask
from sandbox.stripe.bodies import visible
from sandbox.stripe.call import Call
from sandbox.stripe.cards import AUTHENTICATION
from sandbox.stripe.confirming import (
    BEGIN,
    CONFIRM,
    begin,
    check_return_url,
    check_secret,
    method_given,
    method_to_confirm,
    shown,
    unexpected,
)
from sandbox.stripe.errors import card_error
from sandbox.stripe.intents import OPTIONS
from sandbox.stripe.lists import list_spec, listed
from sandbox.stripe.params import EXPAND, Params, Spec, choice, merged, metadata, text
from sandbox.stripe.routes import operation
from sandbox.stripe.saved import attach, card_of
from sandbox.stripe.store import Body

CREATE: Spec = {
    **EXPAND, **BEGIN, **CONFIRM, "payment_method_options": OPTIONS, "usage": choice("off_session", "on_session"),
}  # fmt: skip
OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
REASONS = choice("duplicate", "requested_by_customer", "abandoned")


@operation("POST", "setup_intents", CREATE)
def create(call: Call, params: Params) -> Body:
    """A new setup, confirmed at once if asked for."""
    body = begin(call, call.head("seti", "setup_intent"), params) | {
        "application": None,
        "attach_to_self": False,
        "excluded_payment_method_types": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "mandate": None,
        "single_use_mandate": None,
        "usage": params.get("usage") or "off_session",
    }
    call.add(body)
    call.emit("setup_intent.created", body)
    _choose(call, body, params)
    if params.get("confirm"):
        _confirm(call, body, params, method_to_confirm(call, body, {}))
    return body


@operation("GET", "setup_intents/{id}", {**EXPAND, "client_secret": text}, browser=True)
def retrieve(call: Call, params: Params, key: str) -> Body:
    """One setup."""
    body = call.get("setup_intent", key)
    check_secret(call, body, params)
    return shown(call, body)


@operation("GET", "setup_intents", list_spec("customer", "payment_method"))
def page(call: Call, params: Params) -> Body:
    """Setups."""
    return listed(call, "setup_intent", params, "/v1/setup_intents", "customer", "payment_method")


@operation("POST", "setup_intents/{id}", {**EXPAND, "description": text, "metadata": metadata, "payment_method": text})
def update(call: Call, params: Params, key: str) -> Body:
    """Change a setup."""
    body = call.get("setup_intent", key)
    body["metadata"] = merged(body["metadata"], params.get("metadata"))
    body["description"] = params.get("description", body["description"])
    _choose(call, body, params)
    return call.save(body)


@operation("POST", "setup_intents/{id}/confirm", {**EXPAND, **CONFIRM, "payment_method_options": OPTIONS}, browser=True)
def confirm(call: Call, params: Params, key: str) -> Body:
    """Try to save the method."""
    body = call.get("setup_intent", key)
    check_secret(call, body, params)
    if body["status"] not in OPEN:
        raise unexpected(body, f"You cannot confirm this SetupIntent because it has a status of {body['status']}.")
    _confirm(call, body, params, method_to_confirm(call, body, params))
    return shown(call, body)


@operation("POST", "setup_intents/{id}/cancel", {**EXPAND, "cancellation_reason": REASONS})
def cancel(call: Call, params: Params, key: str) -> Body:
    """Give a setup up."""
    body = call.get("setup_intent", key)
    if body["status"] not in OPEN:
        raise unexpected(body, f"You cannot cancel this SetupIntent because it has a status of {body['status']}.")
    body.update(status="canceled", cancellation_reason=params.get("cancellation_reason"), next_action=None)
    call.save(body)
    call.emit("setup_intent.canceled", body)
    return body


def _choose(call: Call, body: Body, params: Params) -> None:
    method = method_given(call, body, params)
    if method is not None:
        body.update(payment_method=method["id"], status="requires_confirmation")
        call.save(body)


def _confirm(call: Call, body: Body, params: Params, method: Body) -> None:
    check_return_url(call, body, params)
    body.update(payment_method=method["id"], last_setup_error=None)
    if card_of(method).secure != "never":
        if params.get("error_on_requires_action"):
            _refuse(call, body, method, AUTHENTICATION.code, None, AUTHENTICATION.message)
        ask(call, body)
        return
    _save(call, body, method)


def _save(call: Call, body: Body, method: Body) -> None:
    refusal = card_of(method).charge
    if refusal is not None and not card_of(method).attaches:
        _refuse(call, body, method, refusal.code, refusal.decline_code, refusal.message)
    method["_set_up"] = method["_set_up"] or body["usage"] == "off_session"
    call.save(method)
    if body["customer"]:
        attach(call, method, body["customer"], verified=True)
    body.update(status="succeeded", next_action=None)
    call.save(body)
    call.emit("setup_intent.succeeded", body)


def _refuse(call: Call, body: Body, method: Body, code: str, decline_code: str | None, message: str) -> None:
    """Back to requires_payment_method. Raises StripeError (402, kept)."""
    _fall_back(call, body, {"code": code, "decline_code": decline_code, "message": message, "type": "card_error",
                            "payment_method": visible(method)})  # fmt: skip
    raise card_error(message, code, decline_code, setup_intent=visible(body), payment_method=visible(method))


def _fall_back(call: Call, body: Body, error: dict[str, Any]) -> None:
    body.update(status="requires_payment_method", payment_method=None, next_action=None, last_setup_error=error)
    call.save(body)
    call.emit("setup_intent.setup_failed", body)


def authenticated(call: Call, body: Body, *, passed: bool) -> None:
    """The client answered the bank's question."""
    method = call.get("payment_method", body["payment_method"])
    if passed:
        _save(call, body, method)
        return
    error = {"code": "setup_intent_authentication_failure", "message": CARD_FAILED, "type": "card_error",
             "payment_method": visible(method)}  # fmt: skip
    _fall_back(call, body, error)
