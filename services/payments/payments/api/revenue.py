"""Revenue: what clients paid, in groups, for charts. ("Revenue" is the older word for payments.)"""

from typing import Any, Literal

from flask import request
from flask.wrappers import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import Field

from common import clock
from common.errors import FieldError, Invalid
from common.money import to_decimal
from common.web import csv as csv_out
from common.web.app import B, caller, endpoint, session
from common.web.fields import BusinessPath, Day, Query
from payments.api.payments import directory
from payments.reports import revenue

api = APIBlueprint("revenue", __name__, abp_tags=[Tag(name="Revenue")], abp_security=[{"bearer": []}])


AMOUNTS = ("gross_minor", "refunded_minor", "withdrawn_minor", "net_minor")


class RevenueQuery(Query):
    from_: Day | None = Field(default=None, alias="from")
    to: Day | None = None
    by: Literal["day", "week", "month", "method", "source"] = "month"


@api.get(f"{B}/revenue")
@endpoint("payments:read")
def get_revenue(path: BusinessPath, query: RevenueQuery) -> dict[str, Any] | Response:
    """Gross, refunded, withdrawn and net totals: this year by month unless told; as CSV with `Accept: text/csv`

    Payments count on the day they were received, refunds and money withdrawn for a dispute on the day they were made;
    voided payments do not count.
    """
    caller().require_staff("business")
    business = directory(path.business_id).business()
    last = query.to or clock.today(business.time_zone)
    first = query.from_ or last.replace(month=1, day=1)
    if not first <= last <= revenue.widest(first):
        raise Invalid(
            "range_invalid", "`from` must not be after `to`, and at most ten years before it.",
            [FieldError("from", "not a range of at most ten years")],
        )  # fmt: skip
    found = revenue.revenue(session(), path.business_id, first, last, query.by)
    if request.accept_mimetypes.best == "text/csv":
        lines = [_csv_row(row, business.currency) for row in found["rows"]]
        header = (query.by, "payments", *(name.removesuffix("_minor") for name in AMOUNTS), "currency")
        return csv_out.stream(header, lines, f"revenue-by-{query.by}-{first}-{last}.csv")
    for row in found["rows"]:
        row["starts_on"] = revenue.starts_on(row["group"], query.by)
    return {"from": first, "to": last, "by": query.by, "currency": business.currency, **found}


def _csv_row(row: dict[str, Any], currency: str) -> list[Any]:
    amounts = [to_decimal(row[name], currency) for name in AMOUNTS]
    return [row["group"], row["payments"], *amounts, currency]
