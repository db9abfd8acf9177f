"""Dates and counts as people write them, pure. Templates use these as filters under the same names."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date


def day(iso: str) -> str:
    """2026-03-16 → 16 March 2026."""
    return format_date(date.fromisoformat(iso), "d MMMM y", locale="en_US")


def moment(iso: str, time_zone: str) -> str:
    """2026-03-16T14:30:00+00:00 in Europe/Berlin → 16 March 2026, 15:30 (Europe/Berlin)."""
    there = datetime.fromisoformat(iso).astimezone(ZoneInfo(time_zone))
    return f"{day(there.date().isoformat())}, {there:%H:%M} ({time_zone})"


def due(days_overdue: int | None) -> str:
    """How far away the due date is, after the invoice's number: -3 → is due in 3 days."""
    if days_overdue is None:
        return "is not paid yet"
    if days_overdue == 0:
        return "is due today"
    days = counted(abs(days_overdue), "day")
    return f"is due in {days}" if days_overdue < 0 else f"is {days} overdue"


def counted(count: int, noun: str) -> str:
    """2, day → 2 days; 1, day → 1 day; 0, day → no days."""
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"
