"""The operations of PayPal's API, and which of them a request asks for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.paypal.errors import PaypalError, malformed

if TYPE_CHECKING:
    from sandbox.paypal.accounts import Account
    from sandbox.paypal.engine import Call


@dataclass(frozen=True)
class Ask:
    """A request within its transaction, for an account. wanted: the JSON that came; args: of the query."""

    call: Call
    account: Account
    wanted: dict[str, Any]
    args: Mapping[str, str]

    def text(self, name: str, most: int, default: str = "") -> str:
        """A text of the JSON. Raises PaypalError when it is none or too long."""
        return text_of(self.wanted, name, most, default)


Act = Callable[..., tuple[int, Any]]


@dataclass(frozen=True)
class Operation:
    """act(ask, *ids of the path) answers status and body. point: what faults call it."""

    method: str
    path: re.Pattern[str]
    point: str
    act: Act


_OPERATIONS: list[Operation] = []


def operation(method: str, path: str, point: str) -> Callable[[Act], Act]:
    """Register a function; path with {id} for each id."""
    pattern = re.compile(path.replace("{id}", r"([A-Za-z0-9_-]{1,64})"))

    def register(act: Act) -> Act:
        _OPERATIONS.append(Operation(method, pattern, point, act))
        return act

    return register


def find(method: str, path: str) -> tuple[Operation, tuple[Any, ...]]:
    """The operation and the ids in its path. Raises PaypalError (404)."""
    for known in _OPERATIONS:
        match = known.path.fullmatch(path)
        if match and known.method == method:
            return known, match.groups()
    raise PaypalError(404, "RESOURCE_NOT_FOUND", "NOT_FOUND", f"There is nothing to {method} at {path}.")


def text_of(found: Mapping[str, Any], name: str, most: int, default: str = "") -> str:
    """A text among these members. Raises PaypalError when it is none or too long."""
    text = found.get(name, default)
    if not isinstance(text, str):
        raise malformed("INVALID_PARAMETER_SYNTAX", f"{name} must be a string.", f"/{name}")
    if len(text) > most:
        raise malformed("INVALID_STRING_LENGTH", f"{name} must have at most {most} characters.", f"/{name}")
    return text


def object_of(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object among these members, empty when there is none. Raises PaypalError."""
    inner = found.get(name) or {}
    if not isinstance(inner, dict):
        raise malformed("INVALID_PARAMETER_SYNTAX", f"{name} must be an object.", f"/{name}")
    return inner
