"""The calendar: what is shown, the gate's answer before anything is added, local times, and settling a session."""

import re
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from common.errors import Conflict
from portal.domain import calendar, gate
from services.portal.tests.others import BUSINESS, Others

JSON = {"Accept": "application/json"}
SERVICE = {
    "id": "v1", "name": "Piano lesson", "price_minor": 4500, "currency": "USD", "duration_minutes": 45, "active": True,
}  # fmt: skip
SESSION = {
    "id": "s1", "client_id": "c1", "client_name": "Ada Lovelace", "service_id": "v1", "service_name": "Piano lesson",
    "starts_at": "2026-11-25T20:00:00Z", "duration_minutes": 45, "price_minor": 4500, "currency": "USD",
    "status": "scheduled", "invoice_id": None, "ended_at": None, "warnings": [],
}  # fmt: skip
FIGURES = {
    "currency": "USD", "balance_minor": 3000, "reserved_minor": 2000, "available_minor": 1000, "threshold_minor": 3000,
    "price_minor": 4500, "shortfall_minor": 3500, "pay_url": "https://remit.example/pay?x",
}  # fmt: skip
OPEN = {
    **FIGURES, "eligible": True, "reasons": [], "detail": "A session can be added for Ada Lovelace.", "warnings": [],
    "shortfall_minor": 0, "pay_url": None,
}  # fmt: skip
SHUT = {
    **FIGURES, "eligible": False, "reasons": ["balance_below_threshold"], "detail": "$35.00 is missing.",
    "warnings": [],
}  # fmt: skip
TYPED = {"client_id": "c1", "client": "Ada Lovelace", "service_id": "v1", "date": "2026-11-30", "time": "15:30"}
CONTROL = {"prepayment_required": True, "reserve_scheduled": True}
NEW_YORK = {**BUSINESS, "time_zone": "America/New_York", "session_control": CONTROL}


@pytest.fixture(autouse=True)
def school(others: Others) -> None:
    """In New York, with one service and one session."""
    others.tell("GET", "", 200, NEW_YORK)
    others.tell("GET", "/services", 200, {"items": [SERVICE], "next_cursor": None})
    others.tell("GET", "/sessions", 200, {"items": [SESSION], "next_cursor": None})
    others.tell("GET", "/sessions/s1", 200, SESSION)
    others.tell("POST", "/sessions", 201, SESSION)
    others.tell("GET", "/clients/c1/session-eligibility", 200, OPEN)


def calls(page: Any) -> int:
    found = re.search(r'calls;desc="(\d+)"', page.headers["Server-Timing"])
    assert found is not None
    return int(found[1])


# --- looking ---


def test_a_week_asks_for_its_days_and_shows_local_times(portal: Any, others: Others) -> None:
    page = portal.staff().get("/calendar?from=2026-11-26&service_id=v1&status=scheduled")
    assert page.status_code == 200
    assert others.last("/sessions")["query"] == {
        "from": "2026-11-23", "to": "2026-11-29", "service_id": "v1", "status": "scheduled", "limit": "200",
    }  # fmt: skip
    assert "15:00–15:45" in page.text
    assert "20:00" not in page.text
    assert "23 Nov – 29 Nov 2026" in page.text
    assert page.text.count("Nothing</p>") == 6
    for link in ("from=2026-11-22", "from=2026-11-30"):
        assert link in page.text
    assert calls(page) <= 5


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ("week=2026-W48", ("2026-11-23", "2026-11-29")),
        ("view=day&from=2026-11-26", ("2026-11-26", "2026-11-26")),
        ("view=month&from=2028-02-10", ("2028-02-01", "2028-02-29")),
    ],
)
def test_which_days_are_shown(portal: Any, others: Others, query: str, days: tuple[str, str]) -> None:
    assert portal.staff().get(f"/calendar?{query}").status_code == 200
    asked = others.last("/sessions")["query"]
    assert (asked["from"], asked["to"]) == days


