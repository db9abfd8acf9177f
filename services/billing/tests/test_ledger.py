"""The ledger: posted once, summing to zero, unchangeable, with crossings announced once."""

from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from billing.domain import ledger
from billing.domain.ledger import client_account, crossing, postings_of, watched_threshold
from billing.models import ClientAccount, Transfer
from common.events import Event
from common.events.billing import BalanceBelowThreshold, BalanceChanged, BalanceRestored
from common.events.payments import PaymentRecorded, PaymentRefunded, PaymentVoided
from common.inbox import Delivery, InboxRow
from common.testing import ServiceUnderTest

FACTS: dict[str, Any] = {"currency": "USD", "method": "cash", "receipt_number": 1, "receipt_revision": 1}


def recorded(business_id: str, client_id: str, payment_id: str, amount_minor: int, **more: Any) -> PaymentRecorded:
    return PaymentRecorded(
        business_id=business_id, client_id=client_id, payment_id=payment_id, amount_minor=amount_minor,
        source="manual", received_on=date(2026, 3, 1), **{**FACTS, **more},
    )  # fmt: skip


def refunded(business_id: str, client_id: str, payment_id: str, refund_id: str, amount_minor: int) -> PaymentRefunded:
    return PaymentRefunded(
        business_id=business_id, client_id=client_id, payment_id=payment_id, refund_id=refund_id,
        amount_minor=amount_minor, refunded_on=date(2026, 3, 2), refunded_total_minor=amount_minor, reason="x", **FACTS,
    )  # fmt: skip


def voided(business_id: str, client_id: str, payment_id: str, amount_minor: int) -> PaymentVoided:
    return PaymentVoided(
        business_id=business_id, client_id=client_id, payment_id=payment_id, amount_minor=amount_minor,
        voided_on=date(2026, 3, 2), reason="x", **FACTS,
    )  # fmt: skip


@pytest.fixture
def client_id(billing: ServiceUnderTest, path: str) -> str:
    return str(billing.call("POST", f"{path}/clients", {"name": "Ada", "email": "ada@example.com"}).json["id"])


def balance(billing: ServiceUnderTest, path: str, client_id: str) -> int:
    return int(billing.call("GET", f"{path}/clients/{client_id}/balance").json["balance_minor"])


def check_books(billing: ServiceUnderTest) -> None:
    """Every stored total is the sum of its transfers, and each client's sequences have no gap."""
    with billing.runtime.database.read() as session:
        for account in session.scalars(select(ClientAccount)):
            rows = session.scalars(
                select(Transfer).where(Transfer.client_id == account.client_id).order_by(Transfer.sequence)
            ).all()
            own = client_account(account.client_id)
            total = 0
            for sequence, row in enumerate(rows, start=1):
                total += row.amount_minor if row.credit_account == own else -row.amount_minor
                assert (row.sequence, row.balance_after_minor) == (sequence, total)
            assert (account.balance_minor, account.sequence) == (total, len(rows))


@pytest.mark.parametrize(
    ("event", "debit", "credit", "source", "effective_on"),
    [
        (recorded("b", "c", "p", 500), "clearing:cash", "client:c", "payment:p", date(2026, 3, 1)),
        (voided("b", "c", "p", 500), "client:c", "clearing:cash", "payment-void:p", date(2026, 3, 2)),
        (refunded("b", "c", "p", "r", 500), "client:c", "clearing:cash", "refund:r", date(2026, 3, 2)),
    ],
    ids=["recorded", "voided", "refunded"],
)
def test_what_an_event_means(event: Any, debit: str, credit: str, source: str, effective_on: date) -> None:
    (posting,) = postings_of(event)
    assert (posting.debit_account, posting.credit_account) == (debit, credit)
    assert (posting.source, posting.effective_on, posting.amount_minor) == (source, effective_on, 500)
    assert posting.change_minor == (500 if credit == "client:c" else -500)


@given(
    before=st.integers(-10_000, 10_000),
    changes=st.lists(st.integers(-5_000, 5_000).filter(bool), max_size=30),
    threshold=st.integers(-3_000, 3_000),
)
def test_crossings_alternate_and_match_the_sides(before: int, changes: list[int], threshold: int) -> None:
    balance_minor, told = before, []
    for change in changes:
        fell = crossing(balance_minor, balance_minor + change, threshold)
        balance_minor += change
        if fell is not None:
            told.append(fell)
            assert fell == (balance_minor < threshold)
    assert all(one != other for one, other in zip(told, told[1:], strict=False))
    if told:
        assert told[0] == (before >= threshold)
        assert told[-1] == (balance_minor < threshold)
    assert crossing(before, balance_minor, None) is None


