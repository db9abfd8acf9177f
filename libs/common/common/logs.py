"""Structured logs: one JSON object a line on stderr, with secrets taken out before they are written."""

import contextlib
import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from common.ids import ID

_SECRET_KEYS = re.compile(r"authorization|password|passphrase|secret|token|signature|api_key", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"\b(?:sk|rk|pk)_(?:live|test)_\w+"  # gateway keys
    r"|\bwhsec_\w+|\w+_secret_\w+"
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"  # JSON web tokens
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # credentials inside an address
)
# What makes a link work, such as one to pay with or to set a password.
_SIGNATURE = re.compile(r"(?<=[?&]signature=)[\w-]+")
_ADDRESS = re.compile(r"\b([\w.+-])[\w.+-]*@([\w-]+\.[\w.-]+)")
_CARD = re.compile(rf"(?P<id>{ID.pattern})|\b\d(?:[ -]?\d){{12,18}}\b")
REDACTED = "[redacted]"


def redact(text: str) -> str:
    """`text` without keys, tokens, passwords, card-like numbers, or the whole of an e-mail address."""
    text = _SIGNATURE.sub(REDACTED, _SECRET_TEXT.sub(REDACTED, text))
    text = _ADDRESS.sub(r"\1***@\2", text)
    return _CARD.sub(lambda found: found["id"] or REDACTED, text)


def redact_tree(value: Any) -> Any:
    """JSON as `redact` leaves text, without what stands under the name of a secret."""
    if isinstance(value, dict):
        return {name: REDACTED if _SECRET_KEYS.search(str(name)) else redact_tree(part) for name, part in value.items()}
    if isinstance(value, list):
        return [redact_tree(part) for part in value]
    return redact(value) if isinstance(value, str) else value


def _redact_event(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if _SECRET_KEYS.search(key):
            event[key] = REDACTED
        elif isinstance(value, str):
            event[key] = redact(value)
    return event


class _Lossy:
    """A stream that loses what cannot be written: a full disk beneath the logs fails no request, and ends no worker."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


def configure(service: str, level: str = "INFO") -> None:
    """Send this process's logs, the standard library's included, to stderr as JSON."""

    def name_service(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("service", service)  # not a context variable: each thread has its own context
        return event

    stream: Any = _Lossy(sys.stderr)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        name_service,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_event,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.getLevelNamesMapping()[level], logging.WARNING))


def get(name: str) -> Any:
    """A logger; call it as `log.info("payment recorded", payment_id=…)`."""
    return structlog.get_logger(component=name)
