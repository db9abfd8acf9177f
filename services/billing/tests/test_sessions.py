"""Sessions and the pre-pay gate: what is refused and why, what is charged, what opens the gate again."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.gate import Gate
from common.events.billing import (
    BalanceBelowThreshold,
    BalanceChanged,
    BalanceRestored,
    GateOpened,
    SessionCancelled,
    SessionCharged,
    SessionScheduled,
)
from common.testing import ServiceUnderTest
from common.web.paging import encode_cursor
from services.billing.tests.studio import Studio


def amount_of(pay_url: str) -> int:
    return int(parse_qs(urlsplit(pay_url).query)["amount_minor"][0])


def test_the_gate_shuts_at_what_is_reserved_and_paying_the_link_opens_it(studio: Studio) -> None:
    studio.pay(3000)
    added = studio.add()
    assert added.status_code == 201
    assert added.json["starts_at"] == "2026-03-02T02:00:00Z"
    assert studio.figures() == (3000, 3000, 0)
    refused = studio.add()
    assert (refused.status_code, refused.json["code"]) == (409, "balance_below_threshold")
    assert {name: refused.json[name] for name in refused.json if name.endswith("_minor")} == {
        "balance_minor": 3000, "reserved_minor": 3000, "available_minor": 0, "threshold_minor": 3000,
        "price_minor": 3000, "shortfall_minor": 3000,
    }  # fmt: skip
    assert "$30.00 is missing" in refused.json["detail"]
    assert amount_of(refused.json["pay_url"]) == 3000
    studio.pay(amount_of(refused.json["pay_url"]))
    assert studio.add().status_code == 201


def test_a_session_dearer_than_the_threshold_needs_its_price(studio: Studio) -> None:
    studio.pay(4999)
    refused = studio.add(price_minor=5000)
    assert (refused.json["shortfall_minor"], amount_of(refused.json["pay_url"])) == (1, 1)
    studio.pay(1)
    assert studio.add(price_minor=5000).status_code == 201


def test_without_reservation_only_the_threshold_counts(billing: ServiceUnderTest, path: str) -> None:
    studio = Studio(billing, path, prepayment_required=True, threshold_minor=3000, reserve_scheduled=False)
    studio.pay(3000)
    assert [studio.add(price_minor=9000).status_code for _ in range(3)] == [201, 201, 201]
    assert studio.figures() == (3000, 0, 3000)


def test_without_prepayment_there_is_no_gate(billing: ServiceUnderTest, path: str) -> None:
    studio = Studio(billing, path, threshold_minor=3000)
    assert studio.add().status_code == 201
    assert studio.figures() == (0, 3000, -3000)


def test_a_clients_own_threshold_comes_first(studio: Studio) -> None:
    studio.call("PATCH", f"/clients/{studio.client_id}", {"threshold_minor": 10_000})
    studio.pay(9_000)
    assert studio.add().json["shortfall_minor"] == 1_000
    studio.call("PATCH", f"/clients/{studio.client_id}", {"threshold_minor": 0})
    assert studio.add().status_code == 201


def test_eligibility_says_the_same_without_adding(studio: Studio) -> None:
    asked = f"/clients/{studio.client_id}/session-eligibility?service_id={studio.service_id}"
    shown = studio.call("GET", asked).json
    assert (shown["eligible"], shown["reasons"]) == (False, ["balance_below_threshold"])
    assert shown["shortfall_minor"] == studio.add().json["shortfall_minor"] == 3000
    studio.pay(3000)
    shown = studio.call("GET", asked).json
    assert (shown["eligible"], shown["reasons"], shown["pay_url"]) == (True, [], None)
    assert studio.call("GET", "/sessions").json["items"] == []


@pytest.mark.parametrize("starts_at", ["9999-12-31T23:30:00Z", "0001-01-01T00:00:00Z", "1999-12-31T23:59:59Z"])
def test_eligibility_is_of_a_day_that_can_be_asked_about(studio: Studio, starts_at: str) -> None:
    where = f"/clients/{studio.client_id}"
    studio.call("PATCH", where, {"inactive_on": "2099-06-10"})
    refused = studio.call("GET", f"{where}/session-eligibility?starts_at={starts_at}")
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (422, "starts_at")
    assert refused.json["errors"] == studio.add(starts_at).json["errors"]
    assert studio.call("GET", f"{where}/session-eligibility?starts_at=2099-01-01T00:00:00Z").status_code == 200


@pytest.mark.parametrize("outcome", ["complete", "miss"])
def test_completing_or_missing_charges_once(studio: Studio, outcome: str) -> None:
    studio.pay(3000)
    session_id = studio.add().json["id"]
    with studio.billing.emits(BalanceChanged, BalanceBelowThreshold, SessionCharged):
        answers = [studio.call("POST", f"/sessions/{session_id}/{outcome}") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    assert studio.figures() == (0, 0, 0)
    other = {"complete": "miss", "miss": "complete"}[outcome]
    assert studio.call("POST", f"/sessions/{session_id}/{other}").json["code"] == "session_ended"
    entry = studio.call("GET", f"/clients/{studio.client_id}/ledger").json["items"][-1]
    assert entry["effective_on"] == "2026-03-02"  # the day in Auckland
    assert entry["memo"] == "Piano, 2026-03-02"
    assert entry["source"]["href"].endswith(f"/sessions/{session_id}")


def test_cancelling_releases_and_takes_back(studio: Studio) -> None:
    studio.pay(6000)
    first, second = (studio.add().json["id"] for _ in range(2))
    with studio.billing.emits(GateOpened, SessionCancelled):
        assert studio.call("POST", f"/sessions/{first}/cancel").json["status"] == "cancelled"
    assert studio.figures() == (6000, 3000, 3000)
    studio.call("POST", f"/sessions/{second}/complete")
    assert studio.figures() == (3000, 0, 3000)
    for _ in range(2):
        assert studio.call("POST", f"/sessions/{second}/cancel").status_code == 200
    assert studio.figures() == (6000, 0, 6000)
    report = studio.call("GET", "/service-reports?from=2026-01-01&to=2027-01-01").json
    assert report["totals"] == {"sessions": 0, "amount_minor": 0}


def test_the_gate_opening_is_told_once(studio: Studio) -> None:
    studio.pay(2000)
    before = len(studio.billing.emitted())
    studio.pay(1000)
    studio.pay(1000)
    kinds = [type(event) for event in studio.billing.emitted()[before:]]
    assert kinds.count(GateOpened) == 1
    assert kinds.count(BalanceRestored) == 1


def test_adding_tells_what_was_scheduled(studio: Studio) -> None:
    studio.pay(3000)
    with studio.billing.emits(SessionScheduled) as told:
        session_id = studio.add().json["id"]
    assert told[0].subject == session_id


def test_an_inactive_client_gets_no_session_and_one_leaving_a_warning(studio: Studio) -> None:
    studio.pay(9000)
    studio.call("PATCH", f"/clients/{studio.client_id}", {"inactive_on": "2099-01-01"})
    assert studio.add("2099-01-01T00:00:00+13:00").json["warnings"] == [
        "Ada becomes inactive on 2099-01-01, not after this session."
    ]
    assert studio.add("2098-12-31T10:00:00+13:00").json["warnings"] == []
    studio.call("PATCH", f"/clients/{studio.client_id}", {"inactive_on": "2020-01-01"})
    assert studio.add().json["code"] == "client_inactive"


def test_a_service_no_longer_offered_is_refused_and_prices_stay_as_they_were(studio: Studio) -> None:
    studio.pay(9000)
    session_id = studio.add().json["id"]
    change = {"price_minor": 9900, "active": False}
    assert studio.call("PATCH", f"/services/{studio.service_id}", change).json["price_minor"] == 9900
    assert studio.add().json["code"] == "service_inactive"
    assert studio.call("GET", f"/sessions/{session_id}").json["price_minor"] == 3000
    again = studio.call("POST", "/services", {"name": "Piano", "price_minor": 1, "duration_minutes": 5})
    assert again.json["code"] == "service_name_taken"


def test_a_calendar_range_is_days_where_the_business_is(billing: ServiceUnderTest, path: str) -> None:
    studio = Studio(billing, path)
    starts = ["2026-04-04T23:59:00+13:00", "2026-04-05T00:00:00+13:00", "2026-04-05T23:30:00+12:00",
              "2026-04-06T00:00:00+12:00"]  # fmt: skip
    ids = [studio.add(start).json["id"] for start in starts]  # clocks go back in that night

    def listed(query: str) -> list[str]:
        return [item["id"] for item in studio.call("GET", f"/sessions?{query}").json["items"]]

    assert listed("from=2026-04-05&to=2026-04-05") == ids[1:3]
    assert listed("from=2026-04-06") == ids[3:]
    assert listed("to=2026-04-04") == ids[:1]
    first = studio.call("GET", "/sessions?limit=2").json
    assert [item["id"] for item in first["items"]] == ids[:2]
    assert listed(f"limit=2&cursor={first['next_cursor']}") == ids[2:]
    latest = studio.call("GET", "/sessions?limit=3&sort=-starts_at").json
    assert [item["id"] for item in latest["items"]] == ids[:0:-1]
    assert listed(f"limit=3&sort=-starts_at&cursor={latest['next_cursor']}") == ids[:1]
    text = studio.call("GET", "/sessions?to=2026-04-04", headers={"Accept": "text/csv"}).text
    assert text.splitlines()[1].split(",")[1:4] == ["2026-04-04T10:59:00+00:00", "45", "Piano"]
    assert text.splitlines()[1].split(",")[-2:] == ["2026-04-04", "23:59"]  # in Auckland
    assert studio.call("GET", "/sessions?from=2026-04-06&to=2026-04-05").json["code"] == "range_invalid"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"starts_at": "2026-03-02T15:00:00"}, "starts_at"),
        ({"starts_at": "1999-03-02T15:00:00Z"}, "starts_at"),
        ({"price_minor": 0}, "price_minor"),
        ({"price_minor": -1}, "price_minor"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_bad_input_names_its_field(studio: Studio, change: dict[str, Any], field: str) -> None:
    answer = studio.add(**change)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert studio.call("GET", "/sessions").json["items"] == []


def test_a_client_sees_its_own_sessions_only(studio: Studio) -> None:
    studio.pay(3000)
    session_id = studio.add().json["id"]
    other = {"type": "client", "id": studio.client("Eve"), "name": "Eve"}
    token = studio.billing.token("billing:read", actor=other)
    assert studio.call("GET", "/sessions", token=token).json["items"] == []
    assert studio.call("GET", f"/sessions/{session_id}", token=token).status_code == 404
    assert studio.call("GET", f"/sessions?client_id={studio.client_id}", token=token).status_code == 404


@given(
    threshold=st.integers(0, 10_000), price=st.integers(0, 10_000), available=st.integers(-10_000, 30_000),
    reserve=st.booleans(),
)  # fmt: skip
def test_the_shortfall_is_exactly_what_opens_the_gate(
    threshold: int, price: int, available: int, reserve: bool
) -> None:
    gate = Gate(True, reserve, threshold)
    shortfall = gate.shortfall_minor(available, price)
    assert shortfall >= 0
    assert gate.shortfall_minor(available + shortfall, price) == 0
    if shortfall:
        assert gate.shortfall_minor(available + shortfall - 1, price) == 1
    assert Gate(False, reserve, threshold).shortfall_minor(available, price) == 0


def test_what_an_invoice_can_still_ask_for(open_studio: Studio) -> None:
    held, ahead, called_off, asked_for = open_studio.done(), open_studio.add("2099-03-02T15:00:00+13:00").json["id"], (
        open_studio.add("2099-03-03T15:00:00+13:00").json["id"]
    ), open_studio.done(outcome="miss")  # fmt: skip
    open_studio.call("POST", f"/sessions/{called_off}/cancel")
    open_studio.call("POST", "/invoices", {"client_id": open_studio.client_id, "session_ids": [asked_for]})

    def listed(to_invoice: str) -> set[str]:
        items = open_studio.call("GET", f"/sessions?to_invoice={to_invoice}").json["items"]
        return {item["id"] for item in items}

    assert listed("true") == {held, ahead}
    assert listed("false") == {called_off, asked_for}


def test_a_scheduled_session_shows_what_to_be_warned_of(open_studio: Studio) -> None:
    session_id = open_studio.add("2099-03-02T15:00:00+13:00").json["id"]

    def warnings() -> list[str]:
        return list(open_studio.call("GET", f"/sessions/{session_id}").json["warnings"])

    assert warnings() == []
    open_studio.call("PATCH", f"/clients/{open_studio.client_id}", {"inactive_on": "2099-03-01"})
    (said,) = warnings()
    assert "becomes inactive on 2099-03-01" in said
    open_studio.call("POST", f"/sessions/{session_id}/cancel")
    assert warnings() == []


def test_the_calendar_page_by_page(open_studio: Studio) -> None:
    days = [f"2026-03-0{day}T15:00:00+13:00" for day in (3, 1, 2, 2)]
    for day in days:
        open_studio.add(day)
    found, cursor = [], ""
    for _ in days:
        page = open_studio.call("GET", f"/sessions?limit=1{cursor}").json
        found += [item["starts_at"] for item in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert found == [f"2026-03-0{day}T02:00:00Z" for day in (1, 2, 2, 3)]
    assert page["next_cursor"] is None
    for key in (["no moment", "x"], [3, "x"], ["2026-03-01T02:00:00+00:00"]):
        assert open_studio.call("GET", f"/sessions?cursor={encode_cursor(key)}").json["code"] == "cursor_invalid"
