"""A commit in one process wakes the loop that waits for it in another, on PostgreSQL."""

import threading
from collections.abc import Iterator

import pytest

from common import wake
from common.wake import PostgresWaker
from tests.harness.servers import Servers

pytestmark = pytest.mark.broker


@pytest.fixture
def woken(servers: Servers) -> Iterator[threading.Event]:
    """Set whenever the jobs are woken, by whoever listens for them."""
    woken, stop = threading.Event(), threading.Event()
    listener = threading.Thread(target=wake.pass_on, args=(servers.database.url, "jobs", woken, stop))
    listener.start()
    assert woken.wait(10), "once it listens it looks for what came before"
    woken.clear()
    yield woken
    stop.set()
    listener.join(10)
    assert not listener.is_alive()


def test_jobs_are_woken_from_another_process(servers: Servers, woken: threading.Event) -> None:
    wake_jobs = PostgresWaker(servers.database.url).waker("jobs")
    for _ in range(3):
        wake_jobs()
        assert woken.wait(10)
        woken.clear()


def test_what_is_for_the_relay_wakes_no_jobs(servers: Servers, woken: threading.Event) -> None:
    waker = PostgresWaker(servers.database.url)
    waker.waker("outbox")()
    assert not woken.wait(0.5)
    waker.waker("jobs")()
    assert woken.wait(10)
