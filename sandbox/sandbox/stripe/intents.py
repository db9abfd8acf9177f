"""Payment intents."""

from __future__ import annotations

from sandbox.stripe.attempt import attempt
from sandbox.stripe.call import Call
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
from sandbox.stripe.currencies import check_amount, currency
from sandbox.stripe.customers import customer
from sandbox.stripe.errors import invalid
from sandbox.stripe.lists import list_spec, listed
from sandbox.stripe.params import (
    EXPAND,
    SHIPPING,
    Params,
    Spec,
    anything,
    boolean,
    choice,
    email,
    integer,
    mapping,
    merged,
    need,
    text,
)
from sandbox.stripe.routes import operation
from sandbox.stripe.search import SEARCH, found
from sandbox.stripe.store import Body

USAGE = choice("off_session", "on_session")
OPTIONS = mapping({
    "card": mapping({
        "moto": boolean, "request_three_d_secure": choice("any", "automatic", "challenge"), "setup_future_usage": USAGE,
        "statement_descriptor_suffix_kana": text,
    }),
    "us_bank_account": anything,
})  # fmt: skip
# On every write: what an intent says about the payment.
ABOUT: Spec = {
    "payment_method_options": OPTIONS, "receipt_email": email, "setup_future_usage": USAGE, "shipping": SHIPPING,
}  # fmt: skip
WORDS: Spec = {"statement_descriptor": text, "statement_descriptor_suffix": text, "transfer_group": text}
AMOUNT: Spec = {"amount": integer, "currency": text}
CREATE: Spec = {
    **EXPAND, **AMOUNT, **ABOUT, **WORDS, **BEGIN, **CONFIRM, "off_session": boolean,
    "capture_method": choice("automatic", "automatic_async"), "confirmation_method": choice("automatic"),
}  # fmt: skip
UPDATE: Spec = {
    name: reader
    for name, reader in CREATE.items()
    if name not in ("confirm", "off_session", "automatic_payment_methods", "return_url", "confirmation_method",
                    "error_on_requires_action", "use_stripe_sdk", "mandate_data")
}  # fmt: skip
COPIED = ("receipt_email", "setup_future_usage", "shipping", *WORDS)
OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
# Accounts whose name begins so are not enabled for orders by mail and telephone.
WITHOUT_MOTO = "nomoto"
REASONS = choice("duplicate", "fraudulent", "requested_by_customer", "abandoned")


