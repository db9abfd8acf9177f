"""A request that has to wait for one lock after another: it waits for all of them as long as for one."""

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from common import context, db
from common.db import Database, is_contended
from tests.harness.proxy import Fault, Wire
from tests.harness.servers import Servers, fresh_database

pytestmark = pytest.mark.broker

LOCK_WAIT_SECONDS = 3.0
FREE_AFTER_SECONDS = 2.0


@pytest.fixture
def url(servers: Servers) -> Iterator[str]:
    with fresh_database(servers.database.url) as found:
        with psycopg.connect(found, autocommit=True) as admin:
            admin.execute("CREATE TABLE counters (name text PRIMARY KEY, last int)")
            admin.execute("CREATE TABLE receipts (number int)")
            admin.execute("INSERT INTO counters VALUES ('b1', 0)")
        yield found


@pytest.fixture
def database(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(db, "LOCK_WAIT_SECONDS", LOCK_WAIT_SECONDS)
    found = Database(url, is_confined=True)
    yield found
    found.close()


def record(database: Database) -> None:
    with database.write() as session:
        session.execute(text("UPDATE counters SET last = last + 1 WHERE name = 'b1'"))
        session.execute(text("INSERT INTO receipts SELECT last FROM counters WHERE name = 'b1'"))


def assert_refused_in_time(database: Database, url: str) -> None:
    """A payment that gets the row after a while, and the table not at all."""
    record(database)
    with psycopg.connect(url) as table, psycopg.connect(url) as row:
        table.execute("LOCK TABLE receipts IN ACCESS EXCLUSIVE MODE")
        row.execute("SELECT * FROM counters FOR UPDATE")
        timer = threading.Timer(FREE_AFTER_SECONDS, row.rollback)
        timer.start()
        began = time.monotonic()
        with pytest.raises(DBAPIError) as raised:
            record(database)
        took_seconds = time.monotonic() - began
        timer.join()
    assert is_contended(raised.value)
    assert FREE_AFTER_SECONDS < took_seconds < LOCK_WAIT_SECONDS + FREE_AFTER_SECONDS / 2


def test_the_second_lock_is_waited_for_only_as_long_as_is_left(database: Database, url: str) -> None:
    assert_refused_in_time(database, url)


def test_the_next_transaction_has_all_of_it_again(database: Database, url: str) -> None:
    assert_refused_in_time(database, url)
    with psycopg.connect(url) as table:
        table.execute("LOCK TABLE receipts IN ACCESS EXCLUSIVE MODE")
        timer = threading.Timer(FREE_AFTER_SECONDS, table.rollback)
        timer.start()
        record(database)
        timer.join()


def test_a_slow_network_is_taken_for_a_lock_and_that_is_all(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "LOCK_WAIT_SECONDS", 1.0)
    wire = Wire.to(url)
    wire.fault = Fault(latency_seconds=0.1)  # each statement takes longer than what is told to the transaction
    database = Database(wire.instead_of(url), is_confined=True)
    try:
        with context.confined("b1"):
            record(database)
        with database.read() as session:
            assert session.scalar(text("SELECT number FROM receipts")) == 1
    finally:
        database.close()
        wire.cut()
