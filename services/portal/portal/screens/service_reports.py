"""Service Reports: what each service brought in, from the ledger; by client, and from there to the entries."""

from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from common import clock
from common.errors import Invalid
from portal import edge
from portal.domain import periods
from portal.domain.periods import Period
from portal.edge import STAFF, screen
from portal.screens.asked import asked_period
from portal.usecases import picking, reading

screens = Blueprint("service_reports", __name__)

SHOWN = 100
SERVICES_OFFERED = 200


@screens.get("/service-reports")
@screen(*STAFF)
def show() -> ResponseReturnValue:
    remit, args = edge.remit(), request.args
    today = clock.today(remit.billing.business()["time_zone"])
    wrong: dict[str, str] = {}
    client: dict[str, Any] | None = None
    problem = None
    period = periods.this_month(today)
    try:
        period = asked_period()
        client = _client()
    except Invalid as refused:
        problem, wrong = refused.detail, reading.beside(refused)
    found = None
    if problem is None:
        found = remit.billing.service_reports(
            {**_query(period, client), "cursor": args.get("cursor"), "limit": SHOWN}
        )  # fmt: skip
    page = render_template(
        "service_reports.html",
        found=found,
        period=period,
        quick=periods.quick(today),
        client=client,
        services=edge.piece(lambda: remit.billing.services({"limit": SERVICES_OFFERED})["items"]),
        flow=edge.piece(lambda: remit.billing.received_and_charged(period.as_query())["totals"]),
        args=args,
        problem_words=problem,
        wrong=wrong,
    )
    return page, 422 if problem else 200


@screens.get("/service-reports.csv")
@screen(*STAFF)
def csv() -> ResponseReturnValue:
    return edge.passed_on(edge.remit().billing.service_reports_csv(_query(asked_period(), _client())))


def _client() -> dict[str, Any] | None:
    """Whom the report is about, when it is about one client. Raises Invalid."""
    return picking.filtered(edge.remit(), request.args.get("client_id", ""), request.args.get("client", ""))


def _query(period: Period, client: dict[str, Any] | None) -> dict[str, Any]:
    return {
        **period.as_query(),
        "service_id": request.args.get("service_id"),
        "client_id": client["id"] if client else None,
    }
