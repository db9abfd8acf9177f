"""Dates that have come, each where its business is."""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, false, or_, select
from sqlalchemy.orm import Session

from billing.models import Business
from common import clock


def has_come(session: Session, day: Any, days_ahead: int = 0) -> ColumnElement[bool]:
    """Whether the date `day` has come, or comes within `days_ahead` days, for a query that joins Business. All zones
    together see three dates at most."""
    zones: dict[Any, list[str]] = {}
    for time_zone in session.scalars(select(Business.time_zone).distinct()):
        zones.setdefault(clock.today(time_zone), []).append(time_zone)
    return or_(
        false(),
        *(
            and_(Business.time_zone.in_(names), day <= today + timedelta(days=days_ahead))
            for today, names in sorted(zones.items())
        ),
    )
