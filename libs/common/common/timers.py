"""Timers: what a service does by the clock, once whatever the number of workers.

A row says when each began last; the worker that moves it on has the turn. The turn only saves work: what a timer does
must be safe to do twice at once, because a clock may be moved and a turn may be long.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, TypeVar

from sqlalchemy import String, or_, select, update
from sqlalchemy.orm import Mapped, mapped_column

from common import clock, logs
from common.db import Database, Model, Moment, insert_or, is_contended, is_unavailable

log = logs.get("timers")

Key = TypeVar("Key")


class TimerRow(Model):
    """When a timer began last."""

    __tablename__ = "timers"

    name: Mapped[str] = mapped_column(String(50), primary_key=True)
    began_at: Mapped[datetime] = mapped_column(Moment)


@dataclass(frozen=True)
class Timer:
    """`act(runtime)` every `every_seconds`, or once a day after `daily_at` (UTC)."""

    name: str
    act: Callable[[Any], None]
    every_seconds: float = 86_400.0
    daily_at: time | None = None

    def due_before(self, now: datetime) -> datetime:
        """It is due when it began before this moment."""
        if self.daily_at is None:
            return now - timedelta(seconds=self.every_seconds)
        today = datetime.combine(now.date(), self.daily_at, now.tzinfo)
        return today if today <= now else today - timedelta(days=1)


def run_due(database: Database, timers: Sequence[Timer], runtime: Any) -> int:
    """Run each timer that is due; answers how many. One that fails is tried again at its next time."""
    now = clock.now()
    with database.read() as session:
        began = dict(session.execute(select(TimerRow.name, TimerRow.began_at)).all())
    run = 0
    for timer in timers:
        if timer.name in began and timer.due_before(now) <= began[timer.name] <= now:
            continue
        if not _take_turn(database, timer, now):
            continue
        try:
            timer.act(runtime)
        except Exception as error:
            if is_unavailable(error) or is_contended(error):
                raise
            log.error("timer failed", timer=timer.name, exc_info=error)
        run += 1
    return run


def each(keys: Iterable[Key], act: Callable[[Key], object], *, expected: tuple[type[Exception], ...] = ()) -> None:
    """`act(key)`, one after the other: what stops one business or client stops no other, and is tried again at the
    timer's next time. Errors that are `expected`, such as a gateway that is away, are told in a line."""
    for key in keys:
        try:
            act(key)
        except expected as error:
            log.warning("left for the next time", key=_plain(key), reason=str(error)[:200])
        except Exception as error:
            if is_unavailable(error) or is_contended(error):
                raise
            log.error("left for the next time", key=_plain(key), exc_info=error)


def _plain(key: object) -> str:
    """`b_1`, or `b_1/live` of a key with parts."""
    return "/".join(map(str, key)) if isinstance(key, Sequence) and not isinstance(key, str) else str(key)


def _take_turn(database: Database, timer: Timer, now: datetime) -> bool:
    """Whether it is this worker's turn. A start in the future was noted before the clock was moved back."""
    with database.write() as session:
        fresh = insert_or(session, TimerRow).values(name=timer.name, began_at=now).on_conflict_do_nothing()
        if session.execute(fresh.returning(TimerRow.name)).first() is not None:
            return True
        taken = (
            update(TimerRow)
            .where(
                TimerRow.name == timer.name,
                or_(TimerRow.began_at < timer.due_before(now), TimerRow.began_at > now),
            )
            .values(began_at=now)
        )
        return session.execute(taken.returning(TimerRow.name)).first() is not None
