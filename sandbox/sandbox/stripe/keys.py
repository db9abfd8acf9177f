"""API keys, and the world each of them opens."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandbox.stripe.errors import StripeError

KEY = re.compile(r"(sk|rk|pk)_(test|live)_([A-Za-z0-9]+)(?:_[A-Za-z0-9_]+)?")


@dataclass(frozen=True)
class World:
    """One account in one mode; nothing in one world is seen from another."""

    account: str
    livemode: bool

    @property
    def name(self) -> str:
        """The world as one word, as the store keeps it: account:test or account:live."""
        return f"{self.account}:{'live' if self.livemode else 'test'}"

    @property
    def other_mode(self) -> World:
        """The same account in the other mode."""
        return World(self.account, not self.livemode)


@dataclass(frozen=True)
class Key:
    """A key as it came. browser: a publishable one, which may do only what a page does."""

    text: str
    world: World
    browser: bool


def world_named(name: str) -> World:
    """The world that `World.name` told."""
    account, _, mode = name.rpartition(":")
    return World(account, mode == "live")


def read_key(text: str) -> Key:
    """The key, whose account is what follows the prefix, up to the first underscore. Raises StripeError (401)."""
    if not text:
        raise StripeError(
            401,
            "You did not provide an API key. Send it in the Authorization header: 'Authorization: Bearer YOUR_KEY'.",
        )
    if text.startswith("sk_org"):
        raise StripeError(401, "Organization API keys are not supported here: use the key of one account.")
    found = KEY.fullmatch(text)
    if found is None:
        raise StripeError(401, f"Invalid API Key provided: {masked(text)}")
    return Key(text, World(found[3], found[2] == "live"), browser=found[1] == "pk")


def masked(text: str) -> str:
    """A key as an error may show it."""
    return f"{text[:8]}{'*' * 12}{text[-4:]}" if len(text) > 16 else "*" * len(text)
