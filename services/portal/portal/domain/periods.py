"""Ranges of days that reports are about, and the days, weeks or months that a chart shows of one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from common.clock import FIRST_DAY, LAST_DAY
from common.errors import FieldError, Invalid

LONGEST_DAYS = 3_660
# How many columns a chart has at most.
MOST_COLUMNS = {"day": 93, "week": 106, "month": 122}


@dataclass(frozen=True)
class Period:
    """From the first day to the last, both in it."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def as_query(self) -> dict[str, str]:
        return {"from": self.first.isoformat(), "to": self.last.isoformat()}


def this_month(today: date) -> Period:
    return Period(today.replace(day=1), today)


def last_month(today: date) -> Period:
    last = today.replace(day=1) - timedelta(days=1)
    return Period(last.replace(day=1), last)


def this_year(today: date) -> Period:
    return Period(today.replace(month=1, day=1), today)


def quick(today: date) -> list[tuple[str, Period]]:
    """The ranges that one click shows."""
    return [
        ("This month", this_month(today)), ("Last month", last_month(today)), ("This year", this_year(today)),
    ]  # fmt: skip


def asked(first: str, last: str, today: date, default: Callable[[date], Period] = this_month) -> Period:
    """The range that a form asks for; without any days the default. Raises Invalid with the field."""
    if not first and not last:
        return default(today)
    end = _day(last, "to") if last else today
    begin = _day(first, "from") if first else default(end).first
    if begin > end:
        raise _wrong("from", "The first day comes after the last one.")
    if (end - begin).days > LONGEST_DAYS:
        raise _wrong("from", "Choose at most ten years.")
    return Period(begin, end)


def step(wanted: str, period: Period) -> str:
    """day, week or month: what was asked for where a chart can still show it, and what reads well otherwise."""
    if wanted in steps(period):
        return wanted
    if period.days <= 31:
        return "day"
    return "week" if period.days <= 183 else "month"


def steps(period: Period) -> list[str]:
    """What a chart of the range can be made of."""
    return [name for name, most in MOST_COLUMNS.items() if len(starts(period, name)) <= most]


def starts(period: Period, name: str) -> list[date]:
    """The first days of the range's days, weeks (Mondays) or months, whether anything happened in them or not."""
    found = [_start(period.first, name)]
    while (following := _following(found[-1], name)) <= period.last:
        found.append(following)
    return found


def label(start: date, name: str) -> str:
    """As a column is called."""
    if name == "month":
        return f"{start:%b %Y}"
    return f"{start:%-d %b}" if name == "day" else f"Week of {start:%-d %b}"


def short_label(start: date, name: str) -> str:
    """As it stands under a column."""
    return f"{start:%b %y}" if name == "month" else f"{start:%-d %b}"


def _start(day: date, name: str) -> date:
    if name == "week":
        return day - timedelta(days=day.weekday())
    return day if name == "day" else day.replace(day=1)


def _following(start: date, name: str) -> date:
    if name == "month":
        return (start + timedelta(days=31)).replace(day=1)
    return start + timedelta(days=1 if name == "day" else 7)


def _day(written: str, field: str) -> date:
    try:
        found = date.fromisoformat(written)
    except ValueError:
        raise _wrong(field, "Write the day as year-month-day, such as 2026-11-25.") from None
    if not FIRST_DAY <= found <= LAST_DAY:
        raise _wrong(field, f"Choose a day from {FIRST_DAY.year} to {LAST_DAY.year}.")
    return found


def _wrong(field: str, words: str) -> Invalid:
    return Invalid("range_invalid", words, [FieldError(field, words)])
