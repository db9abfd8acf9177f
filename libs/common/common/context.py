"""What is being worked on, for logs and for the correlation of events."""

from contextvars import ContextVar

_correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)


def correlation_id() -> str | None:
    return _correlation_id.get()


def correlate(value: str | None) -> None:
    """Tie everything that this thread or request emits from now on to `value`."""
    _correlation_id.set(value)
