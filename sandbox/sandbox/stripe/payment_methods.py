"""Payment methods: cards, and bank accounts to debit."""

from __future__ import annotations

from typing import Any

from sandbox.stripe.call import Call
from sandbox.stripe.cards import BY_TOKEN
from sandbox.stripe.customers import customer
from sandbox.stripe.errors import invalid, no_such
from sandbox.stripe.lists import list_spec, listed
from sandbox.stripe.params import (
    BILLING,
    EXPAND,
    PAGE,
    Params,
    choice,
    integer,
    mapping,
    merged,
    metadata,
    need,
    text,
)
from sandbox.stripe.routes import operation
from sandbox.stripe.saved import attach, check_card, detach, make_bank, make_card, use
from sandbox.stripe.store import Body

TYPES = choice("card", "us_bank_account")
CARD = {"number": text, "exp_month": integer, "exp_year": integer, "cvc": text, "token": text}
BANK = {
    "account_number": text, "routing_number": text, "account_holder_type": choice("individual", "company"),
    "account_type": choice("checking", "savings"),
}  # fmt: skip
# What creates a method: by itself, and within the confirmation of an intent.
DATA = {
    "type": TYPES, "card": mapping(CARD), "us_bank_account": mapping(BANK), "billing_details": BILLING,
    "allow_redisplay": choice("always", "limited", "unspecified"), "metadata": metadata,
}  # fmt: skip


@operation("POST", "payment_methods", {**EXPAND, **DATA}, browser=True)
def create(call: Call, params: Params) -> Body:
    """A new method that belongs to nobody yet."""
    need(params, "type")
    return make(call, params)


def make(call: Call, data: Params) -> Body:
    """The method that such data tells."""
    kind = data.get("type") or "card"
    details = data.get(kind) or {}
    billing: dict[str, Any] = data.get("billing_details") or {}
    if kind == "us_bank_account":
        need(details, "account_number", "routing_number")
        return make_bank(call, details["account_number"], billing)
    if details.get("token"):
        if details["token"] not in BY_TOKEN:
            raise no_such("token", details["token"], "card[token]", status=400)
        return use(call, details["token"].replace("tok_", "pm_card_", 1))
    for name in ("number", "exp_month", "exp_year"):
        need({f"card[{name}]": details.get(name)}, f"card[{name}]")
    number = details["number"].replace(" ", "").replace("-", "")
    expires = details["exp_year"] + (2000 if details["exp_year"] < 100 else 0)
    check_card(call, number, details["exp_month"], expires, details.get("cvc"))
    return make_card(call, number, details["exp_month"], expires, billing, merged({}, data.get("metadata")))


@operation("GET", "payment_methods/{id}", EXPAND)
def retrieve(call: Call, _params: Params, key: str) -> Body:
    """A method; a test token makes a new one."""
    return use(call, key) if key in BY_TOKEN else call.get("payment_method", key)


@operation(
    "POST", "payment_methods/{id}",
    {
        **EXPAND, "billing_details": BILLING, "metadata": metadata,
        "card": mapping({"exp_month": integer, "exp_year": integer}),
    },
)  # fmt: skip
def update(call: Call, params: Params, key: str) -> Body:
    """Change whose card it is, its date, its metadata."""
    body = call.get("payment_method", key)
    if body["customer"] is None:
        raise invalid("You must save this PaymentMethod to a customer before you can update it.")
    body["billing_details"].update(params.get("billing_details") or {})
    body["metadata"] = merged(body["metadata"], params.get("metadata"))
    if body["type"] == "card":
        body["card"].update(params.get("card") or {})
    call.save(body)
    call.emit("payment_method.updated", body)
    return body


@operation("POST", "payment_methods/{id}/attach", {**EXPAND, "customer": text})
def attach_to(call: Call, params: Params, key: str) -> Body:
    """Save a method for a customer."""
    need(params, "customer")
    method = use(call, key) if key in BY_TOKEN else call.get("payment_method", key)
    return attach(call, method, customer(call, params["customer"], "customer")["id"])


@operation("POST", "payment_methods/{id}/detach", EXPAND)
def detach_from(call: Call, _params: Params, key: str) -> Body:
    """Forget a saved method."""
    return detach(call, call.get("payment_method", key))


@operation("GET", "payment_methods", {**list_spec("customer"), "type": TYPES})
def page(call: Call, params: Params) -> Body:
    """The methods of a customer."""
    if params.get("customer"):
        customer(call, params["customer"], "customer")
    return listed(call, "payment_method", params, "/v1/payment_methods", "customer", "type")


@operation("GET", "customers/{id}/payment_methods", {**PAGE, "type": TYPES, "allow_redisplay": text})
def page_of_customer(call: Call, params: Params, key: str) -> Body:
    """The methods of this customer."""
    customer(call, key)
    url = f"/v1/customers/{key}/payment_methods"
    return listed(call, "payment_method", params, url, "type", customer=key)


@operation("GET", "customers/{id}/payment_methods/{id}", EXPAND)
def retrieve_of_customer(call: Call, _params: Params, key: str, method_key: str) -> Body:
    """A method, if it is this customer's."""
    customer(call, key)
    method = call.get("payment_method", method_key)
    if method["customer"] != key:
        raise no_such("PaymentMethod", method_key, "payment_method")
    return method