@pytest.mark.parametrize("query", ["from=rubbish", "from=0001-01-01", "from=9999-12-31", "view=year", "status=x"])
def test_an_address_that_makes_no_sense_shows_this_week(portal: Any, others: Others, query: str) -> None:
    page = portal.staff().get(f"/calendar?{query}")
    assert page.status_code == 200
    asked = others.last("/sessions")["query"]
    assert (date.fromisoformat(asked["to"]) - date.fromisoformat(asked["from"])).days == 6
    assert "status" not in asked
    assert ">today<" in page.text


def test_more_than_fits_is_said_and_paged(portal: Any, others: Others) -> None:
    others.tell("GET", "/sessions", 200, {"items": [SESSION], "next_cursor": "abc"})
    page = portal.staff().get("/calendar?from=2026-11-26")
    assert "more sessions than fit" in page.text
    assert "Nothing</p>" not in page.text  # what is on the next page is not nothing
    assert "cursor=abc" in page.text


def test_the_filter_names_its_client_or_says_who_is_not_there(portal: Any, others: Others) -> None:
    sam = portal.staff()
    page = sam.get("/calendar?client_id=c1")
    assert 'value="Ada Lovelace"' in page.text
    assert others.last("/sessions")["query"]["client_id"] == "c1"
    others.tell("GET", "/clients", 200, {"items": []})
    page = sam.get("/calendar?client=Nobody")
    assert page.status_code == 422
    assert "no client called “Nobody”" in page.text


def test_services_away_leave_the_calendar(portal: Any, others: Others) -> None:
    others.tell("GET", "/services", 503, {"code": "x", "detail": "away"})
    page = portal.staff().get("/calendar?from=2026-11-26")
    assert page.status_code == 200
    assert "Ada Lovelace" in page.text
    assert "cannot be shown right now" in page.text


def test_the_range_as_csv(portal: Any, others: Others) -> None:
    assert portal.staff().get("/calendar.csv?view=month&from=2026-11-26&client_id=c1").status_code == 200
    assert others.last("/sessions")["query"] == {"from": "2026-11-01", "to": "2026-11-30", "client_id": "c1"}


def test_a_client_has_no_calendar(portal: Any) -> None:
    ada = portal.client()
    for path in ("/calendar", "/calendar.csv", "/calendar/add", "/calendar/gate", "/calendar/sessions/s1"):
        assert ada.get(path).status_code == 404
    assert ada.post("/calendar/sessions/s1/complete", {}, page="/home").status_code == 404


# --- adding ---


def add(visitor: Any, **typed: str) -> Any:
    return visitor.post("/calendar/add", {"attempt": "a1", **TYPED, **typed}, page="/calendar/add")


def test_a_session_is_added_at_the_local_time_and_once(portal: Any, others: Others) -> None:
    sam = portal.staff()
    added = add(sam, price="40.50")
    assert (added.status_code, added.location) == (303, "/calendar/sessions/s1?said=session_added")
    asked = others.last("/sessions")
    assert asked["body"] == {
        "client_id": "c1", "service_id": "v1", "starts_at": "2026-11-30T15:30:00-05:00", "price_minor": 4050,
    }  # fmt: skip
    assert asked["claims"]["actor"]["name"] == "Sam Staff"
    add(sam, price="40.50")
    assert others.last("/sessions")["key"] == asked["key"]
    add(sam)
    assert others.last("/sessions")["key"] != asked["key"]
    assert others.last("/sessions")["body"]["price_minor"] is None
    assert "The session was added." in sam.get(added.location).text


def test_a_shut_gate_adds_nothing_and_says_what_pays(portal: Any, others: Others) -> None:
    sam = portal.staff()
    problem = {"code": "balance_below_threshold", "detail": "$35.00 is missing.", **FIGURES}
    others.tell("POST", "/sessions", 409, problem)
    refused = add(sam)
    assert refused.status_code == 409
    assert "No session was added: $35.00 is missing." in refused.text
    assert 'value="https://remit.example/pay?x"' in refused.text
    assert "Link that pays exactly $35.00" in refused.text
    assert 'href="/assist/c1"' in refused.text
    assert 'value="2026-11-30"' in refused.text  # what was typed is kept
    assert 'name="attempt" value="a1"' in refused.text
    others.tell("POST", "/sessions", 409, {**problem, "code": "client_inactive", "detail": "Ada is inactive."})
    refused = add(sam)
    assert "No session was added. Ada is inactive." in refused.text
    assert "remit.example/pay" not in refused.text  # who is inactive cannot pay by a link


