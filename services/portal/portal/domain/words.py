"""Dates and names as people read them."""

from datetime import date, datetime
from zoneinfo import ZoneInfo


def day(written: str | None) -> str:
    """A date, such as 25 Nov 2026."""
    return f"{date.fromisoformat(written):%-d %b %Y}" if written else ""


def moment(written: str | None, time_zone: str) -> str:
    """A moment where the business is, such as 25 Nov 2026, 15:30."""
    if not written:
        return ""
    return f"{datetime.fromisoformat(written).astimezone(ZoneInfo(time_zone)):%-d %b %Y, %H:%M}"


def plain(code: str | None) -> str:
    """A code of the API, such as bank_transfer, as words."""
    return (code or "").replace("_", " ")
