"""What is being worked on, for logs and for the correlation of events; and for whom, for the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import structlog

# What tokens for operators and for lists of businesses say.
EVERY_BUSINESS = "*"

_correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)


def correlation_id() -> str | None:
    return _correlation_id.get()


def correlate(value: str | None) -> None:
    """Tie everything that this thread or request emits and logs from now on to `value`."""
    _correlation_id.set(value)
    if value is None:
        structlog.contextvars.unbind_contextvars("correlation_id")
    else:
        structlog.contextvars.bind_contextvars(correlation_id=value)


_business_id: ContextVar[str | None] = ContextVar("business_id", default=None)
_sought: ContextVar[str | None] = ContextVar("sought", default=None)


def business_id() -> str | None:
    """Whose rows a web role sees in this thread or request: a business's, EVERY_BUSINESS, or None for nobody's."""
    return _business_id.get()


def confine(business_id: str | None) -> None:
    """From now on, transactions of this thread or request see the rows of this one business, if it is one."""
    _business_id.set(_one(business_id))


def unconfine() -> None:
    """From now on, they see the rows of every business: for those only whose token says so."""
    _business_id.set(EVERY_BUSINESS)


@contextmanager
def confined(business_id: str | None) -> Iterator[None]:
    """As `confine`, for the transactions that begin in the block."""
    before = _business_id.set(_one(business_id))
    try:
        yield
    finally:
        _business_id.reset(before)


def _one(business_id: str | None) -> str | None:
    """It may be what a stranger says in an address or a cookie: that is never every business, nor what no text is."""
    return None if business_id is None or business_id == EVERY_BUSINESS or "\0" in business_id else business_id


def sought() -> str | None:
    return _sought.get()


@contextmanager
def seeking(value: str) -> Iterator[None]:
    """For who is looked up before their business is known: transactions that begin in the block also see the rows with
    this value, of any business, in the tables that have a policy for it."""
    before = _sought.set(_one(value))
    try:
        yield
    finally:
        _sought.reset(before)