def test_a_service_that_is_no_longer_offered(portal: Any, others: Others) -> None:
    others.tell("POST", "/sessions", 409, {"code": "service_inactive", "detail": "Piano is not offered any more."})
    sam = portal.staff()
    refused = add(sam)
    assert refused.status_code == 409
    assert 'id="service_id-wrong">Piano is not offered any more.' in refused.text
    others.tell("GET", "/services", 200, {"items": [{**SERVICE, "active": False}], "next_cursor": None})
    assert "no service to add a session of yet" in sam.get("/calendar/add").text


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"client": "", "client_id": ""}, "Say which client this is for."),
        ({"client_id": "gone"}, "not there any more"),
        ({"service_id": ""}, "Say which service it is."),
        ({"date": ""}, "Say on which day."),
        ({"date": "31/12/2026"}, "such as 2026-03-31"),
        ({"date": "1999-01-01"}, "between 2000 and 2100"),
        ({"time": "noon"}, "such as 15:30"),
        ({"price": "free"}, "is not an amount"),
        ({"price": "0"}, "more than zero"),
        ({"date": "2026-03-08", "time": "02:30"}, "02:30 is skipped. Use 03:30, or another time."),
        ({"date": "2026-11-01", "time": "01:30"}, "01:30 comes twice. Say which one."),
    ],
)
def test_what_is_wrong_is_said_beside_it_and_adds_nothing(
    portal: Any, others: Others, typed: dict[str, str], words: str
) -> None:
    refused = add(portal.staff(), **typed)
    assert refused.status_code == 422
    assert words in refused.text
    assert "No session was added." in refused.text
    assert all(asked["method"] == "GET" for asked in others.asked)


def test_everything_wrong_is_said_at_once(portal: Any) -> None:
    refused = add(portal.staff(), service_id="", date="", time="x", price="y")
    assert refused.text.count('class="wrong"') == 4


@pytest.mark.parametrize(("which", "offset"), [("first", "-04:00"), ("second", "-05:00")])
def test_a_time_that_comes_twice_is_asked_about(portal: Any, others: Others, which: str, offset: str) -> None:
    sam = portal.staff()
    assert 'name="which"' in add(sam, date="2026-11-01", time="01:30").text
    assert add(sam, date="2026-11-01", time="01:30", which=which).status_code == 303
    assert others.last("/sessions")["body"]["starts_at"] == f"2026-11-01T01:30:00{offset}"


def test_the_gate_is_asked_for_by_the_script(portal: Any, others: Others) -> None:
    sam = portal.staff()
    others.tell("GET", "/clients/c1/session-eligibility", 200, SHUT)
    query = "client_id=c1&service_id=v1&price=50&date=2026-11-30&time=15:30"
    answer = sam.get(f"/calendar/gate?{query}", headers=JSON)
    assert answer.json["eligible"] is False
    assert "Link that pays exactly $35.00" in answer.json["panel"]
    assert others.last("/clients/c1/session-eligibility")["query"] == {
        "service_id": "v1", "price_minor": "5000", "starts_at": "2026-11-30T15:30:00-05:00",
    }  # fmt: skip
    asked = len(others.asked)
    assert "Choose a client" in sam.get("/calendar/gate?service_id=v1", headers=JSON).json["panel"]
    panel = sam.get("/calendar/gate?client_id=c1&service_id=v1&price=x", headers=JSON).json["panel"]
    assert "is not an amount" in panel
    assert len(others.asked) == asked


def test_without_the_script_a_button_asks(portal: Any, others: Others) -> None:
    others.tell("GET", "/clients/c1/session-eligibility", 200, {**SHUT, "warnings": ["Ada becomes inactive."]})
    page = add(portal.staff(), do="check", date="", time="")
    assert page.status_code == 200
    assert "It cannot be added" in page.text
    assert "Ada becomes inactive." in page.text
    assert all(asked["method"] == "GET" for asked in others.asked)
    assert calls(page) <= 5


