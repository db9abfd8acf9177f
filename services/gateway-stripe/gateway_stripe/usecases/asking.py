"""Stripe's refusals and silences, as our callers are told of them."""

from collections.abc import Iterator
from contextlib import contextmanager

from common.errors import Conflict, Unavailable
from common.jobs import TryLater
from gateway_stripe.client import Refused, Unknown


@contextmanager
def plainly() -> Iterator[None]:
    """Turn what Stripe says, or does not, into errors that say what to do next."""
    try:
        yield
    except Unknown as error:
        raise Unavailable(
            "stripe_unavailable", "Stripe does not answer. Nothing was changed here; try again in a moment."
        ) from error
    except TryLater as error:
        raise Unavailable("stripe_busy", "Stripe asks to wait. Try again in a moment.") from error
    except Refused as error:
        raise Conflict(error.code, f"Stripe refused it: {error.message}") from error
