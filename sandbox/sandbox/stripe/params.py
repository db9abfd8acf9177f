"""Parameters as Stripe's SDKs send them: forms with nested names, read by what an operation allows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sandbox.stripe.errors import invalid, missing, unknown

# A reader takes the raw value and the parameter's whole name, and answers the value or raises StripeError.
Reader = Callable[[Any, str], Any]
Spec = Mapping[str, Reader]
Params = dict[str, Any]
PIECE = re.compile(r"([^\[\]]+)|\[([^\[\]]*)\]")
INTEGER = re.compile(r"-?[0-9]{1,15}")
DEEPEST = 8


def decode(pairs: Iterable[tuple[str, str]]) -> Params:
    """Nest a[b][c]=x and a[]=x into dictionaries; lists stay dictionaries with the keys "0", "1", …"""
    found: Params = {}
    for name, value in pairs:
        path = [plain or index for plain, index in PIECE.findall(name)]
        if not path or len(path) > DEEPEST or not path[0]:
            raise invalid(f"Invalid parameter name: {name[:80]}")
        place = found
        for piece in path[:-1]:
            place = place.setdefault(piece or str(len(place)), {})
            if not isinstance(place, dict):
                raise invalid(f"Invalid parameter: {name[:80]}", name)
        place[path[-1] or str(len(place))] = value
    return found


def read(spec: Spec, raw: Mapping[str, Any], prefix: str = "") -> Params:
    """What came, by the spec; what did not come is not in the answer. Raises StripeError (400)."""
    found: Params = {}
    for name, value in raw.items():
        whole = f"{prefix}[{name}]" if prefix else name
        reader = spec.get(name)
        if reader is None:
            raise unknown(whole)
        found[name] = reader(value, whole)
    return found


def need(params: Params, *names: str) -> None:
    """Refuse a request without these parameters."""
    for name in names:
        if params.get(name) is None:
            raise missing(name)


def text(value: Any, name: str) -> str | None:
    """A text of at most 5000 characters; empty means none."""
    if not isinstance(value, str):
        raise invalid(f"Invalid string: {name}", name)
    if len(value) > 5000:
        raise invalid(f"Invalid string: {name} must be at most 5000 characters", name)
    return value or None


def email(value: Any, name: str) -> str | None:
    """An address."""
    found = text(value, name)
    if found is not None and not re.fullmatch(r"[^@\s]+@[^@\s]+", found):
        raise invalid(f"Invalid email address: {found}", name, "email_invalid")
    return found


def integer(value: Any, name: str) -> int:
    """A whole number."""
    if not isinstance(value, str) or not INTEGER.fullmatch(value):
        raise invalid(f"Invalid integer: {value}", name, "parameter_invalid_integer")
    return int(value)


def boolean(value: Any, name: str) -> bool:
    """true or false."""
    if value not in ("true", "false"):
        raise invalid(f"Invalid boolean: {value}", name)
    return bool(value == "true")


def choice(*allowed: str) -> Reader:
    """One of these words; empty means none."""

    def reader(value: Any, name: str) -> str | None:
        if value not in (*allowed, ""):
            raise invalid(f"Invalid {name}: must be one of {', '.join(allowed)}", name)
        return value or None

    return reader


def either(first: Reader, second: Reader) -> Reader:
    """The first reader for an object, the second for a plain value."""
    return lambda value, name: (first if isinstance(value, dict) else second)(value, name)


def mapping(spec: Spec) -> Reader:
    """An object of its own; empty means none."""

    def reader(value: Any, name: str) -> Params | None:
        if value == "":
            return None
        if not isinstance(value, dict):
            raise invalid(f"Invalid object: {name}", name)
        return read(spec, value, name)

    return reader


def listing(of: Reader) -> Reader:
    """A list; empty means an empty one."""

    def reader(value: Any, name: str) -> list[Any]:
        if value == "":
            return []
        if not isinstance(value, dict) or not all(key.isdecimal() for key in value):
            raise invalid(f"Invalid array: {name}", name)
        return [of(value[key], f"{name}[{key}]") for key in sorted(value, key=int)]

    return reader


def metadata(value: Any, name: str) -> dict[str, str]:
    """Up to 50 words; an empty one is to be removed, and "" instead of the whole removes all (told as {"": ""})."""
    if value == "":
        return {"": ""}
    if not isinstance(value, dict):
        raise invalid(f"Invalid object: {name}", name)
    for key, word in value.items():
        if not isinstance(word, str) or len(key) > 40 or len(word) > 500:
            raise invalid(f"Metadata has keys up to 40 and values up to 500 characters: {name}[{key}]", name)
    if len(value) > 50:
        raise invalid("You can have up to 50 metadata keys.", name)
    return dict(value)


def merged(old: Mapping[str, str], new: Mapping[str, str] | None) -> dict[str, str]:
    """Metadata after an update: words added and replaced, empty ones removed."""
    if new is None:
        return dict(old)
    if "" in new:
        return {}
    return {key: word for key, word in {**old, **new}.items() if word != ""}


def anything(value: Any, _name: str) -> Any:
    """Taken as it is: what the sandbox does not act on."""
    return value


ADDRESS = mapping(dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"), text))
BILLING = mapping({"address": ADDRESS, "email": text, "name": text, "phone": text, "tax_id": text})
SHIPPING = mapping({"address": ADDRESS, "name": text, "phone": text, "carrier": text, "tracking_number": text})
CREATED = either(mapping(dict.fromkeys(("gt", "gte", "lt", "lte"), integer)), integer)
EXPAND: Spec = {"expand": listing(text)}
PAGE: Spec = {**EXPAND, "limit": integer, "starting_after": text, "ending_before": text}
