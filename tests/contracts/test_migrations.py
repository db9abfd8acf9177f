"""What the migrations make is what the models say, on both databases."""

from pathlib import Path

import pytest

from common import migrate, service
from common.db import Database


@pytest.mark.parametrize("name", service.names())
def test_on_sqlite(name: str, tmp_path: Path) -> None:
    _migrates(name, f"sqlite:///{tmp_path / 'migrated.sqlite'}")


@pytest.mark.broker
@pytest.mark.parametrize("name", service.names())
def test_on_postgresql(name: str, postgresql_url: str) -> None:
    _migrates(name, postgresql_url)


def _migrates(name: str, url: str) -> None:
    database, found = Database(url), service.find(name)
    migrate.upgrade(found, database)
    migrate.upgrade(found, database)  # again does nothing
    assert migrate.differences(found, database) == []
    database.close()
