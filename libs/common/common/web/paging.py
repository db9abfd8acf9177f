"""Lists are paged by cursor: the sort key of the last item, opaque to the caller."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

import orjson

from common.errors import Invalid
from common.money import MAX_SUM_MINOR

_READ: dict[type, Callable[[Any], Any]] = {date: date.fromisoformat, datetime: datetime.fromisoformat}


def encode_cursor(key: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(list(key))).decode().rstrip("=")


def decode_cursor(cursor: str | None, *types: type) -> tuple[Any, ...] | None:
    """The sort key in `cursor`, checked against `types`; None when there is no cursor. Raises Invalid. Dates and
    moments stand in it as text."""
    if cursor is None:
        return None
    try:
        key = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if isinstance(key, list) and len(key) == len(types):
            parts = [_READ.get(kind, _as_it_is)(part) for part, kind in zip(key, types, strict=True)]
            if [type(part) for part in parts] == list(types) and all(map(_is_kept, key)):
                return tuple(parts)
    except (binascii.Error, ValueError, TypeError):
        pass
    raise Invalid("cursor_invalid", "This cursor does not belong to this list; start again without one.")


def page(items: Sequence[Any], limit: int, next_key: Sequence[Any] | None) -> dict[str, Any]:
    """The answer of a list: `items` (at most `limit`) and the cursor of the next page."""
    return {"items": items[:limit], "next_cursor": encode_cursor(next_key) if next_key is not None else None}


def _is_kept(part: Any) -> bool:
    """Whether a column can hold it: what one cannot, the database may fail to compare."""
    return "\0" not in part if isinstance(part, str) else abs(part) <= MAX_SUM_MINOR


def _as_it_is(part: Any) -> Any:
    return part
