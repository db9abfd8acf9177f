"""Many rows in one statement on PostgreSQL: every value arrives as it was."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Boolean, Column, Date, LargeBinary, MetaData, Table, Text, select

from common.db import ARRAYS_FROM_ROWS, Database, Moment, array_literal, bulk_insert, is_one_of, is_one_of_pairs

pytestmark = pytest.mark.broker

THINGS = Table(
    "things", MetaData(), Column("number", BigInteger), Column("words", Text), Column("is_so", Boolean),
    Column("day", Date), Column("at", Moment), Column("raw", LargeBinary),
)  # fmt: skip
TEXTS = [
    "",
    "NULL",
    "null",
    None,
    'it\'s "so"',
    "a\\b\\\\n",
    "line\nline\ttab\r",
    "{x,y}",
    " zoë ✓ 🎈 ",
    "%s %(x)s",
    "\x01\x7f",
]


@pytest.fixture
def database(postgresql_url: str) -> Iterator[Database]:
    database = Database(postgresql_url)
    THINGS.create(database.engine)
    yield database
    database.close()


def _thing(number: int, **changes: Any) -> dict[str, Any]:
    usual = {
        "number": number, "words": "alike", "is_so": None, "day": date(2026, 2, 28),
        "at": datetime(2026, 11, 25, 14, 59, 1, 123456, UTC), "raw": b"\x00\xff\\",
    }  # fmt: skip
    return usual | changes


def _kept(database: Database, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    with database.write() as session:
        bulk_insert(session, THINGS, rows)
        return [dict(row) for row in session.execute(select(THINGS).order_by(THINGS.c.number)).mappings()]


def test_every_kind_of_value_arrives(database: Database) -> None:
    rows = [
        _thing(
            2**53 + place, words=words, is_so=[True, False, None][place % 3], day=date(1, 1, 1 + place),
            at=datetime(2026, 1, 1, 0, 0, place, place, UTC), raw=bytes([place, 0, 92]),
        )
        for place, words in enumerate(TEXTS)
    ]  # fmt: skip
    assert len(rows) >= ARRAYS_FROM_ROWS
    assert _kept(database, rows) == rows


def test_what_all_rows_have_alike_arrives_in_each(database: Database) -> None:
    rows = [_thing(number) for number in range(ARRAYS_FROM_ROWS)]
    assert _kept(database, rows) == rows


def test_rows_that_differ_in_nothing_are_all_there(database: Database) -> None:
    rows = [_thing(1) for _ in range(ARRAYS_FROM_ROWS)]
    assert _kept(database, rows) == rows


def test_one_of_many_is_found_by_any_text(database: Database) -> None:
    words = [text for text in TEXTS if text is not None]
    _kept(database, [_thing(place, words=text) for place, text in enumerate(words)])
    with database.read() as session:
        found = session.scalars(select(THINGS.c.words).where(is_one_of(session, THINGS.c.words, words)))
        assert sorted(found) == sorted(words)
        assert session.scalars(select(THINGS.c.words).where(is_one_of(session, THINGS.c.words, []))).all() == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.lists(st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1))
def test_any_text_stands_in_an_array(postgresql_url: str, texts: list[str | None]) -> None:
    with psycopg.connect(postgresql_url) as connection:
        found = connection.execute("SELECT %s::text[]", [array_literal(texts)]).fetchone()
    assert found is not None
    assert found[0] == texts


def test_pairs_are_found_together_and_not_apart(database: Database) -> None:
    table = Table("pairs", MetaData(), Column("first", Text), Column("second", Text))
    table.create(database.engine)
    words = [text for text in TEXTS if text is not None]
    crossed = [(first, second) for first in words for second in words]
    wanted = [*zip(words, reversed(words), strict=True), ("not", "there")]
    with database.write() as session:
        bulk_insert(session, table, [{"first": first, "second": second} for first, second in crossed])
        for pairs in (wanted, wanted[:1], []):
            found = session.execute(
                select(table).where(is_one_of_pairs(session, (table.c.first, table.c.second), pairs))
            )
            assert {(row.first, row.second) for row in found} == set(pairs) & set(crossed)
