"""Revenue: how fine its chart is, that empty days show, and that its figures are the API's."""

import re
from datetime import date, timedelta
from typing import Any

import pytest

from common import clock
from portal.domain import periods
from portal.domain.periods import Period
from services.portal.tests.others import Others


def row(group: str, starts_on: str | None, **figures: int) -> dict[str, Any]:
    known = {"gross_minor": 10000, "refunded_minor": 2000, "withdrawn_minor": 500, "net_minor": 7500, "payments": 2}
    return {"group": group, "starts_on": starts_on, **known, **figures}


@pytest.fixture(autouse=True)
def revenue(others: Others) -> None:
    """The stand-in answers every question alike: two days, of which one method's name is markup."""
    rows = [row("2026-03-02", "2026-03-02"), row("card<b>", None, net_minor=-200)]
    totals = {"gross_minor": 20000, "refunded_minor": 4000, "withdrawn_minor": 1000, "net_minor": 7300, "payments": 4}
    others.tell("GET", "/revenue", 200, {"rows": rows, "totals": totals, "currency": "USD"})


def questions(others: Others) -> list[dict[str, str]]:
    return [request["query"] for request in others.asked if request["path"] == "/revenue"]


def test_figures_a_chart_with_empty_days_and_groups(portal: Any, others: Others) -> None:
    page = portal.staff().get("/revenue?from=2026-03-01&to=2026-03-04")
    assert page.status_code == 200
    span = {"from": "2026-03-01", "to": "2026-03-04"}
    assert questions(others) == [{**span, "by": by} for by in ("day", "method", "source")]
    for words in ("$200.00", "$40.00", "$10.00", "$73.00", "2 Mar: $75.00", "3 Mar: $0.00", "Card&lt;b&gt;", "-$2.00"):
        assert words in page.text, words
    assert page.text.count("what your clients paid you") == 1
    assert "A voided payment does not count on any day; Service Reports count it as received until" in page.text
    assert int(str(re.search(r'calls;desc="(\d+)"', page.headers["Server-Timing"])[1])) <= 5  # type: ignore[index]


def test_this_month_unless_told(portal: Any, others: Others) -> None:
    portal.staff().get("/revenue")
    today = clock.today("UTC")
    assert questions(others)[0] == {"from": today.replace(day=1).isoformat(), "to": today.isoformat(), "by": "day"}


def test_the_chart_can_be_coarser(portal: Any, others: Others) -> None:
    sam = portal.staff()
    sam.get("/revenue?from=2026-01-01&to=2026-03-31&by=month")
    assert questions(others)[0]["by"] == "month"
    sam.get("/revenue?from=2020-01-01&to=2026-03-31&by=day")  # two thousand columns show nothing
    assert questions(others)[3]["by"] == "month"


@pytest.mark.parametrize(("by", "asked"), [("method", "method"), ("source", "source"), ("week", "week"), ("x", "day")])
def test_figures_as_a_file(portal: Any, others: Others, by: str, asked: str) -> None:
    assert portal.staff().get(f"/revenue.csv?from=2026-03-01&to=2026-03-31&by={by}").status_code == 200
    request = others.last("/revenue")
    assert (request["accept"], request["query"]) == (
        "text/csv", {"from": "2026-03-01", "to": "2026-03-31", "by": asked},
    )  # fmt: skip


def test_bad_days_are_said(portal: Any, others: Others) -> None:
    sam = portal.staff()
    for query, words in (
        ("from=yesterday", "Write the day as year-month-day"),
        ("from=9999-12-01&to=9999-12-31", "Choose a day from 1900 to 2999."),
        ("from=0001-01-01&to=0001-01-08", "Choose a day from 1900 to 2999."),
    ):
        page = sam.get(f"/revenue?{query}")
        assert (page.status_code, words in page.text) == (422, True)
    assert questions(others) == []


def test_nothing_came_in(portal: Any, others: Others) -> None:
    nothing = dict.fromkeys(("gross_minor", "refunded_minor", "withdrawn_minor", "net_minor", "payments"), 0)
    others.tell("GET", "/revenue", 200, {"rows": [], "totals": nothing, "currency": "USD"})
    assert "Nothing was received in these days." in portal.staff().get("/revenue").text


def test_who_may_not_and_who_is_away(portal: Any, others: Others) -> None:
    ada = portal.client()
    assert ada.get("/revenue").status_code == 404
    assert ada.get("/revenue.csv").status_code == 404
    others.tell("GET", "/revenue", 503, {"code": "x", "detail": "away"})
    page = portal.staff().get("/revenue")
    assert (page.status_code, "Payments and receipts cannot be shown right now" in page.text) == (503, True)


@pytest.mark.parametrize(
    ("days", "wanted", "step"),
    [(1, "", "day"), (31, "", "day"), (32, "", "week"), (183, "", "week"), (184, "", "month"), (90, "day", "day"),
     (94, "day", "week"), (3660, "week", "month"), (3660, "", "month"), (10, "hour", "day")],
)  # fmt: skip
def test_how_fine_a_chart_is(days: int, wanted: str, step: str) -> None:
    first = date(2016, 1, 1)
    assert periods.step(wanted, Period(first, first + timedelta(days=days - 1))) == step


def test_weeks_begin_on_mondays_and_months_on_the_first() -> None:
    period = Period(date(2026, 12, 30), date(2027, 2, 1))
    weeks = periods.starts(period, "week")
    assert (weeks[0], weeks[-1], len(weeks)) == (date(2026, 12, 28), date(2027, 2, 1), 6)
    assert [str(month) for month in periods.starts(period, "month")] == ["2026-12-01", "2027-01-01", "2027-02-01"]
    assert periods.label(weeks[0], "week") == "Week of 28 Dec"
    assert periods.label(date(2026, 12, 1), "month") == "Dec 2026"
