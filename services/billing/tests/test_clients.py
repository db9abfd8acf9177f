"""Businesses and clients."""

from datetime import timedelta
from typing import Any

import pytest

from common import clock
from common.events.billing import BusinessRegistered, BusinessUpdated, ClientRegistered, ClientUpdated
from common.testing import ServiceUnderTest


def add(billing: ServiceUnderTest, path: str, **client: Any) -> dict[str, Any]:
    answer = billing.call("POST", f"{path}/clients", {"name": "Ada", **client})
    assert answer.status_code == 201, answer.text
    return dict(answer.json)


def test_a_business_is_registered_and_changed(billing: ServiceUnderTest) -> None:
    with billing.emits(BusinessRegistered):
        body = {"name": "Studio", "currency": "JPY", "time_zone": "Asia/Tokyo"}
        made = billing.call("POST", "/v1/businesses", body)
    assert made.status_code == 201
    path = f"/v1/businesses/{made.json['id']}"
    with billing.emits(BusinessUpdated) as emitted:
        changed = billing.call("PATCH", path, {"name": "New", "session_control": {"prepayment_required": True}})
    assert isinstance(emitted[0], BusinessUpdated)
    assert (emitted[0].sequence, emitted[0].name) == (2, "New")
    assert changed.json["session_control"] == {
        "prepayment_required": True, "threshold_minor": 0, "reserve_scheduled": True,
    }  # fmt: skip
    assert billing.call("GET", path).json == changed.json


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "name"), ({"currency": "usd"}, "currency"), ({"currency": "XXX"}, "currency"),
        ({"time_zone": "Mars/Base"}, "time_zone"), ({"reply_to_email": "nobody"}, "reply_to_email"),
        ({"id": "x"}, "id"),
    ],
)  # fmt: skip
def test_a_business_that_is_not_right_is_refused(billing: ServiceUnderTest, change: dict[str, Any], field: str) -> None:
    body = {"name": "Studio", "currency": "USD", "time_zone": "Europe/Berlin", **change}
    answer = billing.call("POST", "/v1/businesses", body)
    assert (answer.status_code, [error["field"] for error in answer.json["errors"]]) == (422, [field])


def test_a_client_is_added_with_an_account_and_changed(billing: ServiceUnderTest, path: str) -> None:
    with billing.emits(ClientRegistered):
        made = add(billing, path, email="Ada@Example.com", external_ref="C-1", phone="+1 555 0100")
    assert billing.call("GET", f"{path}/clients/{made['id']}/balance").json["balance_minor"] == 0
    with billing.emits(ClientUpdated) as emitted:
        changed = billing.call("PATCH", f"{path}/clients/{made['id']}", {"email": None, "name": "Ada Byron"})
    assert isinstance(emitted[0], ClientUpdated)
    assert (emitted[0].sequence, emitted[0].email, emitted[0].external_ref) == (2, None, "C-1")
    assert (changed.json["email"], changed.json["phone"]) == (None, "+1 555 0100")
    assert billing.call("PATCH", f"{path}/clients/{made['id']}", {"name": None}).status_code == 422
    assert billing.call("PATCH", f"{path}/clients/nobody", {"name": "X"}).status_code == 404


def test_an_external_reference_is_one_clients(billing: ServiceUnderTest, path: str) -> None:
    add(billing, path, external_ref="C-1")
    answer = billing.call("POST", f"{path}/clients", {"name": "Bob", "external_ref": "C-1"})
    assert (answer.status_code, answer.json["code"]) == (422, "external_ref_taken")
    bob = add(billing, path, external_ref="C-2")
    answer = billing.call("PATCH", f"{path}/clients/{bob['id']}", {"external_ref": "C-1"})
    assert (answer.status_code, answer.json["code"]) == (409, "external_ref_taken")
    assert [error["field"] for error in answer.json["errors"]] == ["external_ref"]


def test_a_client_is_inactive_from_its_day_where_the_business_is(billing: ServiceUnderTest, path: str) -> None:
    today = clock.today("Pacific/Auckland")
    ids = [add(billing, path, inactive_on=str(today + timedelta(days=days)))["id"] for days in (-1, 0, 1)]
    assert [billing.call("GET", f"{path}/clients/{i}").json["status"] for i in ids] == [
        "inactive",
        "inactive",
        "active",
    ]
    found = billing.call("GET", f"{path}/clients?status=inactive").json["items"]
    assert {client["id"] for client in found} == set(ids[:2])


