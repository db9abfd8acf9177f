"""Which statements are sent to a database."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from common.db import Database

_LABEL = re.compile(r" AS \w+")
_SPACE = re.compile(r"\s+")
_BIND = re.compile(r"%\(\w+\)s(::\w+)?")
_SELECTED = re.compile(r"SELECT (.*?) FROM")


@contextmanager
def recorded(database: Database) -> Iterator[list[str]]:
    """The statements sent within the block, in the form in which the ORM's and Core's are the same: without labels
    and names of values, selected columns in alphabetical order."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(plain(statement))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def plain(statement: str) -> str:
    text = _BIND.sub("?", _LABEL.sub("", _SPACE.sub(" ", statement))).strip()
    return _SELECTED.sub(lambda found: f"SELECT {', '.join(sorted(found[1].split(', ')))} FROM", text)
