"""One SQLite file of tables that several threads share: opening, transactions, statements."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Value = str | int | float | bytes | None


class Tables:
    """Everything is done within `transaction()`, one at a time.

    What was committed survives the death of the process (kill -9). name: what errors call the file. Raises
    sqlite3.Error when the file cannot be used, RuntimeError when another version wrote it.
    """

    def __init__(self, path: Path, tables: str, layout: int, name: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, timeout=10, check_same_thread=False, isolation_level=None)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            # As for mail: the operating system has the data when the process dies.
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._lay_out(tables, layout, name)
        except BaseException:
            self.close()
            raise

    def _lay_out(self, tables: str, layout: int, name: str) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._db.executescript(f"BEGIN;{tables}PRAGMA user_version = {layout};COMMIT;")
        elif version != layout:
            raise RuntimeError(f"the {name} file has layout {version}, not {layout}: delete it")

    def close(self) -> None:
        """Close the file; closing twice does no harm."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or, when it raises, nothing."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def rows(self, sql: str, *values: Value) -> list[tuple[Any, ...]]:
        """What a statement answers."""
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def run(self, sql: str, *values: Value) -> int:
        """How many rows a statement changed."""
        with self._lock:
            return self._db.execute(sql, values).rowcount