def test_lookup_finds_by_anything_and_hides_other_businesses(billing: ServiceUnderTest, path: str) -> None:
    ada = add(billing, path, email="ada@example.com", external_ref="C-1")["id"]
    bob = add(billing, path, name="Bob", email="ADA@example.com")["id"]
    body = {"ids": [ada, "nobody"], "emails": ["Ada@Example.com"], "external_refs": ["C-1"], "names": ["Bob"]}
    found = billing.call("POST", f"{path}/clients/lookup", body).json["items"]
    assert [client["id"] for client in found] == [ada, bob]
    other = billing.call("POST", "/v1/businesses", {"name": "O", "currency": "USD", "time_zone": "UTC"}).json["id"]
    assert billing.call("POST", f"/v1/businesses/{other}/clients/lookup", body).json["items"] == []


def test_clients_come_from_csv_all_or_none(billing: ServiceUnderTest, path: str) -> None:
    good = "name,email,phone,external_ref,status,inactive_on,threshold\n"
    rows = good + "Ada,ada@example.com,,C-1,active,,30.00\n陳美玲,,,C-2,,2030-01-01,\n"
    with billing.emits(ClientRegistered, ClientRegistered):
        answer = billing.call("POST", f"{path}/clients/batch", csv=rows)
    assert (answer.status_code, answer.json["count"]) == (201, 2)
    assert [client["threshold_minor"] for client in answer.json["clients"]] == [3000, None]
    with billing.emits():
        answer = billing.call(
            "POST", f"{path}/clients/batch", csv=good + "Bob,bob@,,,,,\n,x@example.com,,,,,\nC,,,C-9,,,1.005\n"
        )
    assert answer.status_code == 422
    errors = {(error["row"], error["field"]) for error in answer.json["errors"]}
    assert errors == {(1, "email"), (2, "name"), (3, "threshold")}
    answer = billing.call("POST", f"{path}/clients/batch", csv=f"{good},,,,gone,soon,\n{'x' * 201},,,,,,\n")
    said = {(error["row"], error["field"]): error["message"] for error in answer.json["errors"]}
    assert said == {
        (1, "name"): "this may not be empty",
        (1, "status"): "this must be 'active', 'inactive' or 'prospect'",
        (1, "inactive_on"): "write the day as year-month-day, such as 2026-03-31",
        (2, "name"): "use at most 200 characters",
    }
    answer = billing.call("POST", f"{path}/clients/batch", csv=b"name\ncaf\xe9\n")
    assert answer.json["code"] == "csv_not_utf8"
    exported = billing.call("GET", f"{path}/clients", headers={"Accept": "text/csv"})
    assert exported.text.splitlines()[0] == good.strip()
    assert "ada@example.com" in exported.text


def test_exported_clients_come_back_as_they_went_out(billing: ServiceUnderTest, path: str) -> None:
    kept = {"name": "=Ada", "phone": "+49 30 1234", "external_ref": "-7", "threshold_minor": 3000}
    add(billing, path, **kept)
    exported = billing.call("GET", f"{path}/clients", headers={"Accept": "text/csv"}).text
    assert "'+49 30 1234" in exported  # no spreadsheet takes it for a formula
    other = billing.call("POST", "/v1/businesses", {"name": "O", "currency": "USD", "time_zone": "UTC"}).json["id"]
    answer = billing.call("POST", f"/v1/businesses/{other}/clients/batch", csv=exported)
    assert answer.status_code == 201, answer.text
    (client,) = answer.json["clients"]
    assert {name: client[name] for name in kept} == kept


def test_clients_are_paged_by_name(billing: ServiceUnderTest, path: str) -> None:
    for name in "EADCB":
        add(billing, path, name=name)
    first = billing.call("GET", f"{path}/clients?limit=3").json
    second = billing.call("GET", f"{path}/clients?limit=3&cursor={first['next_cursor']}").json
    assert [client["name"] for client in first["items"] + second["items"]] == list("ABCDE")
    assert second["next_cursor"] is None


