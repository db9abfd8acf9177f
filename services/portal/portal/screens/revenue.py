"""Revenue: what clients paid, what went back, and what stayed; over time, by method and by source."""

from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from common import clock
from common.errors import Invalid
from portal import edge
from portal.domain import periods
from portal.domain.payments import METHODS, SOURCES
from portal.domain.periods import Period
from portal.edge import STAFF, screen
from portal.screens.asked import asked_period
from portal.usecases import reading

screens = Blueprint("revenue", __name__)

# What a table can be by, beside days, weeks and months.
GROUPS = ("method", "source")
NOTHING = {"payments": 0, "gross_minor": 0, "refunded_minor": 0, "withdrawn_minor": 0, "net_minor": 0}


@screens.get("/revenue")
@screen(*STAFF)
def show() -> ResponseReturnValue:
    remit, args = edge.remit(), request.args
    today = clock.today(remit.billing.business()["time_zone"])
    wrong: dict[str, str] = {}
    problem = None
    try:
        period = asked_period()
    except Invalid as refused:
        problem, wrong, period = refused.detail, reading.beside(refused), periods.this_month(today)
    step = periods.step(args.get("by", ""), period)
    found = None
    if problem is None:
        found = remit.payments.revenue({**period.as_query(), "by": step})
    page = render_template(
        "revenue.html",
        found=found,
        rows=_over_time(found["rows"], period, step) if found else [],
        by_method=edge.piece(lambda: _grouped(period, "method")) if found else [],
        by_source=edge.piece(lambda: _grouped(period, "source")) if found else [],
        period=period,
        quick=periods.quick(today),
        step=step,
        steps=periods.steps(period),
        args=args,
        problem_words=problem,
        wrong=wrong,
    )
    return page, 422 if problem else 200


@screens.get("/revenue.csv")
@screen(*STAFF)
def csv() -> ResponseReturnValue:
    period, by = asked_period(), request.args.get("by", "")
    if by not in GROUPS:
        by = periods.step(by, period)
    return edge.passed_on(edge.remit().payments.revenue_csv({**period.as_query(), "by": by}))


def _over_time(rows: list[dict[str, Any]], period: Period, step: str) -> list[dict[str, Any]]:
    """A row for each day, week or month, also for those in which nothing came in."""
    known = {row["starts_on"]: row for row in rows}
    return [
        {
            **NOTHING,
            **known.get(start.isoformat(), {}),
            "label": periods.label(start, step),
            "short": periods.short_label(start, step),
        }
        for start in periods.starts(period, step)
    ]


def _grouped(period: Period, by: str) -> list[dict[str, Any]]:
    """By method or by source, what brought in most first."""
    rows = edge.remit().payments.revenue({**period.as_query(), "by": by})["rows"]
    names = SOURCES if by == "source" else METHODS
    named = [{**row, "label": names.get(row["group"], row["group"].replace("_", " "))} for row in rows]
    return sorted(named, key=lambda row: -int(row["net_minor"]))
