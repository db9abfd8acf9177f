"""Waking a loop that waits for rows, in whichever process it runs: by NOTIFY after the commit.

Losing one only means waiting until the loop looks by itself.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import psycopg

from common.db import PostgresConnection

Loop = Literal["outbox", "jobs"]

CONNECT_TIMEOUT_SECONDS = 3
AWAY_SECONDS = 1.0
LISTEN_SECONDS = 1.0
# Wake-ups closer than this are one; a NOTIFY per commit would queue behind PostgreSQL's notification lock.
NOTIFY_GAP_SECONDS = 0.01


class PostgresWaker:
    """Tells loops that something they wait for was committed: outside the transaction, and at most every few
    milliseconds."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._named: set[Loop] = set()
        self._due = threading.Event()
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None

    def waker(self, loop: Loop) -> Callable[[], None]:
        """What wakes that loop."""

        def wake() -> None:
            self._start_once()
            self._named.add(loop)
            self._due.set()

        return wake

    def _start_once(self) -> None:
        if self._thread is None:
            with self._start:  # started on first use: after gunicorn has forked
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="waker", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                with connected(self._url) as connection:
                    while True:
                        self._due.wait()
                        self._due.clear()
                        while self._named:
                            connection.execute(f"NOTIFY {_channel(self._named.pop())}")
                        time.sleep(NOTIFY_GAP_SECONDS)
            except psycopg.Error:
                time.sleep(AWAY_SECONDS)


@contextmanager
def connected(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection of its own, outside the pool. Raises psycopg.Error."""
    plain = database_url.replace("postgresql+psycopg://", "postgresql://", 1)
    with PostgresConnection.connect(plain, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS) as connection:
        yield connection


def listen(connection: psycopg.Connection[Any], loop: Loop) -> None:
    """Hear on this connection when the loop is woken."""
    connection.execute(f"LISTEN {_channel(loop)}")


def heard(connection: psycopg.Connection[Any], seconds: float) -> bool:
    """Wait for a wake-up, at most so long; whether one came."""
    return any(True for _ in connection.notifies(timeout=seconds, stop_after=1))


def pass_on(database_url: str, loop: Loop, wake: threading.Event, stop: threading.Event) -> None:
    """Set `wake` whenever the loop is woken from another process, until `stop`."""
    while not stop.is_set():
        try:
            with connected(database_url) as connection:
                listen(connection, loop)
                wake.set()  # for what came before this
                while not stop.is_set():
                    if heard(connection, LISTEN_SECONDS):
                        wake.set()
        except psycopg.Error:
            stop.wait(AWAY_SECONDS)


def _channel(loop: Loop) -> str:
    return f"remit_{loop}"
