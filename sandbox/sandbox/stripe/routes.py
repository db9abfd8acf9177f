"""The table of operations: method, path, parameters, and the function that does it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.stripe.errors import StripeError
from sandbox.stripe.params import Spec
from sandbox.stripe.store import Body

Act = Callable[..., Body]


@dataclass(frozen=True)
class Operation:
    """act(call, params, *ids of the path) answers the object. browser: publishable keys may ask for it too."""

    method: str
    path: re.Pattern[str]
    spec: Spec
    act: Act
    browser: bool


_OPERATIONS: list[Operation] = []


def operation(method: str, path: str, spec: Spec, *, browser: bool = False) -> Callable[[Act], Act]:
    """Register a function; path is what follows /v1/, with {id} for each id."""
    pattern = re.compile(path.replace("{id}", r"([A-Za-z0-9_]{1,255})"))

    def register(act: Act) -> Act:
        _OPERATIONS.append(Operation(method, pattern, spec, act, browser))
        return act

    return register


def find(method: str, path: str) -> tuple[Operation, tuple[Any, ...]]:
    """The operation and the ids in its path. Raises StripeError (404). The first that was registered wins."""
    for known in _OPERATIONS:
        match = known.path.fullmatch(path)
        if match and known.method == method:
            return known, match.groups()
    raise StripeError(404, f"Unrecognized request URL ({method}: /v1/{path}).")
