"""A database whose network takes everything and says nothing: nobody waits for it for ever."""

import time
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from common import db
from common.db import Database, is_unavailable, take_time
from tests.harness.proxy import WHOLE, Fault, Wire
from tests.harness.servers import Servers

SILENT = Fault(is_silent=True)
NAME = "silent-peers"

pytestmark = pytest.mark.broker


@pytest.fixture
def wire(servers: Servers) -> Iterator[Wire]:
    found = Wire.to(servers.database.url)
    yield found
    found.fault = WHOLE
    found.cut()


@pytest.fixture
def database(wire: Wire, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(db, "SIGN_OF_LIFE_SECONDS", 0.5)
    monkeypatch.setattr(db.PostgresConnection, "silence_seconds", 1.0)
    found = Database(wire.instead_of(servers.database.url), pool_size=2, application_name=NAME)
    found.ping()
    yield found
    found.close()


def test_a_statement_ends_and_the_connection_with_it(database: Database, wire: Wire) -> None:
    began = time.monotonic()
    with database.engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        wire.fault = SILENT
        with pytest.raises(OperationalError, match="said nothing for 1 s") as raised:
            connection.execute(text("SELECT 1"))

    assert is_unavailable(raised.value)
    assert time.monotonic() - began < 5
    wire.fault = WHOLE
    database.ping()


def test_a_pooled_connection_is_asked_for_a_sign_of_life_first(
    database: Database, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "FRESH_SECONDS", 0.0)
    wire.fault = SILENT
    began = time.monotonic()

    with pytest.raises(OperationalError) as raised:
        database.ping()

    assert is_unavailable(raised.value)
    assert time.monotonic() - began < 0.5 + 2 * db.CONNECT_TIMEOUT_SECONDS


def test_nobody_notices_that_a_connection_died_while_it_idled(
    database: Database, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "FRESH_SECONDS", 0.2)
    end_connections_of(servers)
    time.sleep(0.3)

    database.ping()


def test_one_that_died_a_moment_ago_is_met_once_and_none_of_its_age_after_it(
    database: Database, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "FRESH_SECONDS", 60.0)
    with database.engine.connect(), database.engine.connect():
        pass  # two in the pool
    end_connections_of(servers)

    with pytest.raises(OperationalError) as raised:
        database.ping()

    assert is_unavailable(raised.value)
    database.ping()
    database.ping()


def end_connections_of(servers: Servers) -> None:
    with psycopg.connect(servers.database.url, autocommit=True) as admin:
        ended = admin.execute(
            "SELECT count(pg_terminate_backend(pid, 2000)) FROM pg_stat_activity WHERE application_name = %s", (NAME,)
        ).fetchone()
    assert ended is not None
    assert ended[0] >= 1


def test_what_may_take_its_time_is_waited_for(database: Database) -> None:
    with database.engine.connect() as connection:
        take_time(connection, 0)
        connection.execute(text("SELECT pg_sleep(1.4)"))
    with database.engine.connect() as connection, pytest.raises(OperationalError, match="said nothing"):
        connection.execute(text("SELECT pg_sleep(1.4)"))
