"""Faults of the Stripe in a box, switched on by tests that want to see how a client copes."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from sandbox.faults import MOST, InvalidFaultsError

ALL = "all"
KINDS = ("charge_then_hang", "charge_then_500", "charge_then_reset", "rate_limit", "unavailable", "slow")
RESOURCES = ("any", "customers", "payment_methods", "payment_intents", "setup_intents", "refunds", "disputes",
             "webhook_endpoints")  # fmt: skip
LONGEST_SECONDS = 120
LONGEST_DELAY_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True)
class StripeFaults:
    """What is to go wrong; the defaults mean nothing. Counts are numbers or "all".

    fail_next: so many POSTs to fail_at go wrong as fail_with tells; seconds: how long a hanging or slow one takes.
    duplicate: each webhook is sent so many times more. delay_seconds: webhooks wait so long. shuffle_seconds: each
    waits a random while of up to so long. drop_next: so many webhooks are never sent. wrong_secret_next: so many are
    signed with another secret (and come again, well signed, as the endpoint refused them).
    """

    fail_next: int | str = 0
    fail_with: str = "charge_then_500"
    fail_at: str = "any"
    seconds: float = 5
    duplicate: int = 0
    delay_seconds: float = 0
    shuffle_seconds: float = 0
    drop_next: int | str = 0
    wrong_secret_next: int | str = 0

    def as_dict(self) -> dict[str, object]:
        """The settings by name, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Failure:
    """How one POST goes wrong."""

    kind: str
    seconds: float


def stripe_faults(wanted: object) -> StripeFaults:
    """Check settings that came as JSON; what is not named is off. Raises InvalidFaultsError."""
    if not isinstance(wanted, Mapping):
        raise InvalidFaultsError("stripe must be an object")
    unknown = sorted(set(wanted) - {field.name for field in fields(StripeFaults)})
    if unknown:
        raise InvalidFaultsError(f"unknown stripe fault: {', '.join(unknown)}")
    for name in ("fail_next", "drop_next", "wrong_secret_next"):
        _check_count(name, wanted.get(name, 0))
    duplicate = wanted.get("duplicate", 0)
    if type(duplicate) is not int or not 0 <= duplicate <= 100:
        raise InvalidFaultsError("duplicate must be a whole number from 0 to 100")
    _check_word("fail_with", wanted.get("fail_with", KINDS[0]), KINDS)
    _check_word("fail_at", wanted.get("fail_at", "any"), RESOURCES)
    _check_seconds("seconds", wanted.get("seconds", 0), LONGEST_SECONDS)
    for name in ("delay_seconds", "shuffle_seconds"):
        _check_seconds(name, wanted.get(name, 0), LONGEST_DELAY_SECONDS)
    return StripeFaults(**wanted)


def _check_count(name: str, count: Any) -> None:
    if count != ALL and (type(count) is not int or not 0 <= count <= MOST):
        raise InvalidFaultsError(f'{name} must be a whole number from 0 to {MOST}, or "all"')


def _check_word(name: str, word: Any, allowed: tuple[str, ...]) -> None:
    if word not in allowed:
        raise InvalidFaultsError(f"{name} must be one of {', '.join(allowed)}")


def _check_seconds(name: str, seconds: Any, most: int) -> None:
    if type(seconds) not in (int, float) or not math.isfinite(seconds) or not 0 <= seconds <= most:
        raise InvalidFaultsError(f"{name} must be a number from 0 to {most}")


class StripeFaultSwitch:
    """The faults in force. Set by the web part and used up by requests and deliveries, in different threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults = StripeFaults()

    @property
    def faults(self) -> StripeFaults:
        """What is in force now, with the counts that are left."""
        with self._lock:
            return self._faults

    def set(self, faults: StripeFaults) -> None:
        """Put these faults in force instead of those before."""
        with self._lock:
            self._faults = faults

    def take_failure(self, resource: str) -> Failure | None:
        """How this POST is to go wrong, used up once; None when it is to go well."""
        if self.faults.fail_at not in ("any", resource) or not self._take("fail_next"):
            return None
        return Failure(self.faults.fail_with, self.faults.seconds)

    def take_drop(self) -> bool:
        """Whether this webhook is lost, used up once."""
        return self._take("drop_next")

    def take_wrong_secret(self) -> bool:
        """Whether this webhook is signed with another secret, used up once."""
        return self._take("wrong_secret_next")

    def _take(self, name: str) -> bool:
        with self._lock:
            left: int | str = getattr(self._faults, name)
            if isinstance(left, str):
                return left == ALL
            changes: dict[str, Any] = {name: max(0, left - 1)}
            self._faults = replace(self._faults, **changes)
            return left > 0
