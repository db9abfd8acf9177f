"""The relay: takes events from the outbox to the bus, and marks each after the bus has it.

One relay per database has the turn (an advisory lock). A second that believes it has it as well only publishes twice.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any, Protocol

import psycopg

from common import crash, logs, outbox, wake
from common.bus import Bus, BusUnavailable
from common.db import Database, is_contended, is_unavailable
from common.metrics import EVENTS_PUBLISHED

BATCH = 500
SWEEP_SECONDS = 0.5
AWAY_SECONDS = 1.0

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
    crash.here("relaying")
    confirmed = bus.publish(messages)
    crash.here("published")
    with database.write() as session:
        outbox.mark_published(session, confirmed)
    EVENTS_PUBLISHED.labels(service).inc(len(confirmed))
    return len(confirmed)


def run(
    service: str,
    database: Database,
    bus: Bus,
    woken: threading.Event,
    stop: threading.Event,
    gather_seconds: float = 0.0,
) -> None:
    """Relay until `stop`; a batch begins at least `gather_seconds` after the last has ended, so at once after a rest.

    While the bus or the database is away, wait and try again; events stay in the outbox."""
    while not stop.is_set():
        try:
            with _turn(database, woken, stop) as turn:
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
            next_at = time.monotonic() + gather_seconds
            turn.wait(SWEEP_SECONDS)
            stop.wait(max(0.0, next_at - time.monotonic()))
            if keep_alive is not None:
                keep_alive()


@contextlib.contextmanager
def _turn(database: Database, woken: threading.Event, stop: threading.Event) -> Iterator[Turn]:
    if database.is_sqlite:
        yield _LocalTurn(woken)  # one process owns the file
        return
    with wake.connected(database.url) as connection:
        while not _try_lock(connection):
            stop.wait(AWAY_SECONDS)
            if stop.is_set():
                break
        wake.listen(connection, "outbox")
        yield _PostgresTurn(connection)


def _try_lock(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", [outbox.RELAY_LOCK]).fetchone()
    return bool(row and row[0])


class _LocalTurn:
    def __init__(self, woken: threading.Event) -> None:
        self._woken = woken

    def wait(self, seconds: float) -> None:
        self._woken.wait(seconds)
        self._woken.clear()


class _PostgresTurn:
    """The lock is this connection's: when it breaks, the turn is over, and the wait raises."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def wait(self, seconds: float) -> None:
        wake.heard(self._connection, seconds)
