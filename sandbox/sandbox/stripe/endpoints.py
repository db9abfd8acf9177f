"""Webhook endpoints. The secret is told once, when one is created."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from sandbox.stripe.bodies import new_id
from sandbox.stripe.call import Call
from sandbox.stripe.errors import invalid
from sandbox.stripe.lists import list_spec, listed
from sandbox.stripe.params import EXPAND, Params, Spec, boolean, listing, merged, metadata, need, text
from sandbox.stripe.routes import operation
from sandbox.stripe.store import Body
from sandbox.stripe.webhooks import MOST_ENDPOINTS, endpoints_of

EVENT_TYPE = re.compile(r"\*|[a-z_0-9]+(\.[a-z_0-9]+)+")


def event_type(value: Any, name: str) -> str:
    """A type of events, or * for all."""
    if not isinstance(value, str) or not EVENT_TYPE.fullmatch(value):
        raise invalid(f"Invalid {name}: must be a type of events, not {value}", name)
    return value


WORDS: Spec = {
    **EXPAND, "url": text, "enabled_events": listing(event_type), "description": text, "metadata": metadata,
}  # fmt: skip


@operation("POST", "webhook_endpoints", {**WORDS, "api_version": text, "connect": boolean})
def create(call: Call, params: Params) -> Body:
    """A new endpoint, with its secret."""
    need(params, "url", "enabled_events")
    if len(endpoints_of(call.engine, call.world)) >= MOST_ENDPOINTS:
        raise invalid(f"You have reached the maximum of {MOST_ENDPOINTS} webhook endpoints.")
    secret = new_id("whsec", 32)
    body = call.head("we", "webhook_endpoint") | {
        "api_version": params.get("api_version"),
        "application": None,
        "description": None,
        "enabled_events": [],
        "metadata": {},
        "status": "enabled",
        "url": None,
        "_secret": secret,
    }
    _change(body, params)
    call.add(body)
    return body | {"secret": secret}


@operation("GET", "webhook_endpoints/{id}", EXPAND)
def retrieve(call: Call, _params: Params, key: str) -> Body:
    """One endpoint, without its secret."""
    return call.get("webhook_endpoint", key)


@operation("POST", "webhook_endpoints/{id}", {**WORDS, "disabled": boolean})
def update(call: Call, params: Params, key: str) -> Body:
    """Change an endpoint, or switch it off."""
    body = call.get("webhook_endpoint", key)
    _change(body, params)
    if "disabled" in params:
        body["status"] = "disabled" if params["disabled"] else "enabled"
    return call.save(body)


@operation("GET", "webhook_endpoints", list_spec())
def page(call: Call, params: Params) -> Body:
    """Endpoints."""
    return listed(call, "webhook_endpoint", params, "/v1/webhook_endpoints")


@operation("DELETE", "webhook_endpoints/{id}", {})
def delete(call: Call, _params: Params, key: str) -> Body:
    """Forget an endpoint; what was to be delivered there is not."""
    body = call.get("webhook_endpoint", key)
    call.engine.store.run("DELETE FROM object WHERE id = ?", body["id"])
    return {"id": body["id"], "object": "webhook_endpoint", "deleted": True}


def roll(call: Call, body: Body, overlap_seconds: int) -> str:
    """A new secret; the old one signs as well for so long. This is done at the dashboard."""
    body.update(_old_secret=body["_secret"], _old_secret_until=call.now + overlap_seconds, _secret=new_id("whsec", 32))
    call.save(body)
    return str(body["_secret"])


def _change(body: Body, params: Params) -> None:
    if "url" in params:
        # Stripe wants https in live mode; here everything is on one machine.
        parts = urlsplit(params["url"] or "")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise invalid("Invalid URL: An explicit scheme (such as https) must be provided.", "url", "url_invalid")
        body["url"] = params["url"]
    if "enabled_events" in params:
        if not params["enabled_events"]:
            raise invalid("enabled_events must name at least one type.", "enabled_events")
        body["enabled_events"] = params["enabled_events"]
    if "description" in params:
        body["description"] = params["description"]
    body["metadata"] = merged(body["metadata"], params.get("metadata"))
