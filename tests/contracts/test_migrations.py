"""What the migrations make is what the models say, on both databases."""

from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from common import migrate, service
from common.db import Database
from tests.harness.servers import Servers


@pytest.mark.parametrize("name", service.names())
def test_on_sqlite(name: str, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'migrated.sqlite'}")
    found = service.find(name)
    migrate.upgrade(found, database)
    migrate.upgrade(found, database)  # again does nothing
    assert migrate.differences(found, database) == []
    database.close()


@pytest.mark.broker
@pytest.mark.parametrize("name", service.names())
def test_on_postgresql(name: str, servers: Servers) -> None:
    fresh = f"migrated_{uuid4().hex[:8]}"
    with psycopg.connect(servers.database.url, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{fresh}"')
        database = Database(servers.database.url.rsplit("/", 1)[0] + "/" + fresh)
        found = service.find(name)
        migrate.upgrade(found, database)
        migrate.upgrade(found, database)
        assert migrate.differences(found, database) == []
        database.close()
        admin.execute(f'DROP DATABASE "{fresh}"')
