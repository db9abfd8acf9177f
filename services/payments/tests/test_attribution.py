"""Money that comes without a client: whose it is by its invoice or its payer, at once or when the invoice is heard of,
in any order, once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from common import clock
from common.events import Event
from common.events.billing import ClientRegistered
from common.events.payments import PaymentRecorded, PaymentRefunded, PaymentUnmatched
from common.runtime import Runtime
from common.testing import ServiceUnderTest
from payments.models import Invoice, Payment
from payments.timers import attribute_late
from services.payments.tests.gateway import AT, B, Told, found
from services.payments.tests.invoices import Asked, assign, tray

TERMINAL = {"client_id": None, "source": "virtual_terminal", "method": "paypal"}
LONG_AGO = timedelta(minutes=10)


@pytest.fixture
def told() -> Told:
    return Told()


def copies(payments: ServiceUnderTest) -> list[tuple[Any, ...]]:
    with payments.runtime.database.read() as session:
        rows = session.scalars(select(Invoice).order_by(Invoice.number))
        return [(row.number, row.client_id, row.state, row.total_minor, row.paid_minor, row.currency) for row in rows]


def test_the_newest_word_about_an_invoice_is_kept_in_any_order(payments: ServiceUnderTest) -> None:
    asked = Asked()
    for event, state, paid_minor in (
        (asked.paid(), "paid", 10000), (asked.issued(), "paid", 10000), (asked.reopened(), "pending", 4000),
        (asked.voided(), "void", 0), (asked.reopened(), "void", 0), (asked.paid(sequence=2), "void", 0),
    ):  # fmt: skip
        payments.take(event)
        assert copies(payments) == [("INV-000012", "ada", state, 10000, paid_minor, "USD")]
    payments.take(Asked(13).issued(), Asked(13).paid(), Asked(13).issued())
    assert copies(payments)[1][2] == "paid"


@pytest.mark.parametrize("typed", ["INV-000012", "inv 12", "#INV-000012", " INV-000012 ", "12", "Invoice no. 12"])
def test_money_is_its_invoices_clients(payments: ServiceUnderTest, told: Told, typed: str) -> None:
    payments.take(Asked().issued())
    event = told.succeeded(**TERMINAL, invoice_number=typed, fee_minor=320)
    with payments.emits(PaymentRecorded) as emitted:
        payments.take(event, event)
        payments.take(told.succeeded(**TERMINAL, invoice_number=typed))
    shown = found(payments, told)
    assert (shown["client_id"], shown["invoice_number"], shown["memo"]) == ("ada", "INV-000012", None)
    assert (shown["source"], shown["method"], shown["recorded_by"]["type"]) == ("virtual_terminal", "paypal", "system")
    assert isinstance(emitted[0], PaymentRecorded)
    assert (emitted[0].invoice_number, emitted[0].client_id) == ("INV-000012", "ada")


def test_a_paid_invoice_names_its_client_and_a_void_one_nobody(payments: ServiceUnderTest) -> None:
    payments.take(Asked(12).paid(), Asked(13).voided())
    with payments.emits(PaymentRecorded, PaymentUnmatched):
        payments.take(Told("pi_12").succeeded(**TERMINAL, invoice_number="12"))
        payments.take(Told("pi_13").succeeded(**TERMINAL, invoice_number="13"))
    (waiting,) = tray(payments)
    assert (waiting["gateway_payment_id"], waiting["reason"]) == ("pi_13", "the invoice that it names is void")
    payments.take(Asked(13).issued())  # late, and older
    assert len(tray(payments)) == 1


def test_several_that_fit_are_none_and_the_exact_one_goes_first(payments: ServiceUnderTest) -> None:
    plain = Asked(112, "sam1", invoice_number="12")
    payments.take(Asked().issued(), plain.issued())
    payments.take(Told("pi_1").succeeded(**TERMINAL, invoice_number="inv 12"))
    payments.take(Told("pi_2").succeeded(**TERMINAL, invoice_number="12"))
    (waiting,) = tray(payments)
    assert (waiting["invoice_number"], waiting["reason"]) == ("inv 12", "more than one invoice fits what it names")
    assert {one["client_id"] for one in waiting["suggestions"]} == {"ada", "sam1"}
    assert found(payments, Told("pi_2"))["client_id"] == "sam1"


def test_another_businesss_invoice_and_another_currency_do_not_fit(payments: ServiceUnderTest) -> None:
    payments.take(Asked(12, "eve", business_id="b2").issued(), Asked(500).issued())
    payments.take(Told("pi_1").succeeded(**TERMINAL, invoice_number="12"))
    payments.take(Told("pi_2").succeeded(**TERMINAL, invoice_number="500", currency="EUR"))
    payments.take(Asked(500).reopened())
    euros, other = tray(payments)
    assert euros["reason"] == "the books are kept in USD, and this is EUR"
    assert [one["invoice_number"] for one in euros["suggestions"]] == ["INV-000500"]
    assert other["suggestions"] == []


def test_a_clients_own_number_is_put_right_and_anothers_is_billings_to_flag(payments: ServiceUnderTest) -> None:
    payments.take(Asked(12).issued(), Asked(13, "sam1").issued())
    for n, (typed, kept) in enumerate([("inv 12", "INV-000012"), ("inv 13", "inv 13"), ("x", "x"), (None, None)]):
        told = Told(f"pi_{n}")
        payments.take(told.succeeded(invoice_number=typed))
        shown = found(payments, told)
        assert (shown["client_id"], shown["invoice_number"]) == ("ada", kept)
    assert tray(payments) == []


def test_text_that_is_typed_never_stops_money(payments: ServiceUnderTest, told: Told) -> None:
    payments.take(told.succeeded(**TERMINAL, invoice_number="4242 4242 4242 4242"))
    payments.take(Told("pi_2").succeeded(**TERMINAL, invoice_number="a\0" + "b" * 200, payer_id="p" * 200))
    second, first = tray(payments)
    assert first["invoice_number"] is None
    assert second["invoice_number"] == "a" + "b" * 49


def test_money_in_the_tray_finds_its_invoice_by_itself(payments: ServiceUnderTest, told: Told) -> None:
    payments.take(told.succeeded(**TERMINAL, invoice_number="inv 12", fee_minor=9), told.refunded("re_1", 1000))
    (waiting,) = tray(payments)
    assert waiting["invoice_number"] == "inv 12"
    issued = Asked().issued()
    with payments.emits(PaymentRecorded, PaymentRefunded) as emitted:
        payments.take(issued, issued)
        payments.take(Asked().issued(), Asked().reopened(), Asked().paid())
    assert emitted[0].causation_id == issued.event_id
    shown = found(payments, told)
    assert (shown["client_id"], shown["invoice_number"], shown["fee_minor"]) == ("ada", "INV-000012", 9)
    assert (shown["recorded_by"]["type"], shown["received_on"]) == ("system", "2026-03-15")
    (assigned,) = tray(payments, "state=assigned")
    assert (assigned["payment_id"], assigned["assigned_by"]) == (shown["id"], None)
    assert assign(payments, waiting["id"]).json["code"] == "already_assigned"


def test_money_does_not_wait_for_an_invoice_that_is_issued_later(payments: ServiceUnderTest, told: Told) -> None:
    """Numbers rise: any that a payer mistypes, or that another shop gave out, is issued one day."""
    payments.take(told.succeeded(**TERMINAL, invoice_number="inv 12"))
    day = told.succeeded().happened_at.date()
    with payments.emits(PaymentUnmatched):
        payments.take(Asked(issued_on=day + timedelta(days=2)).issued())
        payments.take(Told("pi_2").succeeded(**TERMINAL, invoice_number="inv 12"))
    assert "the invoice that it names was issued after it" in [line["reason"] for line in tray(payments)]
    with payments.emits(PaymentRecorded, PaymentRecorded):
        payments.take(Asked(issued_on=day + timedelta(days=1)).reopened())


def test_money_that_names_a_client_is_left_to_staff(payments: ServiceUnderTest, told: Told) -> None:
    late = clock.now() - LONG_AGO
    payments.take(told.succeeded(client_id="nobody", invoice_number="12", occurred_at=late))
    with payments.emits():
        payments.take(Asked().issued())
    assert len(tray(payments)) == 1


def test_an_invoices_client_may_be_heard_of_last(payments: ServiceUnderTest, told: Told) -> None:
    late = Asked(12, "late")
    payments.take(told.succeeded(**TERMINAL, invoice_number="12"), late.issued())
    old = Told("pi_2").succeeded(**TERMINAL, invoice_number="12", occurred_at=clock.now() - LONG_AGO)
    payments.take(old)
    assert tray(payments)[0]["reason"] == "the client whose it seems to be is not known"
    with payments.emits(PaymentRecorded, PaymentRecorded):
        payments.take(ClientRegistered(business_id="b1", client_id="late", name="Late"))
    assert (tray(payments), found(payments, told)["client_name"]) == ([], "Late")


def test_what_was_missed_in_the_same_moment_is_found_by_the_clock(payments: ServiceUnderTest, told: Told) -> None:
    payments.take(told.succeeded(**TERMINAL, invoice_number="12"))
    with payments.runtime.database.write() as session:  # as if both had not seen each other
        session.add(
            Invoice(
                business_id="b1", invoice_id="id-12", sequence=2, number="INV-000012", tidied="12", client_id="ada",
                total_minor=1, paid_minor=0, outstanding_minor=1, currency="USD", state="pending",
            )
        )  # fmt: skip
    with payments.emits(PaymentRecorded):
        attribute_late(payments.runtime)
        attribute_late(payments.runtime)
    assert found(payments, told)["client_id"] == "ada"


def test_announced_money_is_shown_as_of_its_invoices_client(payments: ServiceUnderTest, told: Told) -> None:
    payments.take(Asked().issued())
    payments.take(told.pending(**TERMINAL, invoice_number="12"))
    (shown,) = payments.call("GET", f"{B}/payments/pending?client_id=ada").json["items"]
    assert (shown["client_id"], shown["invoice_number"]) == ("ada", "INV-000012")


def events_of(suffix: str) -> list[Event]:
    """Two payments of an invoice that is issued, paid and reopened, of a client who is new."""
    asked = Asked(int(suffix), f"c-{suffix}")
    once, twice = (Told(f"pi_{suffix}_{n}") for n in (1, 2))
    old = clock.now() - LONG_AGO  # old enough for nobody to be waited for
    return [
        ClientRegistered(business_id="b1", client_id=f"c-{suffix}", name="New"),
        asked.issued(), asked.paid(), asked.reopened(),
        once.succeeded(**TERMINAL, invoice_number=f"inv {suffix}", occurred_at=old),
        twice.succeeded(**TERMINAL, invoice_number=asked.number, occurred_at=old),
        once.refunded("re_1", 500),
    ]  # fmt: skip


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_with_any_repetition_records_once(payments: ServiceUnderTest, data: st.DataObject) -> None:
    suffix = str(len(copies(payments)) + 100)
    events = events_of(suffix)
    again = data.draw(st.lists(st.sampled_from(range(len(events))), max_size=6))
    # A repetition is the same event, or the same fact under another id.
    repeated = [events[n] if n % 2 else events_of(suffix)[n] for n in again]
    order = data.draw(st.permutations(events + repeated))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=4)))
    for first, last in zip([0, *cuts], [*cuts, len(order)], strict=True):
        payments.take(*order[first:last])
    assert tray(payments) == []
    with payments.runtime.database.read() as session:
        recorded = session.scalars(select(Payment).where(Payment.client_id == f"c-{suffix}")).all()
    facts = sorted((one.gateway_payment_id, one.invoice_number, one.refunded_minor) for one in recorded)
    number = f"INV-{suffix:0>6}"
    assert facts == [(f"pi_{suffix}_1", number, 500), (f"pi_{suffix}_2", number, 0)]


def test_by_hand_and_by_itself_at_once_is_recorded_once(payments: ServiceUnderTest) -> None:
    for n in range(20):
        payments.take(Told(f"pi_{n}").succeeded(**TERMINAL, invoice_number=f"inv {n + 1}"))
    lines = {line["gateway_payment_id"]: line["id"] for line in tray(payments)}

    def by_hand(n: int) -> int:
        return int(assign(payments, lines[f"pi_{n}"], client_id="sam1").status_code)

    with payments.emits(*[PaymentRecorded] * 20), ThreadPoolExecutor(8) as pool:
        hands = [pool.submit(by_hand, n) for n in range(20)]
        itself = [pool.submit(payments.take, Asked(n + 1).issued()) for n in reversed(range(20))]
        assert {hand.result() for hand in hands} <= {201, 409}
        assert [one.result() for one in itself] == [None] * 20
    listed = payments.call("GET", f"{B}/payments?limit=200").json["items"]
    assert sorted(one["receipt_number"] for one in listed) == list(range(1, 21))


def test_a_payer_who_is_remembered(payments: ServiceUnderTest, told: Told) -> None:
    payer = {**TERMINAL, "payer_id": "PAYER7"}
    payments.take(Asked(12, "sam1").issued(), Asked(13, "sam1").voided(), Asked(14).voided())
    payments.take(told.succeeded(**payer))
    (waiting,) = tray(payments)
    assert (waiting["payer_id"], waiting["remembered_client"]) == ("PAYER7", None)
    assert assign(payments, waiting["id"], remember_payer=True).status_code == 201
    kept: dict[str, Any] = {"client_id": "ada", "client_name": "Ada Byron"}
    assert tray(payments, "state=assigned")[0]["remembered_client"] == kept
    with payments.emits(*[PaymentRecorded] * 4, PaymentUnmatched, PaymentUnmatched):
        payments.take(Told("free").succeeded(**payer))
        payments.take(Told("typed").succeeded(**payer, invoice_number="lessons"))
        payments.take(Told("sams").succeeded(**payer, invoice_number="12"))
        payments.take(Told("own void").succeeded(**payer, invoice_number="14"))
        payments.take(Told("sams void").succeeded(**payer, invoice_number="13"))
        payments.take(Told("elsewhere").succeeded(**{**payer, "gateway": "paypal"}))
    by_payer = "Matched by payer"
    for id_, client_id, number, memo in (
        ("free", "ada", None, by_payer), ("typed", "ada", "lessons", by_payer),
        ("sams", "sam1", "INV-000012", None), ("own void", "ada", "INV-000014", by_payer),
    ):  # fmt: skip
        shown = found(payments, Told(id_))
        assert (shown["client_id"], shown["invoice_number"], shown["memo"]) == (client_id, number, memo)
        assert (shown["source"], shown["method"]) == ("virtual_terminal", "paypal")
    assert {line["gateway_payment_id"]: line["remembered_client"] for line in tray(payments)} == {
        "sams void": kept, "elsewhere": None,
    }  # fmt: skip


def test_a_remembered_payer_is_replaced_and_forgotten(payments: ServiceUnderTest) -> None:
    payer = {**TERMINAL, "payer_id": "PAYER 7"}
    payments.take(Told("one").succeeded(**payer), Told("two").succeeded(**payer))
    two, one = (line["id"] for line in tray(payments))
    assign(payments, one, remember_payer=True)
    assign(payments, two, client_id="sam1", remember_payer=True)
    payments.take(Told("three").succeeded(**payer))
    assert found(payments, Told("three"))["client_id"] == "sam1"
    path = f"{B}/remembered-payers/stripe/PAYER%207"
    token = payments.token("payments:write", "b1", {"type": "client", "id": "ada", "name": "Ada"})
    assert payments.call("DELETE", path, token=token).status_code == 404
    assert payments.call("DELETE", path).status_code == 204
    assert payments.call("DELETE", path).status_code == 404
    payments.take(Told("four").succeeded(**payer))
    assert [line["gateway_payment_id"] for line in tray(payments)] == ["four"]


def test_nobody_is_remembered_for_a_payer_who_is_not_told(payments: ServiceUnderTest, told: Told) -> None:
    payments.take(told.succeeded(**TERMINAL))
    refused = assign(payments, tray(payments)[0]["id"], remember_payer=True)
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (422, "remember_payer")


@pytest.mark.parametrize(
    ("typed", "status", "code"),
    [
        ("inv 12", 201, "INV-000012"),
        ("#13", 422, "invoice_of_another_client"),
        ("14", 422, "invoice_void"),
        ("no such", 422, "invoice_unknown"),
        ("15", 503, "billing_unavailable"),  # not heard of here, and billing is away
        (None, 201, "INV-000016"),  # as it was typed at the gateway
    ],
)
def test_an_invoice_that_staff_name_is_the_clients(
    payments: ServiceUnderTest, told: Told, typed: str | None, status: int, code: str
) -> None:
    payments.take(told.succeeded(**TERMINAL, currency="EUR", invoice_number="inv 16"))
    payments.take(Asked(12).issued(), Asked(13, "sam1").issued(), Asked(14).voided(), Asked(16).issued())
    answer = assign(payments, tray(payments)[0]["id"], invoice_number=typed, amount_minor=10800)
    assert answer.status_code == status
    assert (answer.json["invoice_number"] if status == 201 else answer.json["code"]) == code
    if status == 422:
        assert [error["field"] for error in answer.json["errors"]] == ["invoice_number"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"number": "INV-000015", "client_id": "ada", "status": "pending"}, "INV-000015"),
        ({"number": "INV-000015", "client_id": "sam1", "status": "pending"}, "invoice_of_another_client"),
        ({"number": "INV-000015", "client_id": "ada", "status": "void"}, "invoice_void"),
        (None, "invoice_unknown"),
    ],
)
def test_billing_is_asked_for_an_invoice_that_is_not_known_here(
    payments: ServiceUnderTest, told: Told, monkeypatch: pytest.MonkeyPatch, answer: Any, code: str
) -> None:
    asked = []

    def ask(_runtime: Any, *wanted: str, **_options: Any) -> Any:
        asked.append(wanted)
        return SimpleNamespace(ok=answer is not None, json=lambda: answer)

    monkeypatch.setattr(Runtime, "ask", ask)
    payments.take(told.succeeded(**TERMINAL))
    got = assign(payments, tray(payments)[0]["id"], invoice_number="Inv. 0015").json
    assert asked == [("billing", "GET", f"{B}/invoices/15")]
    assert got.get("code", got.get("invoice_number")) == code


def test_the_time_of_the_money_is_kept(payments: ServiceUnderTest, told: Told) -> None:
    payments.take(told.succeeded(**TERMINAL, invoice_number="12", happened_at=AT - timedelta(days=3)))
    payments.take(Asked().issued())
    assert found(payments, told)["received_on"] == "2026-03-12"
