"""Days where the business is, pure: a day's bounds, the day of a moment, and dates that come again."""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Frequency = Literal["weekly", "biweekly", "monthly"]


def day_start(day: date, time_zone: str) -> datetime:
    """The first moment of a day, in UTC. Where midnight is skipped, the day begins at what the clocks show next."""
    return datetime.combine(day, time.min, ZoneInfo(time_zone)).astimezone(UTC)


def day_bounds(first: date, last: date, time_zone: str) -> tuple[datetime, datetime]:
    """The moments from the start of `first` up to, not including, the end of `last`, in UTC."""
    return day_start(first, time_zone), day_start(last + timedelta(days=1), time_zone)


def day_of(moment: datetime, time_zone: str) -> date:
    """The date that the clocks of the business show at a moment."""
    return moment.astimezone(ZoneInfo(time_zone)).date()


def occurrence(anchor: date, frequency: Frequency, number: int) -> date:
    """The anchor's `number`-th repetition (0 is the anchor). Months are counted from the anchor, so that the 31st comes
    back after a shorter month."""
    if frequency == "monthly":
        months = anchor.year * 12 + anchor.month - 1 + number
        year, month = months // 12, months % 12 + 1
        return date(year, month, min(anchor.day, monthrange(year, month)[1]))
    return anchor + timedelta(weeks=number * (2 if frequency == "biweekly" else 1))


def next_occurrence(anchor: date, frequency: Frequency, after: date) -> date:
    """The first repetition later than `after`; the anchor itself counts."""
    if anchor > after:
        return anchor
    days = (after - anchor).days
    number = {"weekly": days // 7, "biweekly": days // 14, "monthly": days // 31}[frequency]
    while occurrence(anchor, frequency, number) <= after:
        number += 1
    return occurrence(anchor, frequency, number)
