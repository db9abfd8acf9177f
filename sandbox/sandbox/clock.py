"""The sandbox's clock: wall time, moved by an offset that is kept in a file."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

READ_SECONDS = 0.1


class OffsetClock:
    """Seconds since 1970, moved by the offset in `file`, which others (Remit's services) may read and write too."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._offset = 0.0
        self._read_at = -READ_SECONDS

    def now(self) -> float:
        """Unix time in seconds as the sandbox sees it."""
        return time.time() + self.offset()

    def offset(self) -> float:
        """The offset in seconds; 0 when the file is missing or holds no number."""
        with self._lock:
            if time.monotonic() - self._read_at >= READ_SECONDS:
                self._read_at = time.monotonic()
                try:
                    self._offset = float(self._file.read_text().strip() or 0)
                except (OSError, ValueError):
                    self._offset = 0.0
            return self._offset

    def move(self, offset_seconds: float) -> None:
        """Set the offset. Raises OSError when the file cannot be written."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        # Replaced as a whole: a reader that met an empty file would see the clock jump back.
        fresh = self._file.with_name(f"{self._file.name}.{os.getpid()}.new")
        fresh.write_text(f"{float(offset_seconds)!r}\n")
        fresh.replace(self._file)
        with self._lock:
            self._offset, self._read_at = float(offset_seconds), time.monotonic()
