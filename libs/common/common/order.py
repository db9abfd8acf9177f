"""Lists in an order of the reader's choice, paged by the keys of the last row."""

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, tuple_

Rows = TypeVar("Rows", bound=Select[*tuple[Any, ...]])


def in_order(query: Rows, columns: Sequence[ColumnElement[Any]], after: Sequence[Any] | None, *, falling: bool) -> Rows:
    """By these columns, of which the last is unique; the rows after the one whose columns are `after`."""
    query = query.order_by(*(column.desc() if falling else column for column in columns))
    if after is None:
        return query
    key, last = tuple_(*columns), tuple_(*after)
    return query.where(key < last if falling else key > last)
