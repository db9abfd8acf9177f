"""Faults in force that are used up one by one, and the checks of settings that came as JSON."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Generic, TypeVar

from sandbox.faults import MOST, InvalidFaultsError

ALL = "all"
MOST_DUPLICATES = 100
Faults = TypeVar("Faults")


class Switch(Generic[Faults]):
    """The faults in force. Set by the web part and used up by requests and deliveries, in different threads."""

    def __init__(self, nothing: Faults) -> None:
        self._lock = threading.Lock()
        self._faults = nothing

    @property
    def faults(self) -> Faults:
        """What is in force now, with the counts that are left."""
        with self._lock:
            return self._faults

    def set(self, faults: Faults) -> None:
        """Put these faults in force instead of those before."""
        with self._lock:
            self._faults = faults

    def take(self, name: str) -> bool:
        """Whether this fault strikes now, used up once."""
        with self._lock:
            left: int | str = getattr(self._faults, name)
            if isinstance(left, str):
                return left == ALL
            changes: dict[str, Any] = {name: max(0, left - 1)}
            self._faults = replace(self._faults, **changes)  # type: ignore[type-var]
            return left > 0


def check_names(box: str, wanted: object, kind: type) -> Mapping[str, Any]:
    """The settings, if they are an object that names only faults of this kind. Raises InvalidFaultsError."""
    if not isinstance(wanted, Mapping):
        raise InvalidFaultsError(f"{box} must be an object")
    unknown = sorted(set(wanted) - {field.name for field in fields(kind)})
    if unknown:
        raise InvalidFaultsError(f"unknown {box} fault: {', '.join(unknown)}")
    return wanted


def check_count(name: str, count: Any) -> None:
    """Refuse what is neither a count nor "all"."""
    if count != ALL and (type(count) is not int or not 0 <= count <= MOST):
        raise InvalidFaultsError(f'{name} must be a whole number from 0 to {MOST}, or "all"')


def check_duplicate(duplicate: Any) -> None:
    """Refuse what is no count of further copies."""
    if type(duplicate) is not int or not 0 <= duplicate <= MOST_DUPLICATES:
        raise InvalidFaultsError(f"duplicate must be a whole number from 0 to {MOST_DUPLICATES}")


def check_word(name: str, word: Any, allowed: tuple[str, ...]) -> None:
    """Refuse other words."""
    if word not in allowed:
        raise InvalidFaultsError(f"{name} must be one of {', '.join(allowed)}")


def check_seconds(name: str, seconds: Any, most: int) -> None:
    """Refuse what is no time, or too long a one."""
    if type(seconds) not in (int, float) or not math.isfinite(seconds) or not 0 <= seconds <= most:
        raise InvalidFaultsError(f"{name} must be a number from 0 to {most}")
