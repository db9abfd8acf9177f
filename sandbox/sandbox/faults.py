"""Faults of the mail server, switched on by tests that want to see how a sender copes."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Literal

Step = Literal["rcpt", "data"]
CODES = (421, 451, 550)
FAIL_AT = ("any", "rcpt", "data")
MOST = 1_000_000
LONGEST_DELAY_SECONDS = 120


class InvalidFaultsError(ValueError):
    """The faults asked for make no sense; the text says which and why."""


@dataclass(frozen=True)
class MailFaults:
    """What is to go wrong; the defaults mean nothing.

    fail_next: so many RCPT or DATA are answered with code (421 also ends the connection), only those
    at the step fail_at. delay_seconds: wait before a message is stored and answered. close_after_data:
    so many messages are stored, but the connection is cut instead of answering 250.
    """

    fail_next: int = 0
    code: int = 451
    fail_at: str = "any"
    delay_seconds: float = 0
    close_after_data: int = 0

    def as_dict(self) -> dict[str, object]:
        """The settings by name, for JSON."""
        return asdict(self)

    @property
    def active(self) -> bool:
        """Whether anything will go wrong."""
        return bool(self.fail_next or self.delay_seconds or self.close_after_data)


def mail_faults(wanted: object) -> MailFaults:
    """Check settings that came as JSON; what is not named is off. Raises InvalidFaultsError."""
    if not isinstance(wanted, Mapping):
        raise InvalidFaultsError("mail must be an object")
    unknown = sorted(set(wanted) - {field.name for field in fields(MailFaults)})
    if unknown:
        raise InvalidFaultsError(f"unknown mail fault: {', '.join(unknown)}")
    for name in ("fail_next", "close_after_data"):
        number = wanted.get(name, 0)
        if type(number) is not int or not 0 <= number <= MOST:  # bool is an int, but true is no number
            raise InvalidFaultsError(f"{name} must be a whole number from 0 to {MOST}")
    if type(wanted.get("code", 451)) is not int or wanted.get("code", 451) not in CODES:
        raise InvalidFaultsError("code must be 421, 451 or 550")
    if wanted.get("fail_at", "any") not in FAIL_AT:
        raise InvalidFaultsError("fail_at must be any, rcpt or data")
    delay = wanted.get("delay_seconds", 0)
    if type(delay) not in (int, float) or not math.isfinite(delay) or not 0 <= delay <= LONGEST_DELAY_SECONDS:
        raise InvalidFaultsError(f"delay_seconds must be a number from 0 to {LONGEST_DELAY_SECONDS}")
    return MailFaults(**wanted)


class MailFaultSwitch:
    """The faults in force. Set by the web part and used up by the mail server, in different threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults = MailFaults()

    @property
    def faults(self) -> MailFaults:
        """What is in force now, with the counts that are left."""
        with self._lock:
            return self._faults

    def set(self, faults: MailFaults) -> None:
        """Put these faults in force instead of those before."""
        with self._lock:
            self._faults = faults

    def take_failure(self, step: Step) -> int | None:
        """The code to answer at this step, used up once; None when it is to succeed."""
        with self._lock:
            if self._faults.fail_next == 0 or self._faults.fail_at not in ("any", step):
                return None
            self._faults = replace(self._faults, fail_next=self._faults.fail_next - 1)
            return self._faults.code

    def take_cut(self) -> bool:
        """Whether to cut the connection after this message, used up once."""
        with self._lock:
            left = self._faults.close_after_data
            self._faults = replace(self._faults, close_after_data=max(0, left - 1))
            return left > 0