def test_a_link_fills_the_form_and_shows_the_answer(portal: Any, others: Others) -> None:
    page = portal.staff().get("/calendar/add?client_id=c1&service_id=v1&date=2026-12-02&time=15:00")
    assert "It can be added" in page.text
    for filled in ('value="Ada Lovelace"', 'value="2026-12-02"', 'value="15:00"', 'value="v1" selected'):
        assert filled in page.text
    assert calls(page) <= 5


def added_at(others: Others) -> list[tuple[str, str]]:
    """(when, key) of the sessions that were to be added."""
    return [
        (asked["body"]["starts_at"], asked["key"])
        for asked in others.asked
        if (asked["method"], asked["path"]) == ("POST", "/sessions")
    ]


def test_week_after_week_over_the_change_of_clocks(portal: Any, others: Others) -> None:
    sam = portal.staff()
    page = add(sam, date="2026-10-25", weeks="3")
    assert page.status_code == 200
    assert "All 3 sessions were added" in page.text
    found = added_at(others)
    assert [when for when, _ in found] == [
        "2026-10-25T15:30:00-04:00", "2026-11-01T15:30:00-05:00", "2026-11-08T15:30:00-05:00",
    ]  # fmt: skip
    assert len({key for _, key in found}) == 3
    add(sam, date="2026-10-25", weeks="3")
    assert added_at(others)[3:] == found  # the same attempt adds each once


def test_a_week_whose_time_is_skipped_is_left_out(portal: Any, others: Others) -> None:
    page = add(portal.staff(), date="2026-03-01", time="02:30", weeks="3")
    assert "2 of 3 sessions were added" in page.text
    assert "put forward over this time" in page.text
    assert [when[:10] for when, _ in added_at(others)] == ["2026-03-01", "2026-03-15"]


@pytest.mark.parametrize(
    ("status", "problem", "words"),
    [
        (409, {"code": "balance_below_threshold", "detail": "$35.00 is missing.", **FIGURES}, "Link that pays exactly"),
        (503, {"code": "x", "detail": "away"}, "not known whether it was added"),
    ],
)
def test_weeks_up_to_the_first_that_is_refused(
    portal: Any, others: Others, status: int, problem: dict[str, Any], words: str
) -> None:
    sam = portal.staff()
    others.tell_in_turn("POST", "/sessions", [(201, SESSION), (status, problem)])
    page = add(sam, weeks="4")
    assert page.status_code == 200
    assert "1 of 4 sessions were added" in page.text
    assert words in page.text
    assert page.text.count("Not tried") == 2
    assert len(added_at(others)) == 2
    assert 'name="attempt" value="a1"' in page.text
    others.tell("POST", "/sessions", status, problem)
    refused = add(sam, weeks="4")  # the first as well: the form again
    assert refused.status_code == status
    assert add(sam, weeks="13").status_code == 422


# --- one session ---


def test_a_session_says_what_each_button_does(portal: Any, others: Others) -> None:
    others.tell("GET", "/sessions/s1", 200, {**SESSION, "warnings": ["Ada becomes inactive on 2026-11-25."]})
    page = portal.staff().get("/calendar/sessions/s1")
    assert "Wednesday, 25 Nov 2026, 15:00–15:45" in page.text
    assert "Ada becomes inactive on 2026-11-25." in page.text
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page.text))
    assert "The balance goes from has $30.00 left to owes $15.00." in text
    assert "Nothing is charged. What was kept for it is free again." in text
    assert calls(page) <= 5


def test_a_charged_session_is_given_back_and_an_invoiced_one_is_not(portal: Any, others: Others) -> None:
    sam = portal.staff()
    others.tell("GET", "/sessions/s1", 200, {**SESSION, "status": "completed", "ended_at": "2026-11-25T21:00:00Z"})
    page = sam.get("/calendar/sessions/s1")
    assert "The $45.00 that was charged is given back" in page.text
    assert "/complete" not in page.text
    others.tell("GET", "/sessions/s1", 200, {**SESSION, "status": "completed", "invoice_id": "i1"})
    page = sam.get("/calendar/sessions/s1")
    assert "/cancel" not in page.text
    assert 'href="/invoices/i1"' in page.text


