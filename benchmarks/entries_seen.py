"""When entries of the ledger become visible to a reader.

A reader asks billing's database every few milliseconds for entries not seen before (BalanceChanged stands in the outbox
by the same commit as the balance), so what is measured is never less than what passed.
"""

import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import psycopg

LOOK_SECONDS = 0.003
PATIENCE_SECONDS = 30.0
NEW_ENTRIES = """
    SELECT seq, CAST(body AS json) -> 'data' ->> 'entry_source' FROM outbox
    WHERE seq > %s AND type = 'BalanceChanged' ORDER BY seq
"""


class EntriesSeen:
    """Source of an entry → when it was seen (time.time)."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}

    def wait_for(self, sources: Collection[str]) -> None:
        """Wait until all of these were seen. Raises when one was not in PATIENCE_SECONDS."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while missing := [source for source in sources if source not in self.at]:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{len(missing)} payments changed no balance in {PATIENCE_SECONDS:.0f} s")
            time.sleep(0.05)


@contextmanager
def watched(database_url: str) -> Iterator[EntriesSeen]:
    """Entries seen in billing's database from now on."""
    seen = EntriesSeen()
    stop, ready = threading.Event(), threading.Event()
    reader = threading.Thread(target=_read, args=(database_url, seen.at, ready, stop))
    reader.start()
    try:
        ready.wait(PATIENCE_SECONDS)
        yield seen
    finally:
        stop.set()
        reader.join()


def _read(database_url: str, at: dict[str, float], ready: threading.Event, stop: threading.Event) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute("SELECT coalesce(max(seq), 0) FROM outbox").fetchone()
        last = row[0] if row else 0
        ready.set()
        while not stop.is_set():
            rows = connection.execute(NEW_ENTRIES, [last]).fetchall()
            now = time.time()
            for seq, source in rows:
                at[source] = now
                last = seq
            time.sleep(LOOK_SECONDS)
