"""Service Reports: which range and filters are asked for, and that what is shown leads to where it comes from."""

import re
from datetime import date
from typing import Any

import pytest

from common import clock
from common.errors import Invalid
from portal.domain import periods
from portal.domain.periods import Period
from services.portal.tests.others import Others

REPORT = {
    "from": "2026-11-01", "to": "2026-11-25", "currency": "USD", "next_cursor": None,
    "services": [
        {"service_id": "s1", "service_name": "Piano <b>", "sessions": 3, "amount_minor": 13500},
        {"service_id": "s2", "service_name": "Voice", "sessions": 1, "amount_minor": 5000},
    ],
    "rows": [{"service_id": "s1", "service_name": "Piano <b>", "client_id": "c1", "client_name": "Ada Lovelace",
              "sessions": 3, "amount_minor": 13500}],
    "totals": {"sessions": 4, "amount_minor": 18500},
}  # fmt: skip


@pytest.fixture(autouse=True)
def report(others: Others) -> None:
    others.tell("GET", "/service-reports", 200, REPORT)
    others.tell("GET", "/services", 200, {"items": [{"id": "s1", "name": "Piano <b>"}, {"id": "s2", "name": "Voice"}]})
    flow = {"totals": {"received_minor": 20000, "charged_minor": 18500}}
    others.tell("GET", "/received-and-charged", 200, flow)


def test_this_month_where_the_business_is(portal: Any, others: Others) -> None:
    page = portal.staff().get("/service-reports")
    assert page.status_code == 200
    today = clock.today("UTC")
    expected = {"from": today.replace(day=1).isoformat(), "to": today.isoformat()}
    assert others.last("/service-reports")["query"] == {**expected, "limit": "100"}
    assert others.last("/received-and-charged")["query"] == expected
    for words in ("Piano &lt;b&gt;", "$135.00", "$185.00", "$200.00", "Received more than charged", "$15.00",
                  "taken off on the day it was voided; Revenue", "Every figure is the sum of entries"):  # fmt: skip
        assert words in page.text, words
    assert "By client" not in page.text
    assert int(str(re.search(r'calls;desc="(\d+)"', page.headers["Server-Timing"])[1])) <= 5  # type: ignore[index]


def test_a_service_leads_to_its_clients_and_they_to_their_entries(portal: Any, others: Others) -> None:
    sam = portal.staff()
    assert "service_id=s1" in sam.get("/service-reports").text
    page = sam.get("/service-reports?from=2026-03-01&to=2026-03-31&service_id=s1&cursor=x")
    expected = {"from": "2026-03-01", "to": "2026-03-31", "service_id": "s1", "cursor": "x", "limit": "100"}
    assert others.last("/service-reports")["query"] == expected
    assert "By client" in page.text
    assert re.search(r'href="/clients/c1/[a-z]+\?from=2026-03-01&amp;to=2026-03-31"', page.text)


def test_one_client_is_found_by_name(portal: Any, others: Others) -> None:
    page = portal.staff().get("/service-reports?client=Ada+Lovelace")
    assert others.last("/service-reports")["query"]["client_id"] == "c1"
    assert "By client" in page.text
    others.tell("GET", "/clients", 200, {"items": []})
    others.asked.clear()
    wrong = portal.visitor()
    wrong.sign_in("sam@harmony.example")
    page = wrong.get("/service-reports?client=Nobody")
    assert (page.status_code, "There is no client called “Nobody”" in page.text) == (422, True)
    assert all(request["path"] != "/service-reports" for request in others.asked)


def test_a_range_that_is_none_is_said(portal: Any, others: Others) -> None:
    page = portal.staff().get("/service-reports?from=2026-03-02&to=2026-03-01")
    assert (page.status_code, "The first day comes after the last one." in page.text) == (422, True)
    assert 'value="2026-03-02"' in page.text
    assert all(request["path"] != "/service-reports" for request in others.asked)


def test_the_report_as_a_file(portal: Any, others: Others) -> None:
    assert portal.staff().get("/service-reports.csv?from=2026-03-01&to=2026-03-31&service_id=s1").status_code == 200
    request = others.last("/service-reports")
    assert (request["accept"], request["query"]) == (
        "text/csv", {"from": "2026-03-01", "to": "2026-03-31", "service_id": "s1"},
    )  # fmt: skip


def test_what_is_beside_it_may_be_away(portal: Any, others: Others) -> None:
    others.tell("GET", "/received-and-charged", 503, {"code": "x", "detail": "away"})
    others.tell("GET", "/services", 503, {"code": "x", "detail": "away"})
    page = portal.staff().get("/service-reports")
    assert (page.status_code, "$185.00" in page.text, "cannot be shown" in page.text) == (200, True, True)


def test_nothing_charged_and_nobody_else_sees_it(portal: Any, others: Others) -> None:
    nothing = {**REPORT, "services": [], "rows": [], "totals": {"sessions": 0, "amount_minor": 0}}
    others.tell("GET", "/service-reports", 200, nothing)
    assert "Nothing was charged in these days." in portal.staff().get("/service-reports").text
    ada = portal.client()
    assert ada.get("/service-reports").status_code == 404
    assert ada.get("/service-reports.csv").status_code == 404


TODAY = date(2026, 3, 15)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("", "", Period(date(2026, 3, 1), TODAY)),
        ("2026-01-10", "", Period(date(2026, 1, 10), TODAY)),
        ("", "2026-02-20", Period(date(2026, 2, 1), date(2026, 2, 20))),
        ("2024-02-29", "2024-02-29", Period(date(2024, 2, 29), date(2024, 2, 29))),
    ],
)
def test_ranges_that_are_asked_for(first: str, last: str, expected: Period) -> None:
    assert periods.asked(first, last, TODAY) == expected


@pytest.mark.parametrize(
    ("first", "last", "field"),
    [("soon", "", "from"), ("", "2026-02-30", "to"), ("2026-03-16", "", "from"), ("2010-01-01", "", "from")],
)
def test_ranges_that_are_none(first: str, last: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        periods.asked(first, last, TODAY)
    assert [error.field for error in refused.value.errors] == [field]


def test_ranges_of_one_click() -> None:
    assert [(label, str(period.first), str(period.last)) for label, period in periods.quick(date(2026, 1, 3))] == [
        ("This month", "2026-01-01", "2026-01-03"), ("Last month", "2025-12-01", "2025-12-31"),
        ("This year", "2026-01-01", "2026-01-03"),
    ]  # fmt: skip