def test_whose_threshold_is_watched() -> None:
    assert watched_threshold(500, 3000, prepayment_required=True) == 500
    assert watched_threshold(None, 3000, prepayment_required=False) == 3000
    assert watched_threshold(None, 0, prepayment_required=True) == 0
    assert watched_threshold(None, 0, prepayment_required=False) is None


def test_payments_voids_and_refunds_move_the_balance(
    billing: ServiceUnderTest, business: dict[str, Any], path: str, client_id: str
) -> None:
    with billing.emits(*[BalanceChanged] * 4):
        billing.take(recorded(business["id"], client_id, "p1", 5000), recorded(business["id"], client_id, "p2", 700))
        billing.take(
            refunded(business["id"], client_id, "p1", "r1", 1500), voided(business["id"], client_id, "p2", 700)
        )
    assert balance(billing, path, client_id) == 3500
    check_books(billing)
    entries = billing.call("GET", f"{path}/clients/{client_id}/ledger").json["items"]
    assert [(entry["kind"], entry["change_minor"], entry["balance_after_minor"]) for entry in entries] == [
        ("payment", 5000, 5000), ("payment", 700, 5700), ("refund", -1500, 4200), ("payment_void", -700, 3500),
    ]  # fmt: skip
    assert entries[0]["source"]["href"].endswith(f"{path}/payments/p1")
    only = billing.call("GET", f"{path}/clients/{client_id}/ledger?from=2026-03-02&limit=1").json
    assert [entry["kind"] for entry in only["items"]] == ["refund"]
    rest = billing.call("GET", f"{path}/clients/{client_id}/ledger?from=2026-03-02&cursor={only['next_cursor']}").json
    assert [entry["kind"] for entry in rest["items"]] == ["payment_void"]


def test_the_ledger_newest_first_and_as_csv(
    billing: ServiceUnderTest, business: dict[str, Any], path: str, client_id: str
) -> None:
    for number, amount_minor in enumerate((5000, 700, 300), start=1):
        billing.take(recorded(business["id"], client_id, f"p{number}", amount_minor))
    ledger_path = f"{path}/clients/{client_id}/ledger"
    first = billing.call("GET", f"{ledger_path}?sort=-sequence&limit=2").json
    second = billing.call("GET", f"{ledger_path}?sort=-sequence&limit=2&cursor={first['next_cursor']}").json
    shown = [(entry["payment_id"], entry["balance_after_minor"]) for entry in first["items"] + second["items"]]
    assert shown == [("p3", 6000), ("p2", 5700), ("p1", 5000)]
    assert second["next_cursor"] is None
    rows = billing.call("GET", f"{ledger_path}?sort=-sequence", headers={"Accept": "text/csv"}).text.splitlines()
    assert rows[0] == "day,entry,memo,change,balance_after,currency,recorded_at,recorded_by,source"
    assert [row.split(",")[3:6] for row in rows[1:]] == [
        ["3.00", "60.00", "USD"], ["7.00", "57.00", "USD"], ["50.00", "50.00", "USD"],
    ]  # fmt: skip


def test_the_same_fact_is_posted_once(
    billing: ServiceUnderTest, business: dict[str, Any], path: str, client_id: str
) -> None:
    event = recorded(business["id"], client_id, "p1", 5000)
    same_fact = recorded(business["id"], client_id, "p1", 5000)
    with billing.emits(BalanceChanged):
        billing.take(event, event)
        billing.take(event, same_fact)
    assert balance(billing, path, client_id) == 5000


def test_a_refund_may_come_before_its_payment(
    billing: ServiceUnderTest, business: dict[str, Any], path: str, client_id: str
) -> None:
    billing.take(refunded(business["id"], client_id, "p1", "r1", 1500))
    assert balance(billing, path, client_id) == -1500
    billing.take(recorded(business["id"], client_id, "p1", 5000))
    assert balance(billing, path, client_id) == 3500
    check_books(billing)


def test_money_for_a_business_or_client_that_is_not_there_is_dead_and_harms_no_other(
    billing: ServiceUnderTest, business: dict[str, Any], path: str, client_id: str
) -> None:
    stray = [recorded("elsewhere", client_id, "p1", 100), recorded(business["id"], "nobody", "p2", 100)]
    good = recorded(business["id"], client_id, "p3", 300)
    billing.runtime.consumer.consume([Delivery(event.to_wire("payments")) for event in (stray[0], good, stray[1])])
    with billing.runtime.database.read() as session:
        states = {row.event_id: row.state for row in session.scalars(select(InboxRow))}
    assert states == {stray[0].event_id: "dead", good.event_id: "done", stray[1].event_id: "dead"}
    assert balance(billing, path, client_id) == 300


