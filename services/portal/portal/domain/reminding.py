"""The reminder schedule as it is typed, and in words."""

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from portal.domain.words import day

MOST_BEFORE, MOST_AFTER = 60, 365
MOST_REMINDERS = 20


def days(most: int) -> Callable[[str], list[int]]:
    """Reads a list of days, such as "3, 7, 14"."""

    def parse(typed: str) -> list[int]:
        found = []
        for part in re.split(r"[\s,;]+", typed.strip(" ,;")):
            if not part:
                continue
            if not (part.isascii() and part.isdigit() and 1 <= int(part[:6]) <= most):
                raise ValueError(f"Type days as numbers from 1 to {most}, with commas between, such as 3, 7.")
            found.append(int(part))
        return sorted(set(found))

    return parse


def typed_of(schedule: Mapping[str, Any]) -> dict[str, Any]:
    """A schedule as the form's fields hold it."""
    offsets = schedule["invoice_offsets_days"]
    return {
        "before": ", ".join(str(-offset) for offset in offsets if offset < 0),
        "on_the_day": 0 in offsets,
        "after": ", ".join(str(offset) for offset in offsets if offset > 0),
        "every": schedule["owed_every_days"] or "",
        "ahead": schedule["deactivation_days_ahead"],
    }


def in_words(schedule: Mapping[str, Any], today: date, due_days: int) -> str:
    """When an invoice that is issued today would be reminded of."""
    offsets = schedule["invoice_offsets_days"]
    if not offsets:
        return "Nobody is reminded of an invoice."
    due = today + timedelta(days=due_days)
    dates = [day(str(due + timedelta(days=offset))) for offset in offsets if due + timedelta(days=offset) > today]
    if not dates:
        return f"An invoice issued today is due on {day(str(due))}; none of these days is after today."
    last = f" and {dates[-1]}" if len(dates) > 1 else dates[-1]
    return (
        f"An invoice issued today is due on {day(str(due))}. As long as it is not paid, its client is reminded on"
        f" {', '.join(dates[:-1])}{last}."
    )
