"""A calendar's pages, pure: which days one shows, what clocks show there, and the sessions of each day."""

import calendar
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

View = Literal["day", "week", "month"]
VIEWS: tuple[View, ...] = ("day", "week", "month")
YEARS = (2000, 2100)
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pages:
    """The days from `first` to `last`, and the pages before and after them."""

    view: View
    first: date
    last: date

    @property
    def title(self) -> str:
        if self.view == "day":
            return f"{self.first:%A, %-d %b %Y}"
        if self.view == "month":
            return f"{self.first:%B %Y}"
        begins = f"{self.first:%-d %b}" if self.first.year == self.last.year else f"{self.first:%-d %b %Y}"
        return f"{begins} – {self.last:%-d %b %Y}"

    @property
    def before(self) -> date:
        return self.first - ONE_DAY

    @property
    def after(self) -> date:
        return self.last + ONE_DAY


@dataclass
class Day:
    """One day and its sessions."""

    on: date
    sessions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.on:%a, %-d %b}"


def pages_of(view: View, day: date) -> Pages:
    """The page that a day is on; weeks begin on Monday."""
    if not YEARS[0] < day.year < YEARS[1] - 1:
        raise ValueError("no calendar reaches there")
    if view == "day":
        return Pages(view, day, day)
    if view == "month":
        return Pages(view, day.replace(day=1), day.replace(day=calendar.monthrange(day.year, day.month)[1]))
    monday = day - timedelta(days=day.weekday())
    return Pages(view, monday, monday + timedelta(days=6))


def day_named(written: str) -> date | None:
    """The day that an address names: 2026-11-25, or a week such as 2026-W48; None when it names none."""
    try:
        return date.fromisoformat(f"{written}-1" if "W" in written and len(written) <= len("2026-W48") else written)
    except ValueError:
        return None


def by_day(
    pages: Pages, sessions: Sequence[dict[str, Any]], time_zone: str, now: datetime, *, with_empty: bool
) -> list[Day]:  # fmt: skip
    """The sessions with what clocks show where the business is, under their days. Days without any only where that
    says something: not when there are more sessions than were given, nor in a month."""
    days: dict[date, Day] = {}
    if with_empty and pages.view != "month":
        count = (pages.last - pages.first).days + 1
        days = {on: Day(on) for on in (pages.first + timedelta(days=number) for number in range(count))}
    for session in sessions:
        begins, ends = times_of(session, time_zone)
        shown = {
            **session, "begins": f"{begins:%H:%M}", "ends": f"{ends:%H:%M}", "has_begun": begins <= now,
        }  # fmt: skip
        days.setdefault(begins.date(), Day(begins.date())).sessions.append(shown)
    return list(days.values())


def times_of(session: dict[str, Any], time_zone: str) -> tuple[datetime, datetime]:
    """From when to when, on the clocks of the business."""
    begins = datetime.fromisoformat(session["starts_at"]).astimezone(UTC)
    ends = begins + timedelta(minutes=session["duration_minutes"])
    return begins.astimezone(ZoneInfo(time_zone)), ends.astimezone(ZoneInfo(time_zone))


def moments(day: date, at: time, time_zone: str) -> list[datetime]:
    """The moments at which the clocks show this: one; none when they are put forward over it; two when they are put
    back over it."""
    earlier = datetime.combine(day, at, ZoneInfo(time_zone)).replace(fold=0)
    later = earlier.replace(fold=1)
    if earlier.utcoffset() == later.utcoffset():
        return [earlier]
    is_shown = earlier.astimezone(UTC).astimezone(ZoneInfo(time_zone)).replace(tzinfo=None) == earlier.replace(
        tzinfo=None
    )
    return [earlier, later] if is_shown else []


def shown_instead(day: date, at: time, time_zone: str) -> time:
    """What the clocks show in place of a time that they skip."""
    return datetime.combine(day, at, ZoneInfo(time_zone)).astimezone(UTC).astimezone(ZoneInfo(time_zone)).time()
