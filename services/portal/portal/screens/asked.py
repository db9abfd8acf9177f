"""What the address of a page asks for."""

from typing import Any

from flask import request

from common import clock
from common.errors import NotFound
from portal import edge
from portal.domain import periods
from portal.domain.periods import Period

SHOWN = 50
NEWEST_PAYMENT = "-received_on"


def asked(*names: str, paged: bool = False) -> dict[str, Any]:
    """What the address says of these, where it says anything; with `paged`, one page of it."""
    query: dict[str, Any] = {name: request.args[name] for name in names if request.args.get(name)}
    if paged:
        query |= {"limit": SHOWN, "cursor": request.args.get("cursor")}
    return query


def file_kind(kind: str) -> str:
    """pdf or csv. Raises NotFound."""
    if kind not in ("pdf", "csv"):
        raise NotFound("not_found", "There is no such page.")
    return kind


def asked_period() -> Period:
    """The days from `from` to `to`, where the business is. Raises Invalid."""
    today = clock.today(edge.remit().billing.business()["time_zone"])
    return periods.asked(request.args.get("from", ""), request.args.get("to", ""), today)
