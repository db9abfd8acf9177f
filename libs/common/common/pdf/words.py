"""What documents put in words: codes, days and moments, and whose letter shapes to put them in."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from common.pdf.scripts import region_of
from common.pdf.text import MAX_CHARS

_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_REGIONS: Final = {"JPY": "ja", "KRW": "ko", "Asia/Tokyo": "ja", "Asia/Seoul": "ko"}


def code_words(code: str) -> str:
    """A code such as "direct_debit" as words: "Direct debit"."""
    words = code.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def date_words(day: date) -> str:
    """A date in words, "3 March 2025", not by the machine's locale, which differs between machines."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def short_date(day: date) -> str:
    """A date for a narrow column: "3 Mar 2025"."""
    return f"{day.day} {_MONTHS[day.month - 1][:3]} {day.year}"


def as_utc(moment: datetime) -> datetime:
    """The moment in UTC, which it is taken to be in already when it names no zone."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def moment_words(moment: datetime, time_zone: str) -> str:
    """A moment in the document's time zone, with the zone's name; in UTC when the name is not known."""
    try:
        local, name = as_utc(moment).astimezone(ZoneInfo(time_zone)), time_zone
    except (LookupError, ValueError, OSError):  # what ZoneInfo raises for absent, malformed and folder names
        local, name = as_utc(moment), "UTC"
    return f"{date_words(local)} at {local:%H:%M} ({name})"


def region_for(texts: Iterable[str | None], currency: str, time_zone: str) -> str:
    """East Asian letter shapes for names written only in Chinese characters, from the rest of the document."""
    default = _REGIONS.get(currency) or _REGIONS.get(time_zone) or "zh"
    return region_of("".join((text or "")[:MAX_CHARS] for text in texts), default)
