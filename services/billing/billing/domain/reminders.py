"""Which reminder is due, pure: of a pending invoice by days around its due date, of what is owed beyond by a period."""

from collections.abc import Sequence
from datetime import date, timedelta


def due_offset(due_on: date, offsets_days: Sequence[int], today: date) -> int | None:
    """The latest of the offsets (days after the due date; before it when negative) whose day has come; None before the
    first. After days without a worker only the latest is sent."""
    reached = [offset for offset in offsets_days if due_on + timedelta(days=offset) <= today]
    return max(reached, default=None)


def period_start(since: date, every_days: int, today: date) -> date:
    """The first day of the period that `today` is in, when periods of `every_days` begin at `since`."""
    return since + timedelta(days=(today - since).days // every_days * every_days)
