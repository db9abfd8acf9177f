"""Lists as Stripe gives them: newest first, by pages."""

from __future__ import annotations

from typing import Any

from sandbox.stripe.call import Call
from sandbox.stripe.errors import invalid, no_such
from sandbox.stripe.params import CREATED, PAGE, Params, Spec, text
from sandbox.stripe.store import Body, Filter

LIMIT = 10
MOST = 100


def list_spec(*members: str) -> Spec:
    """The parameters of a list that is filtered by these members and by the time of creation."""
    return {**PAGE, "created": CREATED, **dict.fromkeys(members, text)}


def listed(call: Call, kind: str, params: Params, url: str, *members: str, **fixed: Any) -> Body:
    """One page of the objects of a kind; members: parameters that have to be equal; fixed: members that have to be."""
    wanted = Filter(equal={name: params[name] for name in members if params.get(name) is not None} | fixed)
    wanted.created = created_bounds(params)
    return page(call, kind, params, url, wanted)


def created_bounds(params: Params) -> dict[str, int]:
    """The bounds of the parameter `created`: an object of bounds, or one moment."""
    created = params.get("created")
    return {"gte": created, "lte": created} if isinstance(created, int) else dict(created or {})


def page(call: Call, kind: str, params: Params, url: str, wanted: Filter) -> Body:
    """One page: limit objects after or before a certain one."""
    limit = params.get("limit", LIMIT)
    if not 1 <= limit <= MOST:
        raise invalid(f"limit must be from 1 to {MOST}", "limit", "parameter_invalid_integer")
    after = _place(call, kind, params.get("starting_after"), "starting_after")
    before = _place(call, kind, params.get("ending_before"), "ending_before")
    # One more than asked for tells whether there are more.
    found = call.engine.store.page(call.world.name, kind, wanted, limit=limit + 1, after=after, before=before)
    kept = found[-limit:] if before is not None else found[:limit]
    return {"object": "list", "data": kept, "has_more": len(found) > limit, "url": url}


def _place(call: Call, kind: str, key: str | None, param: str) -> int | None:
    if key is None:
        return None
    place = call.engine.store.place(call.world.name, key)
    if place is None:
        raise no_such(kind, key, param, status=400)
    return place
