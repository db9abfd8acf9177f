"""Dates and counts as people write them, pure. Templates use these as filters under the same names."""

from datetime import date

from babel.dates import format_date


def day(iso: str) -> str:
    """2026-03-16 → 16 March 2026."""
    return format_date(date.fromisoformat(iso), "d MMMM y", locale="en_US")
