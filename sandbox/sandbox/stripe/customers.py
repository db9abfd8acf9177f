"""Customers."""

from __future__ import annotations

from sandbox.stripe.call import Call
from sandbox.stripe.errors import no_such
from sandbox.stripe.lists import list_spec, listed
from sandbox.stripe.params import (
    ADDRESS,
    EXPAND,
    SHIPPING,
    Params,
    choice,
    email,
    listing,
    mapping,
    merged,
    metadata,
    text,
)
from sandbox.stripe.routes import operation
from sandbox.stripe.saved import attach, detach, use
from sandbox.stripe.store import Body, Filter

FIELDS = {
    **EXPAND,
    "address": ADDRESS,
    "description": text,
    "email": email,
    "invoice_settings": mapping({"default_payment_method": text}),
    "metadata": metadata,
    "name": text,
    "phone": text,
    "preferred_locales": listing(text),
    "shipping": SHIPPING,
    "tax_exempt": choice("none", "exempt", "reverse"),
}
PLAIN = ("address", "description", "email", "name", "phone", "preferred_locales", "shipping", "tax_exempt")


@operation("POST", "customers", {**FIELDS, "payment_method": text})
def create(call: Call, params: Params) -> Body:
    """A new customer."""
    body = call.head("cus", "customer") | {
        "address": None,
        "balance": 0,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": "SANDBOX",
        "invoice_settings": {
            "custom_fields": None, "default_payment_method": None, "footer": None, "rendering_options": None,
        },
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }  # fmt: skip
    call.add(body)
    if params.get("payment_method"):
        method = attach(call, use(call, params["payment_method"]), body["id"])
        body["invoice_settings"]["default_payment_method"] = method["id"]
    _change(call, body, params)
    call.emit("customer.created", body)
    return body


@operation("GET", "customers/{id}", EXPAND)
def retrieve(call: Call, _params: Params, key: str) -> Body:
    """A customer; a deleted one is told as such."""
    return call.get("customer", key)


@operation("POST", "customers/{id}", FIELDS)
def update(call: Call, params: Params, key: str) -> Body:
    """Change a customer."""
    body = customer(call, key)
    _change(call, body, params)
    call.emit("customer.updated", body)
    return body


@operation("GET", "customers", list_spec("email"))
def page(call: Call, params: Params) -> Body:
    """Customers, of one address if asked for."""
    return listed(call, "customer", params, "/v1/customers", "email", deleted=None)


@operation("DELETE", "customers/{id}", {})
def delete(call: Call, _params: Params, key: str) -> Body:
    """Delete a customer; the saved cards go with it."""
    body = customer(call, key)
    for method in call.engine.store.page(
        call.world.name, "payment_method", Filter(equal={"customer": key}), limit=1000
    ):
        detach(call, method)
    call.emit("customer.deleted", body)
    gone = {"id": key, "object": "customer", "deleted": True}
    call.save(gone)
    return gone


def customer(call: Call, key: str, param: str | None = None) -> Body:
    """A customer that is not deleted."""
    body = call.get("customer", key, param)
    if body.get("deleted"):
        raise no_such("customer", key, param or "id", status=400 if param else 404)
    return body


def _change(call: Call, body: Body, params: Params) -> None:
    body.update({name: params[name] for name in PLAIN if name in params})
    body["metadata"] = merged(body["metadata"], params.get("metadata"))
    default = (params.get("invoice_settings") or {}).get("default_payment_method")
    if default:
        call.get("payment_method", default, "invoice_settings[default_payment_method]")
        body["invoice_settings"]["default_payment_method"] = default
    call.save(body)
