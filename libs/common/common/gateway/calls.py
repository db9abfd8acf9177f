"""What a call to a gateway can come to besides its answer, and how our own callers are told."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from common.errors import Conflict, Unavailable
from common.jobs import GiveUp, TryLater
from common.metrics import GATEWAY_CALL_SECONDS


class Refused(Exception):
    """The gateway refused the request for good. `code` is the gateway's, or ours where it gives none."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.param = code, message, param


class Unknown(Exception):
    """Nobody knows whether the gateway did it: no answer, or one that says nothing of it. It is asked later."""


# Why a gateway could not be asked just now; whoever asks by the clock asks again.
NOT_ASKED = (Unknown, Refused, TryLater)


@contextmanager
def timed(gateway: str) -> Iterator[None]:
    """Count a call to a gateway by what came of it, and how long that took. Decorates a function as well."""
    started = time.perf_counter()
    outcome = "error"
    try:
        yield
        outcome = "ok"
    except Refused:
        outcome = "refused"
        raise
    except TryLater:
        outcome = "later"
        raise
    except Unknown:
        outcome = "unknown"
        raise
    finally:
        GATEWAY_CALL_SECONDS.labels(gateway, outcome).observe(time.perf_counter() - started)


@contextmanager
def plainly(gateway: str) -> Iterator[None]:
    """Turn what a gateway says, or does not, into errors that say what to do next."""
    try:
        yield
    except Unknown as error:
        raise Unavailable(
            f"{gateway.lower()}_unavailable",
            f"{gateway} does not answer. Nothing was changed here; try again in a moment.",
        ) from error
    except TryLater as error:
        raise Unavailable(f"{gateway.lower()}_busy", f"{gateway} asks to wait. Try again in a moment.") from error
    except Refused as error:
        raise Conflict(error.code, f"{gateway} refused it: {error.message}") from error


@contextmanager
def as_a_job(gateway: str) -> Iterator[None]:
    """Turn them into what a job's call raises."""
    try:
        yield
    except Unknown as error:
        raise TryLater(f"{gateway} does not answer: {error}") from error
    except Refused as error:
        raise GiveUp(f"{gateway} refused it: {error.message}") from error
