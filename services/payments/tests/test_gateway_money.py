"""Money that gateways tell of: recorded once, given back, disputed, in any order."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from common.events import Event
from common.events.billing import ClientUpdated
from common.events.payments import (
    DisputeResolved,
    PaymentDisputed,
    PaymentFundsReinstated,
    PaymentFundsWithdrawn,
    PaymentRecorded,
    PaymentRefunded,
    PaymentRefundReversed,
    RefundAbandoned,
    RefundRequested,
)
from common.testing import ServiceUnderTest, data_of
from payments.models import Payment, Receipt
from services.payments.tests.gateway import B, Told, found, reasons

MONEY = (
    PaymentRecorded, PaymentRefunded, PaymentRefundReversed, PaymentFundsWithdrawn, PaymentFundsReinstated,
)  # fmt: skip


@pytest.fixture
def told() -> Told:
    return Told()


def ask_refund(payments: ServiceUnderTest, payment_id: str, amount_minor: int | None = None) -> Any:
    body = {"reason": "came late"} | ({"amount_minor": amount_minor} if amount_minor else {})
    return payments.call("POST", f"{B}/payments/{payment_id}/refunds", body)


def test_money_that_arrived_is_one_payment(payments: ServiceUnderTest, told: Told) -> None:
    event = told.succeeded(fee_minor=320, invoice_number="INV-000012", reference="R1")
    with payments.emits(PaymentRecorded) as emitted:
        payments.take(event, event)
        payments.take(told.succeeded())  # the same fact under another event id
    shown = found(payments, told)
    assert (shown["amount_minor"], shown["status"], shown["method"], shown["source"]) == (
        10000,
        "recorded",
        "card",
        "client",
    )
    assert (shown["fee_minor"], shown["receipt_number"], shown["received_on"]) == (320, 1, "2026-03-15")
    assert (shown["invoice_number"], shown["reference"], shown["client_name"]) == ("INV-000012", "R1", "Ada Byron")
    assert shown["recorded_by"] == {"type": "system", "id": "stripe", "name": "Stripe"}
    (recorded,) = emitted
    assert isinstance(recorded, PaymentRecorded)
    assert (recorded.gateway, recorded.causation_id, recorded.payment_id) == ("stripe", event.event_id, shown["id"])
    assert payments.call("GET", f"{B}/payments?method=card&source=client").json["items"] == [shown]
    receipt = payments.call("GET", f"{B}/payments/{shown['id']}/receipt.pdf")
    assert receipt.data.startswith(b"%PDF")


def test_an_inactive_clients_money_is_recorded_too(payments: ServiceUnderTest, told: Told) -> None:
    payments.take(ClientUpdated(business_id="b1", client_id="ada", name="Ada", status="inactive", sequence=2))
    with payments.emits(PaymentRecorded):
        payments.take(told.succeeded(recorded_by={"type": "staff", "id": "s2", "name": "Kim"}))
    assert found(payments, told)["recorded_by"]["name"] == "Kim"


def test_a_fee_may_come_first(payments: ServiceUnderTest, told: Told) -> None:
    with payments.emits():
        payments.take(told.fee(320))
    (waiting,) = payments.call("GET", f"{B}/payments/waiting").json["items"]
    assert (waiting["type"], waiting["reason"]) == ("GatewayFeeKnown", "its payment is not recorded yet")
    payments.take(told.succeeded())
    assert found(payments, told)["fee_minor"] == 320
    assert reasons(payments) == []
    payments.take(told.fee(350))
    assert found(payments, told)["fee_minor"] == 350


def test_a_fee_in_another_currency_is_not_the_payments(payments: ServiceUnderTest, told: Told) -> None:
    payments.take(told.fee(290, "EUR"), told.succeeded(), told.fee(280, "EUR"))
    assert found(payments, told)["fee_minor"] is None
    assert reasons(payments) == []
    payments.take(told.fee(320, "USD"))
    assert found(payments, told)["fee_minor"] == 320


def test_a_refund_is_held_then_done(payments: ServiceUnderTest, told: Told) -> None:
    payments.take(told.succeeded())
    payment_id = found(payments, told)["id"]
    with payments.emits(RefundRequested) as emitted:
        answer = ask_refund(payments, payment_id, 3000)
    assert (answer.status_code, answer.json["status"]) == (202, "pending")
    (requested,) = emitted
    assert isinstance(requested, RefundRequested)
    assert (requested.gateway_payment_id, requested.amount_minor) == ("pi_1", 3000)
    assert (found(payments, told)["refund_pending_minor"], found(payments, told)["status"]) == (3000, "recorded")
    assert ask_refund(payments, payment_id, 7001).json["code"] == "refund_exceeds_payment"
    with payments.emits(PaymentRefunded) as emitted:
        payments.take(told.refunded("re_1", 3000, requested.refund_id))
        payments.take(told.refunded("re_1", 3000, requested.refund_id), told.refunded("re_1", 3000))
    assert isinstance(emitted[0], PaymentRefunded)
    assert emitted[0].refund_id == requested.refund_id
    assert emitted[0].recorded_by is not None
    assert emitted[0].recorded_by.name == "Sam Staff"
    shown = found(payments, told)
    assert (shown["refunded_minor"], shown["refund_pending_minor"], shown["receipt_revision"]) == (3000, 0, 2)
    assert shown["status"] == "partially_refunded"
    (listed,) = payments.call("GET", f"{B}/payments/{payment_id}/refunds").json["items"]
    assert (listed["status"], listed["gateway_refund_id"], listed["refunded_on"]) == ("succeeded", "re_1", "2026-03-15")


def test_a_refund_that_fails_frees_what_was_held(payments: ServiceUnderTest, told: Told) -> None:
    payments.take(told.succeeded())
    refund_id = ask_refund(payments, found(payments, told)["id"]).json["refund_id"]
    with payments.emits(RefundAbandoned) as emitted:
        payments.take(told.refund_failed("re_1", 10000, refund_id))
        payments.take(told.refund_failed("re_1", 10000, refund_id), told.refunded("re_1", 10000, refund_id))
    assert data_of(emitted[0])["refund_id"] == refund_id
    shown = found(payments, told)
    assert (shown["refunded_minor"], shown["refund_pending_minor"], shown["receipt_revision"]) == (0, 0, 1)


def test_a_refund_that_comes_back_is_reversed(payments: ServiceUnderTest, told: Told) -> None:
    payments.take(told.succeeded(), told.refunded("re_1", 4000))
    with payments.emits(PaymentRefundReversed) as emitted:
        payments.take(told.refund_failed("re_1", 4000), told.refund_failed("re_1", 4000))
    assert isinstance(emitted[0], PaymentRefundReversed)
    assert (emitted[0].amount_minor, emitted[0].refunded_total_minor, emitted[0].receipt_revision) == (4000, 0, 3)
    shown = found(payments, told)
    assert (shown["status"], shown["refunded_minor"], shown["receipt_revision"]) == ("recorded", 0, 3)
    totals = payments.call("GET", f"{B}/revenue?from=2026-01-01&to=2026-12-31").json["totals"]
    assert (totals["gross_minor"], totals["refunded_minor"], totals["net_minor"]) == (10000, 0, 10000)


def test_a_refund_told_of_before_its_payment_waits_for_it(payments: ServiceUnderTest, told: Told) -> None:
    with payments.emits():
        payments.take(told.refunded("re_1", 4000), told.refunded("re_1", 4000))
    with payments.emits(PaymentRecorded, PaymentRefunded):
        payments.take(told.succeeded())
    assert found(payments, told)["refunded_minor"] == 4000


def test_what_does_not_fit_waits_with_its_reason_until_there_is_room(payments: ServiceUnderTest, told: Told) -> None:
    payments.take(told.succeeded())
    refund_id = ask_refund(payments, found(payments, told)["id"], 8000).json["refund_id"]
    with payments.emits():
        payments.take(told.refunded("re_site", 5000), told.withdrawn("txn_1", 2001))
    first, second = reasons(payments)
    assert "withdraws 2001; only 2000" in first
    assert "refund re_site of 5000 is more than the 2000" in second
    with payments.emits(RefundAbandoned, PaymentFundsWithdrawn, PaymentRefunded):
        payments.take(told.refund_failed("re_ours", 8000, refund_id))
    shown = found(payments, told)
    assert (shown["refunded_minor"], shown["disputed_minor"], shown["refund_pending_minor"]) == (5000, 2001, 0)
    assert reasons(payments) == []
    with payments.emits():
        payments.take(told.refunded("re_eur", 100, currency="EUR"))
    assert reasons(payments) == ["it is told in EUR; the payment is kept in USD"]


def test_a_refund_told_of_without_our_id_first_is_one_refund(payments: ServiceUnderTest, told: Told) -> None:
    payments.take(told.succeeded())
    refund_id = ask_refund(payments, found(payments, told)["id"], 3000).json["refund_id"]
    with payments.emits(PaymentRefunded, RefundAbandoned):
        payments.take(told.refunded("re_1", 3000))
        payments.take(told.refunded("re_1", 3000, refund_id))
    shown = found(payments, told)
    assert (shown["refunded_minor"], shown["refund_pending_minor"]) == (3000, 0)


def test_all_of_it_told_of_without_our_id_first_is_one_refund(payments: ServiceUnderTest, told: Told) -> None:
    payments.take(told.succeeded())
    refund_id = ask_refund(payments, found(payments, told)["id"]).json["refund_id"]
    with payments.emits(PaymentRefunded):
        payments.take(told.refunded("re_1", 10000))  # no room: all of it is held for ours
        payments.take(told.refunded("re_1", 10000, refund_id))
    shown = found(payments, told)
    assert (shown["refunded_minor"], shown["refund_pending_minor"], shown["status"]) == (10000, 0, "refunded")
    assert reasons(payments) == []


@pytest.mark.parametrize(
    ("steps", "status", "disputed_minor"),
    [
        (["disputed"], "disputed", 0),
        (["withdrawn"], "disputed", 5000),
        (["disputed", "withdrawn"], "disputed", 5000),
        (["disputed", "withdrawn", "lost"], "charged_back", 5000),
        (["disputed", "withdrawn", "won"], "disputed", 5000),
        (["disputed", "withdrawn", "won", "reinstated"], "recorded", 0),
        (["disputed", "withdrawn", "reinstated"], "disputed", 0),
        (["disputed", "won"], "recorded", 0),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else str(value),
)
def test_the_state_of_a_dispute_and_its_money_are_two_facts(
    payments: ServiceUnderTest, told: Told, steps: list[str], status: str, disputed_minor: int
) -> None:
    make: dict[str, Event] = {
        "disputed": told.disputed(), "withdrawn": told.withdrawn(), "reinstated": told.reinstated(),
        "won": told.closed("won"), "lost": told.closed("lost"),
    }  # fmt: skip
    kinds = {
        "disputed": PaymentDisputed, "withdrawn": PaymentFundsWithdrawn, "reinstated": PaymentFundsReinstated,
        "won": DisputeResolved, "lost": DisputeResolved,
    }  # fmt: skip
    payments.take(told.succeeded())
    with payments.emits(*[kinds[step] for step in steps]):
        for step in steps:
            payments.take(make[step])
    shown = found(payments, told)
    assert (shown["status"], shown["disputed_minor"]) == (status, disputed_minor)
    listed = payments.call("GET", f"{B}/payments?status={status}").json["items"]
    assert [payment["id"] for payment in listed] == [shown["id"]]
    others = {"recorded", "voided", "partially_refunded", "refunded", "disputed", "charged_back"} - {status}
    for other in others:
        assert payments.call("GET", f"{B}/payments?status={other}").json["items"] == []


def test_disputes_are_shown_with_their_money(payments: ServiceUnderTest, told: Told) -> None:
    payments.take(told.succeeded(), told.disputed(), told.withdrawn(), told.closed("won"), told.reinstated())
    path = f"{B}/payments/{found(payments, told)['id']}/disputes"
    (dispute,) = payments.call("GET", path).json["items"]
    assert (dispute["state"], dispute["reason"], dispute["amount_minor"]) == ("won", "fraudulent", 5000)
    assert [(moved["direction"], moved["moved_on"]) for moved in dispute["movements"]] == [
        ("withdrawn", "2026-03-15"), ("reinstated", "2026-03-15"),
    ]  # fmt: skip
    client = payments.token("payments:read", "b1", {"type": "client", "id": "ada", "name": "Ada"})
    assert payments.call("GET", path, token=client).status_code == 404


def test_the_receipt_shows_what_was_taken_back(payments: ServiceUnderTest, told: Told) -> None:
    payments.take(told.succeeded(), told.withdrawn(), told.refunded("re_1", 1000))
    payment_id = found(payments, told)["id"]
    revisions = [payments.call("GET", f"{B}/payments/{payment_id}/receipt?revision={n}").json for n in (1, 2, 3)]
    assert [receipt["net_minor"] for receipt in revisions][::2] == [10000, 4000]
    assert (revisions[2]["status"], revisions[2]["withdrawn_text"]) == ("disputed", "$50.00")
    assert payments.call("GET", f"{B}/payments/{payment_id}/receipt.pdf").data.startswith(b"%PDF")
    totals = payments.call("GET", f"{B}/revenue?from=2026-01-01&to=2026-12-31&by=method").json["totals"]
    assert (totals["withdrawn_minor"], totals["refunded_minor"], totals["net_minor"]) == (5000, 1000, 4000)
    (figures,) = payments.call("GET", f"{B}/payments/figures").json["items"]
    assert (figures["amount_minor"], figures["refunded_minor"], figures["withdrawn_minor"]) == (10000, 1000, 5000)


def everything(told: Told) -> list[Event]:
    return [
        told.succeeded(fee_minor=None), told.fee(320), told.refunded("re_1", 2000), told.refunded("re_2", 3000),
        told.disputed(), told.withdrawn(), told.closed("won"), told.reinstated(),
    ]  # fmt: skip


def state_of(payments: ServiceUnderTest, told: Told) -> dict[str, Any]:
    """What must not depend on the order: the payment, its last receipt, how many revisions, and what was told."""
    with payments.runtime.database.read() as session:
        payment = session.scalars(select(Payment).where(Payment.gateway_payment_id == told.id)).one()
        receipts = session.scalars(
            select(Receipt).where(Receipt.payment_id == payment.payment_id).order_by(Receipt.revision)
        ).all()
    unlike = ("payment_id", "recorded_at", "gateway_payment_id")
    row = {column.name: getattr(payment, column.name) for column in Payment.__table__.columns}
    shown = {name: value for name, value in row.items() if name not in unlike}
    last = receipts[-1]
    told_of = sorted(
        (type(event).__name__, event.amount_minor, getattr(event, "movement_id", ""))
        for event in payments.emitted()
        if isinstance(event, MONEY) and event.payment_id == payment.payment_id
    )
    return {
        "payment": shown,
        "receipt": (last.revision, last.refunded_minor, last.withdrawn_minor, last.is_void),
        "numbers": len({receipt.number for receipt in receipts}),
        "money": told_of,
    }


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_with_any_repetition_ends_the_same(payments: ServiceUnderTest, data: st.DataObject) -> None:
    count = len(payments.emitted())
    plain, shuffled = Told(f"pi_plain_{count}"), Told(f"pi_any_{count}")
    for event in everything(plain):
        payments.take(event)
    events = everything(shuffled)
    again = data.draw(st.lists(st.sampled_from(range(len(events))), max_size=6))
    # A repetition is the same event, or the same fact under another id.
    repeated = [events[n] if n % 2 else everything(shuffled)[n] for n in again]
    order = data.draw(st.permutations(events + repeated))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=4)))
    for first, last in zip([0, *cuts], [*cuts, len(order)], strict=True):
        payments.take(*order[first:last])
    assert state_of(payments, shuffled) == state_of(payments, plain)
    assert reasons(payments) == []
