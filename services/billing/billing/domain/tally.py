"""Tallies, pure: which sums a transfer, or a change of balance, moves.

`owed`, `prepaid` and `clients` have no day (NO_DAY). `income:<service>` (charges; its items are sessions) and
`received:<method>` (payments less what was given back or withdrawn) are kept by effective day.
"""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

NO_DAY = date(1, 1, 1)
OWED = "owed"
PREPAID = "prepaid"
CLIENTS = "clients"
INCOME = "income:"
RECEIVED = "received:"

Key = tuple[str, date, str]  # business id, day, name


class Change(NamedTuple):
    """What is added to a tally; both may be negative."""

    day: date
    name: str
    amount_minor: int
    items: int


def of_balance(before_minor: int, after_minor: int) -> Iterator[Change]:
    """What a client's balance does to what all clients owe and have paid ahead; items are such clients."""
    for name, before, after in (
        (OWED, max(0, -before_minor), max(0, -after_minor)),
        (PREPAID, max(0, before_minor), max(0, after_minor)),
    ):
        if before != after:
            yield Change(NO_DAY, name, after - before, (after > 0) - (before > 0))


def of_income(service_id: str, day: date, income_minor: int, sessions: int) -> Change:
    return Change(day, INCOME + service_id, income_minor, sessions)


def of_receipts(method: str, day: date, received_minor: int, payments: int) -> Change:
    return Change(day, RECEIVED + method, received_minor, payments)
