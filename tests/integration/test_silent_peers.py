"""A database whose network takes everything and says nothing: nobody waits for it for ever."""

import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from common import db
from common.db import Database, is_unavailable, take_time
from tests.harness.proxy import WHOLE, Fault, Wire
from tests.harness.servers import Servers

SILENT = Fault(is_silent=True)

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
    found = Database(wire.instead_of(servers.database.url), pool_size=2)
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


def test_a_pooled_connection_is_asked_for_a_sign_of_life_first(database: Database, wire: Wire) -> None:
    wire.fault = SILENT
    began = time.monotonic()

    with pytest.raises(OperationalError) as raised:
        database.ping()

    assert is_unavailable(raised.value)
    assert time.monotonic() - began < 0.5 + 2 * db.CONNECT_TIMEOUT_SECONDS


def test_what_may_take_its_time_is_waited_for(database: Database) -> None:
    with database.engine.connect() as connection:
        take_time(connection, 0)
        connection.execute(text("SELECT pg_sleep(1.4)"))
    with database.engine.connect() as connection, pytest.raises(OperationalError, match="said nothing"):
        connection.execute(text("SELECT pg_sleep(1.4)"))
