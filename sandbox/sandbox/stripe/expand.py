"""expand[]: the whole object in place of its id."""

from __future__ import annotations

from typing import Any

from sandbox.stripe.call import Call
from sandbox.stripe.errors import invalid
from sandbox.stripe.store import Body

EXPANDABLE = frozenset({
    "balance_transaction", "charge", "customer", "default_payment_method", "failure_balance_transaction",
    "latest_charge", "payment_intent", "payment_method", "setup_intent", "source",
})  # fmt: skip
DEEPEST = 4


def expand(call: Call, body: Body, paths: list[str]) -> Body:
    """The body with what the paths name put in. Raises StripeError for what cannot be expanded."""
    for path in paths:
        names = path.split(".")
        if len(names) > DEEPEST:
            raise invalid(f"You can expand at most {DEEPEST} levels: {path}", "expand")
        _put_in(call, body, names, path)
    return body


def _put_in(call: Call, place: Any, names: list[str], path: str) -> None:
    if isinstance(place, list):
        for member in place:
            _put_in(call, member, names, path)
        return
    name = names[0]
    if not isinstance(place, dict) or name not in place:
        raise invalid(f"This property cannot be expanded ({path}).", "expand")
    value = place[name]
    if isinstance(value, str):
        if name not in EXPANDABLE:
            raise invalid(f"This property cannot be expanded ({path}).", "expand")
        found = call.engine.store.find(call.world.name, value)
        if found is not None:
            place[name] = value = found
    if len(names) > 1 and value is not None:
        _put_in(call, value, names[1:], path)