@pytest.mark.parametrize(
    ("how", "said"),
    [("complete", "session_completed"), ("miss", "session_missed"), ("cancel", "session_cancelled")],
)
def test_settling_a_session(portal: Any, others: Others, how: str, said: str) -> None:
    sam = portal.staff()
    others.tell("POST", f"/sessions/s1/{how}", 200, SESSION)
    path = f"/calendar/sessions/s1/{how}"
    assert sam.post(path, {}, page="/calendar/sessions/s1").location == f"/calendar/sessions/s1?said={said}"
    asked = others.last(f"/sessions/s1/{how}")
    assert (asked["claims"]["actor"]["name"], asked["claims"]["scope"]) == ("Sam Staff", "billing:write")
    back = sam.post(path, {"back": "calendar", "view": "day", "from": "2026-11-25", "x": "y"}, page="/calendar")
    assert back.location == f"/calendar?said={said}&view=day&from=2026-11-25"


def test_what_cannot_be_settled_says_why(portal: Any, others: Others) -> None:
    sam = portal.staff()
    problem = {"code": "session_invoiced", "detail": "Void that invoice first.", "invoice_id": "i9"}
    others.tell("POST", "/sessions/s1/cancel", 409, problem)
    refused = sam.post("/calendar/sessions/s1/cancel", {}, page="/calendar/sessions/s1")
    assert refused.status_code == 409
    assert "Void that invoice first." in refused.text
    assert 'href="/invoices/i9"' in refused.text
    assert sam.post("/calendar/sessions/s1/delete", {}, page="/calendar/sessions/s1").status_code == 404


# --- pure ---


@pytest.mark.parametrize(
    ("day", "at", "zone", "expected"),
    [
        ("2026-07-01", "12:00", "America/New_York", ["16:00"]),
        ("2026-03-08", "02:30", "America/New_York", []),
        ("2026-11-01", "01:30", "America/New_York", ["05:30", "06:30"]),
        ("2026-11-01", "02:00", "America/New_York", ["07:00"]),
        ("2011-12-30", "12:00", "Pacific/Apia", []),  # a whole day that was skipped
    ],
)
def test_the_moments_of_a_local_time(day: str, at: str, zone: str, expected: list[str]) -> None:
    found = calendar.moments(date.fromisoformat(day), time.fromisoformat(at), zone)
    assert [f"{moment.astimezone(UTC):%H:%M}" for moment in found] == expected
    for moment in found:
        assert moment.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == moment.replace(tzinfo=None)


def test_a_session_over_the_change_of_clocks_lasts_as_long() -> None:
    session = {**SESSION, "starts_at": "2026-11-01T05:30:00Z", "duration_minutes": 60}
    begins, ends = calendar.times_of(session, "America/New_York")
    assert (f"{begins:%H:%M}", f"{ends:%H:%M}") == ("01:30", "01:30")
    assert ends.astimezone(UTC) - begins.astimezone(UTC) == calendar.timedelta(hours=1)


def test_a_session_is_on_the_day_that_the_business_has() -> None:
    pages = calendar.pages_of("week", date(2026, 11, 25))
    late = {**SESSION, "starts_at": "2026-11-26T04:00:00Z"}
    days = calendar.by_day(pages, [late], "America/New_York", datetime(2026, 11, 26, tzinfo=UTC), with_empty=True)
    assert [day.on.day for day in days if day.sessions] == [25]
    assert days[2].sessions[0]["begins"] == "23:00"
    assert days[2].sessions[0]["has_begun"] is False


def test_the_gate_in_words() -> None:
    shown = gate.answered(SHUT, prepays=True)
    assert dict(shown.figures) == {
        "Balance": "has $30.00 left", "Kept for what is booked": "$20.00", "Available": "$10.00", "Price": "$45.00",
        "Least that must be available": "$30.00", "Missing": "$35.00",
    }  # fmt: skip
    assert "Least that must be available" not in dict(gate.answered(OPEN, prepays=False).figures)
    assert gate.refused(Conflict("balance_below_threshold", "x", **FIGURES)) is not None
    assert gate.refused(Conflict("service_inactive", "x")) is None