def test_the_database_refuses_to_change_the_ledger(
    billing: ServiceUnderTest, business: dict[str, Any], client_id: str
) -> None:
    billing.take(recorded(business["id"], client_id, "p1", 5000))
    for statement in ("UPDATE transfers SET amount_minor = 1", "DELETE FROM transfers"):
        with pytest.raises(DBAPIError, match="append-only"), billing.runtime.database.write() as session:
            session.execute(text(statement))
    with billing.runtime.database.read() as session:
        assert session.execute(select(func.sum(Transfer.amount_minor))).scalar_one() == 5000


def test_crossings_are_announced_once_each_way(
    billing: ServiceUnderTest, business: dict[str, Any], path: str, client_id: str
) -> None:
    billing.call("PATCH", f"{path}/clients/{client_id}", {"threshold_minor": 1000})

    def adjust(kind: str, amount_minor: int) -> list[Event]:
        body = {"kind": kind, "amount_minor": amount_minor, "reason": "test"}
        before = len(billing.emitted())
        assert billing.call("POST", f"{path}/clients/{client_id}/adjustments", body).status_code == 201
        return [event for event in billing.emitted()[before:] if not isinstance(event, BalanceChanged)]

    assert adjust("credit", 500) == []  # below from the start: it has not fallen
    (restored,) = adjust("credit", 500)
    assert isinstance(restored, BalanceRestored)
    assert adjust("credit", 100) == []
    assert adjust("debit", 100) == []  # at the threshold is not below
    (fell,) = adjust("debit", 1)
    assert isinstance(fell, BalanceBelowThreshold)
    assert (fell.balance_minor, fell.threshold_minor) == (999, 1000)
    assert adjust("debit", 500) == []
    assert len(adjust("credit", 900)) == 1


def test_changing_a_threshold_announces_nothing(
    billing: ServiceUnderTest, business: dict[str, Any], path: str, client_id: str
) -> None:
    billing.take(recorded(business["id"], client_id, "p1", 2000))
    before = len(billing.emitted())
    control = {"session_control": {"threshold_minor": 3000, "prepayment_required": True}}
    assert billing.call("PATCH", path, control).json["session_control"]["threshold_minor"] == 3000
    billing.take(recorded(business["id"], client_id, "p2", 500))  # a rise below the threshold is no fall
    kinds = [type(event).__name__ for event in billing.emitted()[before:]]
    assert kinds == ["BusinessUpdated", "BalanceChanged"]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_of_any_events_ends_at_the_same_balance(
    billing: ServiceUnderTest, business: dict[str, Any], path: str, data: st.DataObject
) -> None:
    client_id = billing.call("POST", f"{path}/clients", {"name": "Any"}).json["id"]
    amounts = data.draw(st.lists(st.integers(1, 10_000), min_size=1, max_size=6))
    events: list[Any] = []
    expected = 0
    for amount_minor in amounts:
        payment_id = f"{client_id}-{len(events)}"
        events.append(recorded(business["id"], client_id, payment_id, amount_minor))
        fate = data.draw(st.sampled_from(["kept", "voided", "refunded"]))
        expected += amount_minor
        if fate == "voided":
            events.append(voided(business["id"], client_id, payment_id, amount_minor))
            expected -= amount_minor
        elif fate == "refunded":
            part = data.draw(st.integers(1, amount_minor))
            events.append(refunded(business["id"], client_id, payment_id, f"r-{payment_id}", part))
            expected -= part
    shuffled = data.draw(st.permutations(events + events[:2]))
    cut = data.draw(st.integers(0, len(shuffled)))
    billing.take(*shuffled[:cut])
    billing.take(*shuffled[cut:])
    assert balance(billing, path, client_id) == expected
    check_books(billing)


def test_an_adjustment_says_who_and_why(billing: ServiceUnderTest, path: str, client_id: str) -> None:
    body = {"kind": "debit", "amount_minor": 250, "reason": "lost key"}
    answer = billing.call("POST", f"{path}/clients/{client_id}/adjustments", body)
    assert (answer.status_code, answer.json["balance_minor"]) == (201, -250)
    (entry,) = billing.call("GET", f"{path}/clients/{client_id}/ledger").json["items"]
    assert (entry["memo"], entry["recorded_by"]["name"], entry["kind"]) == ("lost key", "Sam Staff", "adjustment_debit")
    shown = billing.call("GET", f"{path}/clients/{client_id}/balance").json
    assert (shown["balance_minor"], shown["available_minor"], shown["in_words"]) == (-250, -250, "owes $2.50")
    assert billing.call("POST", f"{path}/clients/nobody/adjustments", body).status_code == 404
    assert ledger.client_account("x") == "client:x"
