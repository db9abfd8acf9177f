"""What happens by the clock: deactivation on the day, reminders never twice, invoices on their days."""

import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pypdf import PdfReader
from sqlalchemy import event as sqlalchemy_event

from billing import timers
from billing.models import Client
from common import clock
from common.auth import read_jwks
from common.clock import Clock
from common.events.billing import (
    BalanceEmailRequested,
    ClientDeactivated,
    ClientDeactivationDue,
    ClientReactivated,
    ClientUpdated,
    InvoiceEmailRequested,
    InvoiceIssued,
    ReminderDue,
)
from common.pay_link import verify
from common.testing import ServiceUnderTest
from services.billing.tests.studio import Studio

SetClock = Callable[[str], None]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Move the clock to a moment, in UTC."""

    class Still(Clock):
        moment = datetime.now(UTC)

        def now(self) -> datetime:
            return self.moment

    still = Still()
    monkeypatch.setattr(clock, "_clock", still)

    def move(moment: str) -> None:
        still.moment = datetime.fromisoformat(moment).replace(tzinfo=UTC)

    return move


def studio_in(billing: ServiceUnderTest, time_zone: str) -> Studio:
    body = {"name": time_zone, "currency": "USD", "time_zone": time_zone, "reply_to_email": "desk@studio.example"}
    return Studio(billing, "/v1/businesses/" + billing.call("POST", "/v1/businesses", body).json["id"])


def told(billing: ServiceUnderTest, *kinds: type) -> list[Any]:
    return [event for event in billing.emitted() if isinstance(event, kinds)]


def test_each_is_inactive_from_its_own_midnight_and_told_once(billing: ServiceUnderTest, at: SetClock) -> None:
    at("2026-06-10T05:00:00")  # the 10th in Auckland, the 9th in Honolulu
    west, east = studio_in(billing, "Pacific/Honolulu"), studio_in(billing, "Pacific/Auckland")
    for studio in (west, east):
        studio.call("PATCH", f"/clients/{studio.client_id}", {"inactive_on": "2026-06-11"})

    def statuses() -> list[str]:
        return [studio.call("GET", f"/clients/{studio.client_id}").json["status"] for studio in (west, east)]

    for moment, expected, events in (
        ("2026-06-10T11:59:59", ["active", "active"], 0),
        ("2026-06-10T12:00:00", ["active", "inactive"], 1),
        ("2026-06-11T09:59:59", ["active", "inactive"], 1),
        ("2026-06-11T10:00:00", ["inactive", "inactive"], 2),
        ("2026-08-01T00:00:00", ["inactive", "inactive"], 2),
    ):
        at(moment)
        timers.announce_deactivated(billing.runtime)
        timers.announce_deactivated(billing.runtime)
        assert statuses() == expected, moment
        assert len(told(billing, ClientDeactivated)) == events, moment
    assert {event.client_id for event in told(billing, ClientDeactivated)} == {west.client_id, east.client_id}
    assert east.add("2026-08-02T10:00:00Z").json["code"] == "client_inactive"
    for query in ("/clients?status=inactive", "/balances?status=inactive"):
        assert len(east.call("GET", query).json["items"]) == 1


def test_a_date_missed_while_nothing_ran_is_told_afterwards(billing: ServiceUnderTest, at: SetClock) -> None:
    at("2026-06-10T05:00:00")
    studio = studio_in(billing, "Europe/Berlin")
    studio.call("PATCH", f"/clients/{studio.client_id}", {"inactive_on": "2026-06-11"})
    at("2026-07-20T05:00:00")
    timers.announce_deactivated(billing.runtime)
    (event,) = told(billing, ClientDeactivated)
    assert (event.inactive_on, event.by) == (date(2026, 6, 11), "date")


def test_staff_deactivate_and_reactivate_at_once(billing: ServiceUnderTest, at: SetClock) -> None:
    at("2026-06-10T05:00:00")
    studio = studio_in(billing, "Europe/Berlin")
    where = f"/clients/{studio.client_id}"
    with billing.emits(ClientUpdated, ClientDeactivated) as events:
        studio.call("PATCH", where, {"status": "inactive"})
    assert events[-1].by == "staff"  # type: ignore[attr-defined]
    timers.announce_deactivated(billing.runtime)
    with billing.emits(ClientUpdated, ClientReactivated):
        assert studio.call("PATCH", where, {"status": "active"}).json["status"] == "active"
    studio.call("PATCH", where, {"inactive_on": "2026-06-01"})
    with billing.emits(ClientUpdated, ClientReactivated):
        again = studio.call("PATCH", where, {"status": "active"}).json
    assert (again["status"], again["inactive_on"]) == ("active", None)
    assert len(told(billing, ClientDeactivated)) == 2


def test_staff_are_reminded_once_of_each_date(billing: ServiceUnderTest, at: SetClock) -> None:
    at("2026-06-01T05:00:00")
    studio = studio_in(billing, "Europe/Berlin")
    studio.done("2026-05-01T10:00:00Z")
    studio.add("2026-07-01T10:00:00Z")
    studio.invoice(500)
    where = f"/clients/{studio.client_id}"
    studio.call("PATCH", where, {"inactive_on": "2026-06-11"})
    timers.warn_of_deactivations(billing.runtime)
    assert told(billing, ClientDeactivationDue) == []
    at("2026-06-04T05:00:00")
    for _ in range(2):
        timers.warn_of_deactivations(billing.runtime)
    (event,) = told(billing, ClientDeactivationDue)
    assert (event.balance_minor, event.future_sessions, event.pending_invoices) == (-3500, 1, 1)
    check = studio.call("GET", f"{where}/closing-check").json
    assert (check["clear"], check["obstacles"]) == (False, ["owed_minor", "future_sessions", "pending_invoices"])
    studio.call("PATCH", where, {"inactive_on": "2026-06-12"})
    at("2026-06-05T05:00:00")
    timers.warn_of_deactivations(billing.runtime)
    assert len(told(billing, ClientDeactivationDue)) == 2


def test_invoices_come_on_their_days_and_missed_ones_are_made_up(billing: ServiceUnderTest, at: SetClock) -> None:
    at("2026-01-05T12:00:00")
    studio = studio_in(billing, "America/New_York")
    where = f"/clients/{studio.client_id}/invoicing"
    assert studio.call("GET", where).json["frequency"] == "off"
    body = {"frequency": "monthly", "delivery": "sent", "starts_on": "2026-01-31"}
    assert studio.call("PUT", where, body).json["next_on"] == "2026-01-31"
    studio.done("2026-01-10T15:00:00Z")
    studio.done("2026-01-31T04:59:00Z", "miss")  # still the 30th in New York
    later = studio.done("2026-01-31T05:00:00Z")
    timers.invoice_due(billing.runtime)
    assert told(billing, InvoiceIssued) == []
    at("2026-01-31T05:00:00")
    for _ in range(2):
        timers.invoice_due(billing.runtime)
    (invoice,) = studio.call("GET", "/invoices").json["items"]
    assert (invoice["total_minor"], len(told(billing, InvoiceEmailRequested))) == (6000, 1)
    assert studio.call("GET", where).json["next_on"] == "2026-02-28"
    studio.done("2026-03-05T15:00:00Z")
    at("2026-04-02T12:00:00")  # two days were missed
    timers.invoice_due(billing.runtime)
    assert [item["total_minor"] for item in studio.call("GET", "/invoices").json["items"]] == [3000, 3000, 6000]
    assert studio.call("GET", f"/sessions/{later}").json["invoice_id"] is not None
    assert studio.call("GET", where).json["next_on"] == "2026-04-30"
    assert studio.call("PUT", where, {"frequency": "off"}).json["frequency"] == "off"
    assert studio.prove() == {}


def test_invoicing_that_is_saved_again_repeats_no_day(billing: ServiceUnderTest, at: SetClock) -> None:
    at("2026-09-01T12:00:00")
    studio = studio_in(billing, "Europe/Berlin")
    where = f"/clients/{studio.client_id}/invoicing"
    held = {"frequency": "monthly", "delivery": "sent", "starts_on": "2026-09-01"}
    studio.call("PUT", where, held)
    studio.done("2026-08-30T10:00:00Z")
    at("2026-11-26T12:00:00")
    timers.invoice_due(billing.runtime)
    (invoice,) = studio.call("GET", "/invoices").json["items"]
    assert studio.call("POST", f"/invoices/{invoice['number']}/void", {"reason": "x"}).status_code == 200
    for change, next_on in (
        ({}, "2026-12-01"),
        ({"delivery": "draft"}, "2026-12-01"),
        ({"frequency": "biweekly"}, "2026-12-08"),
        ({"frequency": "weekly"}, "2026-12-01"),
    ):
        assert studio.call("PUT", where, {**held, **change}).json["next_on"] == next_on
        timers.invoice_due(billing.runtime)
        assert len(studio.call("GET", "/invoices").json["items"]) == 1
    at("2027-10-01T12:00:00")
    timers.invoice_due(billing.runtime)
    kept = studio.call("GET", where).json
    assert studio.call("PUT", where, {name: kept[name] for name in held}).json == kept
    other = studio.call("PUT", where, {**held, "starts_on": "2026-08-31"})
    assert (other.status_code, other.json["errors"][0]["field"]) == (422, "starts_on")
    assert studio.call("PUT", where, {**held, "starts_on": "2027-09-01"}).json["next_on"] == "2027-09-01"


def test_what_stops_one_client_stops_no_other(billing: ServiceUnderTest, at: SetClock) -> None:
    at("2026-01-05T12:00:00")
    studio = studio_in(billing, "Europe/Berlin")
    bob = studio.client("Bob")
    service = studio.call(
        "POST", "/services", {"name": "All", "price_minor": 600_000_000_000, "duration_minutes": 60}
    ).json["id"]
    for day in (2, 3):  # together they are more than an invoice can ask for
        studio.done(f"2026-01-0{day}T15:00:00Z", service_id=service)
    for client_id, starts_on in ((studio.client_id, "2026-01-06"), (bob, "2026-01-07")):
        body = {"frequency": "weekly", "starts_on": starts_on}
        assert studio.call("PUT", f"/clients/{client_id}/invoicing", body).status_code == 200
    studio.done("2026-01-04T15:00:00Z", client_id=bob)
    at("2026-01-07T12:00:00")
    timers.invoice_due(billing.runtime)
    assert [item["client_id"] for item in studio.call("GET", "/invoices").json["items"]] == [bob]


def test_drafts_wait_for_staff(billing: ServiceUnderTest, at: SetClock) -> None:
    at("2026-01-05T12:00:00")
    studio = studio_in(billing, "Europe/Berlin")
    studio.done("2026-01-04T15:00:00Z")
    where = f"/clients/{studio.client_id}/invoicing"
    assert studio.call("PUT", where, {"frequency": "weekly", "delivery": "draft"}).json["next_on"] == "2026-01-12"
    at("2026-01-12T12:00:00")
    timers.invoice_due(billing.runtime)
    (draft,) = studio.call("GET", "/invoices").json["items"]
    assert draft["status"] == "draft"
    assert told(billing, InvoiceIssued, InvoiceEmailRequested) == []
    at("2026-01-15T12:00:00")
    assert studio.call("POST", f"/invoices/{draft['id']}/issue").json["number"] == "INV-000001"
    pdf = PdfReader(io.BytesIO(studio.call("GET", "/invoices/INV-000001.pdf").data))
    for words in ("Invoice date 15 January 2026", "Issued 15 January 2026"):
        assert words in pdf.pages[0].extract_text()


def test_reminders_come_once_each_and_stop_when_paid(billing: ServiceUnderTest, at: SetClock) -> None:
    at("2026-06-01T12:00:00")
    studio = studio_in(billing, "Europe/Berlin")
    wanted = {"invoice_offsets_days": [7, -3, 0], "owed_every_days": 30, "owed_minimum_minor": 100}
    assert studio.call("PUT", "/reminders", wanted).json["invoice_offsets_days"] == [-3, 0, 7]
    number = studio.invoice(2000, due_on="2026-06-20").json["number"]
    kinds: list[tuple[str, Any]] = []
    for day in ("2026-06-16", "2026-06-17", "2026-06-20", "2026-06-21", "2026-06-27", "2026-07-03"):
        at(f"{day}T12:00:00")
        for _ in range(2):
            timers.remind(billing.runtime)
    kinds = [(event.kind, event.days_overdue) for event in told(billing, ReminderDue)]
    assert kinds == [("invoice", -3), ("invoice", 0), ("invoice", 7)]
    assert told(billing, ReminderDue)[0].owed_minor == 2000
    studio.pay(2000, invoice_number=number)
    at("2026-12-01T12:00:00")
    timers.remind(billing.runtime)
    assert len(told(billing, ReminderDue)) == 3


def test_no_debt_is_asked_for_twice(billing: ServiceUnderTest, at: SetClock) -> None:
    """Invoices ask for what is on them, the balance for what is owed beyond; credit pays the invoice due first."""
    at("2026-06-01T12:00:00")
    studio = studio_in(billing, "Europe/Berlin")
    studio.call("PATCH", "", {"invoicing": {"apply_credit_automatically": False}})
    studio.call("PUT", "/reminders", {"invoice_offsets_days": [0, 7], "owed_every_days": 30, "owed_minimum_minor": 1})

    def asked(day: str) -> list[tuple[str, str | None, int]]:
        at(f"2026-{day}T12:00:00")
        before = len(told(billing, ReminderDue))
        timers.remind(billing.runtime)
        found = told(billing, ReminderDue)[before:]
        for event in found:
            link = verify(event.pay_url.partition("?")[2], read_jwks(billing.runtime.settings.auth_jwks_file))
            assert (link.amount_minor, link.invoice_number) == (event.owed_minor, event.invoice_number)
        return sorted((event.kind, event.invoice_number, event.owed_minor) for event in found)

    later, first = (studio.invoice(2000, due_on=f"2026-06-{day}").json["number"] for day in ("02", "01"))
    assert asked("06-01") == [("invoice", first, 2000)]
    studio.done("2026-06-01T14:00:00Z")
    assert asked("06-02") == [("balance", None, 3000), ("invoice", later, 2000)]
    studio.pay(3000)
    studio.pay(2500)  # neither names an invoice
    assert studio.state(first) == studio.state(later) == ("pending", 0)
    assert asked("06-08") == []
    assert asked("06-09") == [("invoice", later, 1500)]
    studio.pay(1500)
    assert asked("07-01") == []
    assert studio.balance()["balance_minor"] == 0


def test_what_was_charged_in_a_period_is_asked_for_in_the_next(billing: ServiceUnderTest, at: SetClock) -> None:
    at("2026-06-01T12:00:00")
    studio = studio_in(billing, "Europe/Berlin")
    studio.call("PUT", "/reminders", {"owed_every_days": 30, "owed_minimum_minor": 1000})
    invoice = studio.invoice(2000).json["number"]

    def asked(moment: str) -> list[int]:
        at(f"2026-{moment}:00")
        before = len(told(billing, ReminderDue))
        timers.remind(billing.runtime)
        return [event.owed_minor for event in told(billing, ReminderDue)[before:]]

    assert asked("06-30T21:59") == []
    at("2026-06-30T22:00:00")  # the second period begins
    studio.pay(2000, invoice_number=invoice)  # what was owed when it began was another debt
    studio.done("2026-06-30T10:00:00Z")
    assert [asked(moment) for moment in ("06-30T22:05", "07-30T21:59", "07-30T22:00")] == [[], [], [3000]]
    studio.pay(1500)
    at("2026-08-29T21:59:00")
    studio.done("2026-08-29T10:00:00Z")
    at("2026-08-29T22:01:00")
    studio.done("2026-08-29T12:00:00Z")
    assert asked("08-29T22:05") == [7500]
    studio.pay(7500)
    studio.done("2026-08-29T14:00:00Z")
    assert asked("08-29T22:15") == []


def test_what_was_paid_ahead_on_an_invoice_is_not_asked_for(billing: ServiceUnderTest, at: SetClock) -> None:
    at("2026-06-01T12:00:00")
    studio = studio_in(billing, "Europe/Berlin")
    scheduled = studio.add("2026-08-01T10:00:00Z").json["id"]
    number = studio.invoice(session_ids=[scheduled]).json["number"]
    studio.pay(3000, invoice_number=number)
    studio.call("PUT", "/reminders", {"owed_every_days": 30})
    for outcome_of, owed in (("2026-05-01T10:00:00Z", []), ("2026-05-02T10:00:00Z", [3000])):
        studio.done(outcome_of)
        timers.remind(billing.runtime)
        assert [event.owed_minor for event in told(billing, ReminderDue)] == owed


def test_the_number_of_queries_does_not_grow_with_the_clients(billing: ServiceUnderTest, at: SetClock) -> None:
    at("2026-06-01T12:00:00")
    studio = studio_in(billing, "Europe/Berlin")
    studio.call("PUT", "/reminders", {"invoice_offsets_days": [0], "owed_every_days": 1, "owed_minimum_minor": 1})
    queries: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("SELECT"):
            queries.append(statement)

    sqlalchemy_event.listen(billing.runtime.database.engine, "before_cursor_execute", note)
    counts = []
    for day, clients in (("03", 1), ("05", 12)):
        at(f"2026-06-{day}T12:00:00")
        for number in range(clients):
            client_id = studio.client(f"Client {number}")
            studio.call("POST", "/invoices", {
                "client_id": client_id, "due_on": "2026-06-03", "lines": [{"description": "x", "amount_minor": 500}],
            })  # fmt: skip
            studio.done("2026-06-01T10:00:00Z", client_id=client_id)
        at(f"2026-06-{int(day) + 1:02}T12:00:00")
        queries.clear()
        timers.remind(billing.runtime)
        counts.append(len(queries))
    assert len(told(billing, ReminderDue)) == 2 + 2 * 12 + 1
    assert counts[0] == counts[1] <= 14


def test_a_schedule_that_is_saved_again_reminds_nobody_again(billing: ServiceUnderTest, at: SetClock) -> None:
    at("2026-06-01T12:00:00")
    studio = studio_in(billing, "Europe/Berlin")
    studio.done("2026-05-30T10:00:00Z")
    wanted = {"invoice_offsets_days": [], "owed_every_days": 30, "owed_minimum_minor": 100}
    reminded = []
    for day, change in (("01", {}), ("03", {"deactivation_days_ahead": 3}), ("04", {"owed_every_days": 14})):
        at(f"2026-06-{day}T12:00:00")
        studio.call("PUT", "/reminders", {**wanted, **change})
        timers.remind(billing.runtime)
        reminded.append(len(told(billing, ReminderDue)))
    assert reminded == [1, 1, 2]


def test_who_is_inactive_is_not_reminded(billing: ServiceUnderTest, at: SetClock) -> None:
    at("2026-06-01T12:00:00")
    studio = studio_in(billing, "Europe/Berlin")
    studio.invoice(2000, due_on="2026-06-02")
    studio.call("PUT", "/reminders", {"invoice_offsets_days": [0], "owed_every_days": 7, "owed_minimum_minor": 1})
    studio.call("PATCH", f"/clients/{studio.client_id}", {"inactive_on": "2026-06-02"})
    at("2026-06-03T12:00:00")
    timers.remind(billing.runtime)
    assert told(billing, ReminderDue) == []


def test_staff_have_a_client_mailed_what_they_owe_now(billing: ServiceUnderTest, at: SetClock) -> None:
    at("2026-06-01T12:00:00")
    studio = studio_in(billing, "Europe/Berlin")
    where = f"/clients/{studio.client_id}/balance-email"
    studio.invoice(2000, due_on="2026-06-20")
    assert studio.call("POST", where).json["code"] == "no_address"
    studio.call("PATCH", f"/clients/{studio.client_id}", {"email": "ada@example.com"})
    first = studio.call("POST", where, key="once")
    assert (first.status_code, first.json["owed_minor"], first.json["email"]) == (202, 2000, "ada@example.com")
    assert studio.call("POST", where, key="once").json == first.json
    studio.pay(500)
    assert studio.call("POST", where, key="later").json["owed_minor"] == 1500
    asked = told(billing, BalanceEmailRequested)
    assert [(event.client_id, event.owed_minor) for event in asked] == [
        (studio.client_id, 2000), (studio.client_id, 1500),
    ]  # fmt: skip
    link = verify(asked[1].pay_url.partition("?")[2], read_jwks(billing.runtime.settings.auth_jwks_file))
    assert (link.client_id, link.amount_minor, link.invoice_number) == (studio.client_id, 1500, None)
    studio.pay(1500)
    assert studio.call("POST", where).json["code"] == "nothing_owed"
    token = billing.token("billing:write", actor={"type": "client", "id": studio.client_id, "name": "Ada"})
    assert studio.call("POST", where, token=token).status_code == 404


def test_who_is_inactive_is_not_mailed_a_link(billing: ServiceUnderTest, at: SetClock) -> None:
    at("2026-06-01T12:00:00")
    studio = studio_in(billing, "Europe/Berlin")
    studio.invoice(2000, due_on="2026-06-20")
    studio.call("PATCH", f"/clients/{studio.client_id}", {"email": "ada@example.com", "inactive_on": "2026-05-01"})
    refused = studio.call("POST", f"/clients/{studio.client_id}/balance-email")
    assert (refused.status_code, refused.json["code"]) == (409, "client_inactive")
    assert told(billing, BalanceEmailRequested) == []


def test_without_a_schedule_nobody_is_reminded(billing: ServiceUnderTest, at: SetClock) -> None:
    at("2026-06-01T12:00:00")
    studio = studio_in(billing, "Europe/Berlin")
    studio.invoice(2000, due_on="2026-05-01")
    timers.remind(billing.runtime)
    assert told(billing, ReminderDue) == []
    assert studio.call("GET", "/reminders").json["invoice_offsets_days"] == []
    bad = studio.call("PUT", "/reminders", {"invoice_offsets_days": [400], "owed_every_days": 0})
    assert {error["field"] for error in bad.json["errors"]} == {"invoice_offsets_days.0", "owed_every_days"}


def test_deactivation_is_stored_as_told_only(billing: ServiceUnderTest, at: SetClock) -> None:
    """What is read is computed; the flag is about what was told."""
    at("2026-06-10T05:00:00")
    studio = studio_in(billing, "Europe/Berlin")
    studio.call("PATCH", f"/clients/{studio.client_id}", {"inactive_on": "2026-06-12"})
    at("2026-06-12T05:00:00")
    with billing.runtime.database.read() as session:
        row = session.get_one(Client, (studio.path.rsplit("/", 1)[1], studio.client_id))
        assert (row.status, row.is_deactivated) == ("active", False)
    assert studio.call("GET", f"/clients/{studio.client_id}").json["status"] == "inactive"


def test_what_was_taken_back_makes_no_debt_younger(billing: ServiceUnderTest, at: SetClock) -> None:
    at("2026-01-02T12:00:00")
    studio = studio_in(billing, "Europe/Berlin")
    studio.invoice(10000)
    at("2026-06-01T12:00:00")
    studio.void_payment(studio.pay(10000), 10000)
    wrong = studio.invoice(700, 300).json["number"]
    studio.call("POST", f"/invoices/{wrong}/void", {"reason": "x"})
    held = studio.done("2026-05-30T10:00:00Z")
    studio.call("POST", f"/sessions/{held}/cancel")
    buckets = studio.call("GET", "/balances/ageing").json["buckets"]
    assert {row["days"]: row["owed_minor"] for row in buckets if row["owed_minor"]} == {"over-90": 10000}


def test_money_that_went_and_came_back_makes_no_debt_younger(billing: ServiceUnderTest, at: SetClock) -> None:
    at("2025-10-01T12:00:00")
    studio = studio_in(billing, "Europe/Berlin")
    studio.invoice(10000)
    at("2026-03-05T12:00:00")

    def aged() -> dict[str, int]:
        buckets = studio.call("GET", "/balances/ageing").json["buckets"]
        return {row["days"]: row["owed_minor"] for row in buckets if row["owed_minor"]}

    payment_id = studio.pay(5000)
    studio.withdraw(payment_id, 5000, "out-1")
    assert aged() == {"0-30": 5000, "over-90": 5000}
    studio.reinstate(payment_id, 5000, "in-1")
    assert aged() == {"over-90": 5000}
    studio.withdraw(payment_id, 3000, "out-2")
    studio.reinstate(payment_id, 1000, "in-2")
    assert aged() == {"0-30": 2000, "over-90": 5000}
    studio.reinstate(payment_id, 2000, "in-3")
    studio.refund(payment_id, 4000)
    assert aged() == {"0-30": 4000, "over-90": 5000}
    studio.reverse_refund(payment_id, 4000)
    assert aged() == {"over-90": 5000}
