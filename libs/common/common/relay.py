"""The relay: takes events from the outbox to the bus, and marks each after the bus has it.

One relay per database has the turn (an advisory lock). A second that believes it has it as well only publishes twice.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any, Protocol

import psycopg

from common import logs, outbox
from common.bus import Bus, BusUnavailable
from common.db import Database, is_contended, is_unavailable
from common.metrics import EVENTS_PUBLISHED

BATCH = 500
SWEEP_SECONDS = 0.5
AWAY_SECONDS = 1.0
NOTIFY_CHANNEL = "remit_outbox"
# Wake-ups closer than this are one; a NOTIFY per commit would queue behind PostgreSQL's notification lock.
NOTIFY_GAP_SECONDS = 0.01

log = logs.get("relay")


class Turn(Protocol):
    """The right to relay one database's outbox, and the wait for something to relay."""

    def wait(self, seconds: float) -> None: ...


def publish_once(service: str, database: Database, bus: Bus) -> int:
    """Publish one batch and mark what was confirmed; answers how many rows that were."""
    with database.read() as session:
        messages = outbox.unpublished(session, BATCH)
    if not messages:
        return 0
    confirmed = bus.publish(messages)
    with database.write() as session:
        outbox.mark_published(session, confirmed)
    EVENTS_PUBLISHED.labels(service).inc(len(confirmed))
    return len(confirmed)


def run(
    service: str,
    database: Database,
    bus: Bus,
    wake: threading.Event,
    stop: threading.Event,
    gather_seconds: float = 0.0,
) -> None:
    """Relay until `stop`. While the bus or the database is away, wait and try again; events stay in the outbox."""
    while not stop.is_set():
        try:
            with _turn(database, wake, stop) as turn:
                _relay(service, database, bus, turn, stop, gather_seconds)
        except BusUnavailable as error:
            log.warning("bus away, events wait in the outbox", reason=str(error)[:200])
            stop.wait(AWAY_SECONDS)
        except Exception as error:
            if not (is_unavailable(error) or is_contended(error) or isinstance(error, psycopg.OperationalError)):
                raise
            log.warning("database away, the relay waits", reason=str(error)[:200])
            stop.wait(AWAY_SECONDS)
    bus.close()


def _relay(
    service: str, database: Database, bus: Bus, turn: Turn, stop: threading.Event, gather_seconds: float
) -> None:
    keep_alive = getattr(bus, "keep_alive", None)
    while not stop.is_set():
        # A wake-up that came while publishing is not lost: the wait then ends at once. So only a full batch is followed
        # by another look; anything less would usually find an empty outbox.
        if publish_once(service, database, bus) < BATCH:
            turn.wait(SWEEP_SECONDS)
            stop.wait(gather_seconds)
            if keep_alive is not None:
                keep_alive()


@contextlib.contextmanager
def _turn(database: Database, wake: threading.Event, stop: threading.Event) -> Iterator[Turn]:
    if database.is_sqlite:
        yield _LocalTurn(wake)  # one process owns the file
        return
    with psycopg.connect(_plain(database.url), autocommit=True, connect_timeout=3) as connection:
        while not _try_lock(connection):
            stop.wait(AWAY_SECONDS)
            if stop.is_set():
                break
        connection.execute(f"LISTEN {NOTIFY_CHANNEL}")
        yield _PostgresTurn(connection)


def _try_lock(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", [outbox.RELAY_LOCK]).fetchone()
    return bool(row and row[0])


class _LocalTurn:
    def __init__(self, wake: threading.Event) -> None:
        self._wake = wake

    def wait(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()


class _PostgresTurn:
    """The lock is this connection's: when it breaks, the turn is over, and the wait raises."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def wait(self, seconds: float) -> None:
        for _ in self._connection.notifies(timeout=seconds, stop_after=1):
            return


class PostgresWaker:
    """Tells the relay, wherever it runs, that an outbox row was committed: outside the transaction, and at most
    every few milliseconds. Losing one only means waiting for the sweep."""

    def __init__(self, database_url: str) -> None:
        self._url = _plain(database_url)
        self._due = threading.Event()
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None

    def __call__(self) -> None:
        if self._thread is None:
            with self._start:  # started on first use: after gunicorn has forked
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="outbox-waker", daemon=True)
                    self._thread.start()
        self._due.set()

    def _run(self) -> None:
        while True:
            try:
                with psycopg.connect(self._url, autocommit=True, connect_timeout=3) as connection:
                    while True:
                        self._due.wait()
                        self._due.clear()
                        connection.execute(f"NOTIFY {NOTIFY_CHANNEL}")
                        time.sleep(NOTIFY_GAP_SECONDS)
            except psycopg.Error:
                time.sleep(AWAY_SECONDS)


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://", 1)
