"""A database with the core tables, for what stands on nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.db import Database, Model
from common.web import idempotency  # noqa: F401 - its table is one of the core's


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(f"sqlite:///{tmp_path / 'core.sqlite'}")
    Model.metadata.create_all(found.engine)
    yield found
    found.close()
