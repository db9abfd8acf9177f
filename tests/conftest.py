"""A system for those who share one."""

from collections.abc import Iterator

import pytest

from tests.harness.servers import Servers
from tests.harness.system import System


@pytest.fixture(scope="module")
def system(servers: Servers) -> Iterator[System]:
    with System(servers, workers={"billing": 2}) as running:
        yield running
