"""A broker and a database for the whole run, and a system for those who share one."""

import os
from collections.abc import Iterator

import pytest

from tests.harness.servers import NoServers, Servers, find
from tests.harness.system import System


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(words: str) -> None:
        with capture.global_and_fixture_disabled():
            print(words, flush=True)

    try:
        found = find(say)
    except NoServers as reason:
        if os.environ.get("CI") or os.environ.get("REQUIRE_DOCKER") == "1":
            pytest.fail(f"no broker and database to test against: {reason}")
        pytest.skip(str(reason))
    say(f"\nremit tests: RabbitMQ and PostgreSQL from {found.kind}")
    yield found
    found.remove()


@pytest.fixture(scope="module")
def system(servers: Servers) -> Iterator[System]:
    with System(servers, workers={"billing": 2}) as running:
        yield running
