"""Structured logs: one JSON object a line on stderr, with secrets taken out before they are written."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET_KEYS = re.compile(r"authorization|password|secret|token|signature|api_key", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"\b(?:sk|rk|pk)_(?:live|test)_\w+"  # gateway keys
    r"|\bwhsec_\w+|\w+_secret_\w+"
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"  # JSON web tokens
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # credentials inside an address
)
_ADDRESS = re.compile(r"\b([\w.+-])[\w.+-]*@([\w-]+\.[\w.-]+)")
_CARD = re.compile(r"\b\d(?:[ -]?\d){12,18}\b")
REDACTED = "[redacted]"


def redact(text: str) -> str:
    """`text` without keys, tokens, passwords, card-like numbers, or the whole of an e-mail address."""
    text = _SECRET_TEXT.sub(REDACTED, text)
    text = _ADDRESS.sub(r"\1***@\2", text)
    return _CARD.sub(REDACTED, text)


def _redact_event(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if _SECRET_KEYS.search(key):
            event[key] = REDACTED
        elif isinstance(value, str):
            event[key] = redact(value)
    return event


def configure(service: str, level: str = "INFO") -> None:
    """Send this process's logs, the standard library's included, to stderr as JSON."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_event,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
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
    structlog.contextvars.bind_contextvars(service=service)


def get(name: str) -> Any:
    """A logger; call it as `log.info("payment recorded", payment_id=…)`."""
    return structlog.get_logger(component=name)
