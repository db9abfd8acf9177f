"""The history in other orders, page by page, on both databases; and the check for a single payment's duplicates."""

import csv
import io
from typing import Any

import pytest

from common.testing import ServiceUnderTest
from common.web.paging import encode_cursor
from services.payments.tests.conftest import B

SORTS = ("received_on", "-received_on", "amount", "-amount", "client_name", "-client_name")
# (client, amount, day): equal days, equal amounts and equal names.
RECORDED = (
    ("sam1", 300, "2026-03-02"), ("ada", 100, "2026-03-01"), ("ada", 300, "2026-03-02"), ("sam1", 100, "2026-03-03"),
    ("ada", 300, "2026-03-01"), ("sam1", 50, "2026-03-02"), ("ada", 9_000_000_000, "2026-03-02"),
)  # fmt: skip
FACTS = {"received_on": "received_on", "amount": "amount_minor", "client_name": "client_name"}


def record_all(payments: ServiceUnderTest) -> list[dict[str, Any]]:
    made = []
    for client_id, amount_minor, day in RECORDED:
        body = {"client_id": client_id, "amount_minor": amount_minor, "method": "cash", "received_on": day}
        made.append(payments.call("POST", f"{B}/payments", body).json)
    return made


def read_pages(payments: ServiceUnderTest, query: str, limit: int) -> list[str]:
    found: list[str] = []
    cursor = ""
    for _ in range(20):
        page = payments.call("GET", f"{B}/payments?limit={limit}&{query}{cursor}").json
        found += [payment["id"] for payment in page["items"]]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"
    raise AssertionError("the pages do not end")


def assert_every_order(payments: ServiceUnderTest) -> None:
    made = record_all(payments)
    for sort in SORTS:
        fact = FACTS[sort.removeprefix("-")]
        ordered = sorted(made, key=lambda one: (one[fact], one["id"]), reverse=sort.startswith("-"))  # noqa: B023
        expected = [one["id"] for one in ordered]
        for limit in (1, 2, 200):
            assert read_pages(payments, f"sort={sort}", limit) == expected, (sort, limit)
        filtered = [one["id"] for one in ordered if one["client_id"] == "ada"]
        assert read_pages(payments, f"sort={sort}&client_id=ada", 1) == filtered, sort
        text = payments.call("GET", f"{B}/payments?sort={sort}", headers={"Accept": "text/csv"}).text
        assert [row["payment_id"] for row in csv.DictReader(io.StringIO(text))] == expected, sort
    assert read_pages(payments, "", 2) == read_pages(payments, "sort=-received_on", 200)


def test_every_order_page_by_page(payments: ServiceUnderTest) -> None:
    assert_every_order(payments)


@pytest.mark.broker
def test_every_order_page_by_page_on_postgresql(payments_on_postgresql: ServiceUnderTest) -> None:
    assert_every_order(payments_on_postgresql)


def test_a_cursor_of_another_order_is_refused(payments: ServiceUnderTest) -> None:
    record_all(payments)

    def ask(sort: str, cursor: str) -> Any:
        return payments.call("GET", f"{B}/payments?limit=1&sort={sort}&cursor={cursor}")

    cursor = payments.call("GET", f"{B}/payments?limit=1&sort=amount").json["next_cursor"]
    assert ask("amount", cursor).status_code == 200
    for sort in ("received_on", "client_name"):
        assert (ask(sort, cursor).status_code, ask(sort, cursor).json["code"]) == (422, "cursor_invalid")
    assert ask("received_on", encode_cursor(["2026-02-30", "x"])).json["code"] == "cursor_invalid"
    assert payments.call("GET", f"{B}/payments?sort=memo").status_code == 422


# --- a single payment that looks recorded already ---

BODY = {"client_id": "ada", "amount_minor": 4500, "method": "cash", "received_on": "2026-03-10", "reference": "R-1"}


def add(payments: ServiceUnderTest, key: str | None = None, **changes: Any) -> Any:
    return payments.call("POST", f"{B}/payments", {**BODY, "check_duplicates": True, **changes}, key=key)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"received_on": "2026-03-13", "reference": None}, "same client and amount within 3 days"),
        ({"received_on": "2026-03-07", "reference": "R-2"}, "same client and amount within 3 days"),
        ({"client_id": "sam1", "amount_minor": 10, "received_on": "2026-01-01"}, "same reference"),
    ],
)
def test_what_looks_recorded_already_is_refused_when_asked_for(
    payments: ServiceUnderTest, changes: dict[str, Any], why: str
) -> None:
    first = add(payments)
    assert first.status_code == 201
    refused = add(payments, **changes)
    assert (refused.status_code, refused.json["code"]) == (409, "probable_duplicates")
    (found,) = refused.json["duplicates"]
    assert (found["payment_id"], found["why"], found["received_on"]) == (first.json["id"], why, "2026-03-10")
    assert len(read_pages(payments, "", 200)) == 1
    assert add(payments, **changes, check_duplicates=False).status_code == 201


@pytest.mark.parametrize(
    "changes",
    [
        {"received_on": "2026-03-14", "reference": None}, {"amount_minor": 4501, "reference": "R-2"},
        {"client_id": "sam1", "reference": None},
    ],
)  # fmt: skip
def test_what_only_looks_alike_is_recorded(payments: ServiceUnderTest, changes: dict[str, Any]) -> None:
    assert add(payments).status_code == 201
    assert add(payments, **changes).status_code == 201


def test_the_same_attempt_is_no_duplicate_of_itself(payments: ServiceUnderTest) -> None:
    first, again = add(payments, key="k1"), add(payments, key="k1")
    assert (again.status_code, again.json["id"]) == (201, first.json["id"])
    assert add(payments, key="k2").status_code == 409
    payments.call("POST", f"{B}/payments/{first.json['id']}/void", {"reason": "typed twice"})
    assert add(payments, key="k2").status_code == 201


def test_a_bad_payment_is_refused_for_what_is_wrong_with_it(payments: ServiceUnderTest) -> None:
    assert add(payments, client_id="nobody").status_code in (422, 503)
    assert add(payments, currency="EUR").status_code == 422
