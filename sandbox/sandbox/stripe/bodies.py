"""Objects as JSON: their ids, and what of them is shown."""

from __future__ import annotations

import secrets
import string
from typing import Any

ALPHABET = string.ascii_letters + string.digits


def new_id(prefix: str, length: int = 24) -> str:
    """A new id: prefix_ and random characters."""
    return f"{prefix}_{''.join(secrets.choice(ALPHABET) for _ in range(length))}"


def visible(value: Any) -> Any:
    """A body as clients see it: members that begin with an underscore are the sandbox's own."""
    if isinstance(value, dict):
        return {name: visible(member) for name, member in value.items() if not str(name).startswith("_")}
    return [visible(member) for member in value] if isinstance(value, list) else value
