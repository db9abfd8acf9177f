"""The portal on its own, with stand-ins for the services that it asks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.portal.tests.others import Others
from services.portal.tests.support import Portal


@pytest.fixture
def others() -> Iterator[Others]:
    found = Others()
    yield found
    found.close()


@pytest.fixture
def portal(tmp_path: Path, others: Others) -> Iterator[Portal]:
    found = Portal(tmp_path, others)
    yield found
    found.service.close()
