"""What every page needs and what hardly ever changes is remembered for a moment: which business this is, and whether a
client is still let in."""

import time
from collections.abc import Callable
from typing import Any

from common.errors import Unavailable

GOOD_FOR_SECONDS = 30.0
MAX_CLIENTS = 10_000


class Known:
    """business id → its facts, as billing told them. While billing is away what was known last is good enough."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[float, dict[str, Any]]] = {}
        self._welcome: dict[tuple[str, str], float] = {}

    def business(self, business_id: str, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The business; asked for when what is held is too old. Raises Unavailable when it was never known."""
        held = self._held.get(business_id)
        if held is not None and held[0] > time.monotonic():
            return held[1]
        try:
            found = ask()
        except Unavailable:
            if held is None:
                raise
            return held[1]
        self.remember(business_id, found)
        return found

    def remember(self, business_id: str, facts: dict[str, Any]) -> None:
        self._held[business_id] = (time.monotonic() + GOOD_FOR_SECONDS, facts)

    def is_welcome(self, business_id: str, user_id: str) -> bool:
        """Whether this client might come in a moment ago."""
        return self._welcome.get((business_id, user_id), 0.0) > time.monotonic()

    def welcome(self, business_id: str, user_id: str) -> None:
        if len(self._welcome) >= MAX_CLIENTS:  # they are asked for again
            self._welcome.clear()
        self._welcome[business_id, user_id] = time.monotonic() + GOOD_FOR_SECONDS
