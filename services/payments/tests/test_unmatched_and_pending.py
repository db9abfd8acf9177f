"""Money that nobody is known to have paid, and money that is only announced."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from common import clock
from common.events.billing import ClientRegistered
from common.events.payments import PaymentRecorded, PaymentRefunded, PaymentUnmatched
from common.inbox import Delivery, InboxRow, replay
from common.testing import ServiceUnderTest
from services.payments.tests.gateway import AT, B, Told, found, reasons
from services.payments.tests.invoices import Asked, assign, tray

CLIENT = {"type": "client", "id": "ada", "name": "Ada"}
LONG_AGO = timedelta(minutes=10)


@pytest.fixture
def told() -> Told:
    return Told()


def pending(payments: ServiceUnderTest, query: str = "") -> list[dict[str, Any]]:
    return list(payments.call("GET", f"{B}/payments/pending?{query}").json["items"])


def test_money_of_nobody_waits_in_the_tray_and_is_assigned_once(payments: ServiceUnderTest, told: Told) -> None:
    with payments.emits(PaymentUnmatched):
        payments.take(told.succeeded(client_id=None, reference="C-1"), told.refunded("re_1", 1000))
        payments.take(told.succeeded(client_id=None))
    (waiting,) = tray(payments)
    assert (waiting["amount_minor"], waiting["reason"]) == (10000, "the gateway does not say whose it is")
    assert waiting["suggested"] == [{"client_id": "ada", "name": "Ada Byron", "external_ref": "C-1"}]
    assert waiting["assigned_to"] is None
    payments.take(Asked(7).issued())
    with payments.emits(PaymentRecorded, PaymentRefunded):
        answer = assign(payments, waiting["id"], invoice_number="INV-000007")
    assert (answer.status_code, answer.json["client_id"], answer.json["invoice_number"]) == (201, "ada", "INV-000007")
    assert (answer.json["refunded_minor"], answer.json["received_on"]) == (1000, "2026-03-15")
    assert answer.json["recorded_by"]["name"] == "Sam Staff"
    with payments.emits():
        again = assign(payments, waiting["id"])
        payments.take(told.succeeded())
    assert (again.status_code, again.json["code"], again.json["payment_id"]) == (
        409,
        "already_assigned",
        answer.json["id"],
    )
    assert tray(payments) == []
    (assigned,) = tray(payments, "state=assigned")
    assert (assigned["payment_id"], assigned["assigned_by"]) == (answer.json["id"], "Sam Staff")
    assert assigned["assigned_to"] == {"client_id": "ada", "client_name": "Ada Byron"}
    assert payments.call("GET", f"{B}/unmatched/{waiting['id']}").json == assigned
    assert payments.call("GET", f"{B}/unmatched/nothing").status_code == 404
    assert assign(payments, "nothing").status_code == 404


def test_another_currency_needs_to_be_told_what_it_came_to(payments: ServiceUnderTest, told: Told) -> None:
    with payments.emits(PaymentUnmatched):
        payments.take(told.succeeded(currency="EUR", fee_minor=300))
    (waiting,) = tray(payments)
    assert waiting["reason"] == "the books are kept in USD, and this is EUR"
    assert [client["client_id"] for client in waiting["suggested"]] == ["ada"]
    with payments.emits():
        refused = assign(payments, waiting["id"])
    assert (refused.status_code, refused.json["code"]) == (422, "amount_needed")
    taken = assign(payments, waiting["id"], amount_minor=10800)
    assert (taken.json["amount_minor"], taken.json["currency"], taken.json["fee_minor"]) == (10800, "USD", None)
    assert taken.json["memo"] == "Arrived as 10000 minor units of EUR"


def test_an_amount_is_not_changed_by_assigning(payments: ServiceUnderTest, told: Told) -> None:
    payments.take(told.succeeded(client_id=None))
    refused = assign(payments, tray(payments)[0]["id"], amount_minor=9000)
    assert (refused.status_code, refused.json["code"]) == (422, "amount_mismatch")


def test_a_client_not_heard_of_yet_is_waited_for(payments: ServiceUnderTest, told: Told) -> None:
    early = told.succeeded(client_id="late")
    with payments.emits():
        payments.runtime.consumer.consume([Delivery(early.to_wire("gateway-stripe"))])
    with payments.runtime.database.read() as session:
        row = session.scalars(select(InboxRow).where(InboxRow.event_id == early.event_id)).one()
    assert (row.state, row.reason) == ("parked", "Retry: client late is not known here yet")
    payments.take(ClientRegistered(business_id="b1", client_id="late", name="Late"))
    with payments.runtime.database.write() as session:
        replay(session, early.event_id)
    with payments.emits(PaymentRecorded):
        payments.runtime.consumer.retry_due()
    assert found(payments, told)["client_id"] == "late"


@pytest.mark.parametrize("age", [LONG_AGO, -LONG_AGO], ids=["old", "from a clock that is ahead"])
def test_a_client_who_stays_unknown_is_not_waited_for_long(
    payments: ServiceUnderTest, told: Told, age: timedelta
) -> None:
    with payments.emits(PaymentUnmatched):
        payments.take(told.succeeded(client_id="nobody", occurred_at=clock.now() - age))
    (waiting,) = tray(payments)
    assert (waiting["reason"], waiting["client_id"]) == ("the client that it names is not known", "nobody")


def test_the_tray_is_the_staffs_and_paged(payments: ServiceUnderTest) -> None:
    for n in range(3):
        payments.take(Told(f"pi_{n}").succeeded(client_id=None))
    first = payments.call("GET", f"{B}/unmatched?limit=2").json
    rest = payments.call("GET", f"{B}/unmatched?limit=2&cursor={first['next_cursor']}").json
    ids = [item["gateway_payment_id"] for item in first["items"] + rest["items"]]
    assert (ids, rest["next_cursor"]) == (["pi_2", "pi_1", "pi_0"], None)
    token = payments.token("payments:read payments:write", "b1", CLIENT)
    unmatched_id = first["items"][0]["id"]
    for method, path in (
        ("GET", "/unmatched"),
        ("GET", f"/unmatched/{unmatched_id}"),
        ("GET", "/payments/waiting"),
        ("POST", f"/unmatched/{unmatched_id}/assign"),
    ):
        body = {"client_id": "ada"} if method == "POST" else None
        assert payments.call(method, B + path, body, token=token).status_code == 404


def test_announced_money_is_shown_until_it_arrives(payments: ServiceUnderTest, told: Told) -> None:
    with payments.emits():
        payments.take(told.pending())
    (shown,) = pending(payments, "client_id=ada")
    assert (shown["amount_minor"], shown["reason"], shown["method"]) == (10000, "processing", "card")
    assert pending(payments, "client_id=sam1") == []
    token = payments.token("payments:read", "b1", CLIENT)
    assert len(payments.call("GET", f"{B}/payments/pending", token=token).json["items"]) == 1
    assert payments.call("GET", f"{B}/payments/pending?client_id=sam1", token=token).status_code == 404
    payments.take(told.succeeded())
    assert pending(payments) == []
    payments.take(told.pending(happened_at=AT + LONG_AGO))  # late
    assert pending(payments) == []


def test_announced_money_that_fails_is_not_shown(payments: ServiceUnderTest, told: Told) -> None:
    payments.take(told.pending(), told.failed())
    assert pending(payments) == []
    other = Told("pi_2")
    payments.take(other.failed())
    payments.take(other.pending())
    assert pending(payments) == []
    with payments.emits():
        payments.take(other.pending(happened_at=clock.now() + LONG_AGO))  # another attempt at it
    assert [row["gateway_payment_id"] for row in pending(payments)] == ["pi_2"]
    payments.take(other.failed())  # the first attempt's, heard late
    assert len(pending(payments)) == 1


def test_money_in_the_tray_is_not_announced_any_more(payments: ServiceUnderTest, told: Told) -> None:
    payments.take(told.pending(client_id=None), told.succeeded(client_id=None), told.pending(client_id=None))
    assert (pending(payments), reasons(payments)) == ([], [])