def test_balances_sort_filter_and_total(billing: ServiceUnderTest, path: str) -> None:
    for name, kind, amount in (("A", "credit", 3000), ("B", "debit", 1000), ("C", "credit", 500), ("D", "debit", 200)):
        client = add(billing, path, name=name, status="prospect" if name == "C" else "active")["id"]
        body = {"kind": kind, "amount_minor": amount, "reason": "opening"}
        billing.call("POST", f"{path}/clients/{client}/adjustments", body)

    def names(query: str) -> str:
        return "".join(line["client_name"] for line in billing.call("GET", f"{path}/balances?{query}").json["items"])

    assert (names("sort=name"), names("sort=balance"), names("sort=-balance")) == ("ABCD", "BDCA", "ACDB")
    assert names("sort=-name") == "DCBA"
    backward = billing.call("GET", f"{path}/balances?sort=-name&limit=3").json["next_cursor"]
    assert names(f"sort=-name&limit=3&cursor={backward}") == "A"
    assert (names("below_minor=0&sort=balance"), names("above_minor=500"), names("status=prospect")) == ("BD", "A", "C")
    answer = billing.call("GET", f"{path}/balances?sort=-balance&limit=2").json
    assert answer["totals"] == {"owed_minor": 1200, "prepaid_minor": 3500, "clients": 4, "currency": "USD"}
    more = billing.call("GET", f"{path}/balances?sort=-balance&limit=2&cursor={answer['next_cursor']}").json
    assert [line["in_words"] for line in more["items"]] == ["owes $2.00", "owes $10.00"]
    exported = billing.call("GET", f"{path}/balances?sort=balance", headers={"Accept": "text/csv"}).text.splitlines()
    assert exported[1].split(",")[1] == "B"
    assert exported[1].split(",")[4] == "-10.00"


def test_a_balance_comes_with_how_to_reach_the_client(billing: ServiceUnderTest, path: str) -> None:
    add(billing, path, email="ada@example.com", phone="555 0100", external_ref="C-1")
    (line,) = billing.call("GET", f"{path}/balances").json["items"]
    reach = (line["email"], line["phone"], line["external_ref"], line["status"], line["in_words"])
    assert reach == ("ada@example.com", "555 0100", "C-1", "active", "is settled")
    exported = billing.call("GET", f"{path}/balances", headers={"Accept": "text/csv"}).text.splitlines()
    assert exported[0].endswith(",in_words,phone,external_ref")
    assert exported[1].endswith(",555 0100,C-1")


def test_a_client_actor_sees_itself_alone(billing: ServiceUnderTest, business: dict[str, Any], path: str) -> None:
    ada, bob = add(billing, path)["id"], add(billing, path, name="Bob")["id"]
    token = billing.token(
        "billing:read billing:write billing:adjust", business["id"], {"type": "client", "id": ada, "name": "Ada"}
    )
    for resource in ("", "/balance", "/ledger"):
        assert billing.call("GET", f"{path}/clients/{ada}{resource}", token=token).status_code == 200
        assert billing.call("GET", f"{path}/clients/{bob}{resource}", token=token).status_code == 404
    assert [c["id"] for c in billing.call("GET", f"{path}/clients", token=token).json["items"]] == [ada]
    assert [c["client_id"] for c in billing.call("GET", f"{path}/balances", token=token).json["items"]] == [ada]
    found = billing.call("POST", f"{path}/clients/lookup", {"ids": [ada, bob]}, token=token).json["items"]
    assert [client["id"] for client in found] == [ada]
    body = {"kind": "credit", "amount_minor": 1, "reason": "x"}
    assert billing.call("POST", f"{path}/clients/{ada}/adjustments", body, token=token).status_code == 404
    assert billing.call("PATCH", f"{path}/clients/{ada}", {"name": "X"}, token=token).status_code == 404


def test_a_row_with_too_many_cells_is_named(billing: ServiceUnderTest, path: str) -> None:
    rows = "name,email\nAda,ada@x.com,\nByron, Ada,ada@x.com\n"
    answer = billing.call("POST", f"{path}/clients/batch", csv=rows)
    assert (answer.status_code, [error["row"] for error in answer.json["errors"]]) == (422, [2])
    assert billing.call("POST", f"{path}/clients/batch", csv="name,email\nAda,ada@x.com,,\n").status_code == 201


def test_days_beyond_the_calendar_are_refused(billing: ServiceUnderTest, path: str) -> None:
    for query in (
        "sessions?to=9999-12-31",
        "sessions?from=0001-01-01",
        "service-reports?from=2026-01-01&to=9999-12-31",
    ):
        assert billing.call("GET", f"{path}/{query}").status_code == 422, query


def test_a_file_that_is_no_csv_is_refused(billing: ServiceUnderTest, path: str) -> None:
    broken = billing.call("POST", f"{path}/clients/batch", csv="name\n" + "x" * 200_000)
    assert (broken.status_code, broken.json["code"]) == (422, "csv_unreadable")
