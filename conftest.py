"""A broker and a database for the whole run, and which tests come first."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.harness.servers import NoServers, Servers, find, fresh_database

ROOT = Path(__file__).parent
# They take minutes, so they begin first and short ones fill the end.
LONG = ("tests/faults", "tests/integration", "tests/browser", "tests/compose")

# How long an example takes is the machine's business, and no fault.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.path.relative_to(ROOT).as_posix().startswith(LONG))


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    """For tests that are marked `broker`."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(words: str) -> None:
        with capture.global_and_fixture_disabled():
            sys.stderr.write(f"{words}\n")  # where several processes share the tests, stdout is theirs

    try:
        found = find(say)
    except NoServers as reason:
        if os.environ.get("CI") or os.environ.get("REQUIRE_DOCKER") == "1":
            pytest.fail(f"no broker and database to test against: {reason}")
        pytest.skip(str(reason))
    say(f"\nremit tests: RabbitMQ and PostgreSQL from {found.kind}")
    yield found
    found.remove()


@pytest.fixture
def postgresql_url(servers: Servers) -> Iterator[str]:
    """An empty database; for tests that are marked `broker`."""
    with fresh_database(servers.database.url) as url:
        yield url
