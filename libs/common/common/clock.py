"""The clock is a port: everything that asks for the time asks here.

`CLOCK_FILE` names a file holding an offset in seconds; it moves the clock while the sandbox is on, and only there.
"""

import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

OFFSET_READ_SECONDS = 0.2
# Days beyond these are slips of the pen, and near the ends of the calendar no zone can be reckoned with.
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2999, 12, 31)


class Clock:
    """Wall time in UTC, moved by the offset found in `offset_file` when there is one."""

    def __init__(self, offset_file: Path | None = None) -> None:
        self._offset_file = offset_file
        self._offset = timedelta()
        self._read_at = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + self._current_offset()

    def _current_offset(self) -> timedelta:
        if self._offset_file is None or time.monotonic() - self._read_at < OFFSET_READ_SECONDS:
            return self._offset
        self._read_at = time.monotonic()
        try:
            self._offset = timedelta(seconds=float(self._offset_file.read_text().strip() or 0))
        except (FileNotFoundError, ValueError):
            self._offset = timedelta()
        except OSError:
            pass  # no more files may be opened: it stays as it was
        return self._offset


_clock = Clock()


def use(clock: Clock) -> None:
    """Make `clock` this process's clock; called once at start."""
    global _clock  # noqa: PLW0603 - one clock per process is the point
    _clock = clock


def now() -> datetime:
    """The time, UTC, aware."""
    return _clock.now()


def today(time_zone: str) -> date:
    """The date where the business is; `time_zone` is an IANA name."""
    return now().astimezone(ZoneInfo(time_zone)).date()
