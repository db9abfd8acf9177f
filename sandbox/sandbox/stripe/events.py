"""Events, for those who ask instead of waiting for webhooks; they reach 30 days back."""

from __future__ import annotations

from sandbox.stripe.call import Call
from sandbox.stripe.errors import invalid, no_such
from sandbox.stripe.lists import created_bounds, list_spec, page
from sandbox.stripe.params import EXPAND, Params, boolean, listing, text
from sandbox.stripe.routes import operation
from sandbox.stripe.store import Body, Filter
from sandbox.stripe.webhooks import EVENT_DAYS

KEPT_SECONDS = EVENT_DAYS * 24 * 3600
MOST_TYPES = 20


@operation("GET", "events/{id}", EXPAND)
def retrieve(call: Call, _params: Params, key: str) -> Body:
    """One event."""
    event = call.get("event", key)
    if event["created"] < call.now - KEPT_SECONDS:
        raise no_such("event", key, "id")
    return event


@operation("GET", "events", {**list_spec("type"), "types": listing(text), "delivery_success": boolean})
def list_events(call: Call, params: Params) -> Body:
    """Events of a type, or of several; type may end in .*"""
    types = params.get("types") or []
    if types and params.get("type"):
        raise invalid("You may only specify one of these parameters: type, types.", "types")
    if len(types) > MOST_TYPES:
        raise invalid(f"You may list up to {MOST_TYPES} types.", "types")
    wanted = Filter(created=created_bounds(params), oldest=call.now - KEPT_SECONDS)
    if types:
        wanted.among["type"] = types
    elif (params.get("type") or "").endswith("*"):
        wanted.begins["type"] = params["type"][:-1]
    elif params.get("type"):
        wanted.equal["type"] = params["type"]
    if "delivery_success" in params:
        wanted.pending = not params["delivery_success"]
    return page(call, "event", params, "/v1/events", wanted)