@operation("POST", "payment_intents", CREATE)
def create(call: Call, params: Params) -> Body:
    """A new intent, confirmed at once if asked for."""
    need(params, "amount", "currency")
    unit = currency(params["currency"])
    check_amount(params["amount"], unit)
    if params.get("off_session") is not None and not params.get("confirm"):
        raise invalid("You can only set `off_session` when `confirm` is `true`.", "off_session")
    _check_moto(call, params)
    body = begin(call, call.head("pi", "payment_intent"), params) | {
        "amount": params["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "canceled_at": None,
        "capture_method": params.get("capture_method") or "automatic_async",
        "confirmation_method": "automatic",
        "currency": unit,
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "processing": None,
        "review": None,
        "source": None,
        "transfer_data": None,
        **{name: params.get(name) for name in COPIED},
    }
    call.add(body)
    call.emit("payment_intent.created", body)
    _choose(call, body, params)
    if params.get("confirm"):
        _confirm(call, body, params, method_to_confirm(call, body, {}))
    return body


@operation("GET", "payment_intents/search", SEARCH)
def search(call: Call, params: Params) -> Body:
    """Intents by metadata and status."""
    return found(call, "payment_intent", params, "/v1/payment_intents/search")


@operation("GET", "payment_intents/{id}", {**EXPAND, "client_secret": text}, browser=True)
def retrieve(call: Call, params: Params, key: str) -> Body:
    """One intent."""
    body = call.get("payment_intent", key)
    check_secret(call, body, params)
    return shown(call, body)


@operation("GET", "payment_intents", list_spec("customer"))
def page(call: Call, params: Params) -> Body:
    """Intents."""
    return listed(call, "payment_intent", params, "/v1/payment_intents", "customer")


@operation("POST", "payment_intents/{id}", UPDATE)
def update(call: Call, params: Params, key: str) -> Body:
    """Change an intent; one that is over takes only words."""
    body = call.get("payment_intent", key)
    if body["status"] not in OPEN and set(params) - {"metadata", "description", "expand", "transfer_group"}:
        state = body["status"]
        raise unexpected(body, f"This PaymentIntent could not be updated because it has a status of {state}.")
    _check_moto(call, params)
    unit = currency(params.get("currency") or body["currency"])
    amount = params["amount"] if "amount" in params else body["amount"]
    if "amount" in params or "currency" in params:
        check_amount(amount, unit)
    if params.get("customer"):
        body["customer"] = customer(call, params["customer"], "customer")["id"]
    body.update(amount=amount, currency=unit, metadata=merged(body["metadata"], params.get("metadata")))
    body.update({name: params[name] for name in ("description", "payment_method_types", *COPIED) if name in params})
    _options(body, params)
    _choose(call, body, params)
    call.save(body)
    return body


@operation("POST", "payment_intents/{id}/confirm", {**EXPAND, **ABOUT, **CONFIRM, "off_session": boolean}, browser=True)
def confirm(call: Call, params: Params, key: str) -> Body:
    """Try to pay."""
    body = call.get("payment_intent", key)
    check_secret(call, body, params)
    if call.browser and params.get("off_session"):
        raise invalid("off_session can only be set with a secret key.", "off_session")
    _check_moto(call, params)
    if body["status"] not in OPEN:
        state = body["status"]
        message = f"You cannot confirm this PaymentIntent because it has a status of {state}."
        if state == "succeeded":
            message = (
                "This PaymentIntent's status is succeeded: you cannot confirm it because it has already succeeded after"
                " being previously confirmed."
            )
        raise unexpected(body, message)
    body.update({name: params[name] for name in COPIED if name in params})
    _options(body, params)
    _confirm(call, body, params, method_to_confirm(call, body, params))
    return shown(call, body)


@operation("POST", "payment_intents/{id}/cancel", {**EXPAND, "cancellation_reason": REASONS})
def cancel(call: Call, params: Params, key: str) -> Body:
    """Give an intent up, unless it is paid or being paid."""
    body = call.get("payment_intent", key)
    if body["status"] not in OPEN:
        raise unexpected(
            body,
            f"You cannot cancel this PaymentIntent because it has a status of {body['status']}. Only a PaymentIntent"
            f" with one of the following statuses may be canceled: {', '.join(OPEN)}, requires_capture.",
        )
    return close(call, body, params.get("cancellation_reason"))


def close(call: Call, body: Body, reason: str | None) -> Body:
    """Make an intent canceled."""
    body.update(status="canceled", canceled_at=call.now, cancellation_reason=reason, next_action=None)
    call.save(body)
    call.emit("payment_intent.canceled", body)
    return body


def _check_moto(call: Call, params: Params) -> None:
    """Only a server may mark an order by mail or telephone, and only for an account that is enabled for them."""
    if not ((params.get("payment_method_options") or {}).get("card") or {}).get("moto"):
        return
    field = "payment_method_options[card][moto]"
    if call.browser:
        raise invalid(f"{field} can only be set with a secret key.", field)
    if call.world.account.startswith(WITHOUT_MOTO):
        raise invalid(f"You cannot set {field}: your account is not enabled for MOTO payments.", field)


def _options(body: Body, params: Params) -> None:
    if params.get("payment_method_options"):
        body["payment_method_options"] = {**body["payment_method_options"], **params["payment_method_options"]}


def _choose(call: Call, body: Body, params: Params) -> None:
    """Take the method that was given, without confirming yet."""
    method = method_given(call, body, params)
    if method is not None:
        body.update(payment_method=method["id"], status="requires_confirmation", next_action=None)
        call.save(body)


def _confirm(call: Call, body: Body, params: Params, method: Body) -> None:
    check_return_url(call, body, params)
    body["_error_on_action"] = bool(params.get("error_on_requires_action"))
    attempt(call, body, method, off_session=bool(params.get("off_session")))
