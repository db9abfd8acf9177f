"""Invoices: numbered, paid by what names them, by credit on request or by itself; money given back comes off again."""

import csv
import io
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from billing.domain import invoice as rules
from billing.domain.invoice import Held
from common.events.billing import (
    BalanceBelowThreshold,
    BalanceChanged,
    BalanceRestored,
    InvoiceEmailRequested,
    InvoiceIssued,
    InvoicePaid,
    InvoiceReopened,
    InvoiceVoided,
)
from common.testing import ServiceUnderTest
from common.web.paging import encode_cursor
from services.billing.tests.studio import Studio


def test_an_invoice_charges_its_lines_and_takes_the_next_number(open_studio: Studio) -> None:
    with open_studio.billing.emits(BalanceChanged, BalanceChanged, InvoiceIssued):
        made = open_studio.invoice(2500, 500)
    assert (made.status_code, made.json["number"], made.json["total_minor"]) == (201, "INV-000001", 3000)
    assert open_studio.balance()["balance_minor"] == -3000
    assert open_studio.invoice(100).json["number"] == "INV-000002"
    shown = open_studio.shown("inv 1")
    assert [line["amount_minor"] for line in shown["lines"]] == [2500, 500]
    assert shown["id"] == open_studio.shown(made.json["id"])["id"]


def test_sessions_are_charged_when_they_end_not_when_they_are_invoiced(open_studio: Studio) -> None:
    held, ahead = open_studio.done(), open_studio.add("2099-03-02T15:00:00+13:00").json["id"]
    made = open_studio.call("POST", "/invoices", {"client_id": open_studio.client_id, "session_ids": [ahead, held]})
    assert [(line["description"], line["day"]) for line in made.json["lines"]] == [
        ("Piano", "2026-03-02"), ("Piano", "2099-03-02")
    ]  # fmt: skip
    assert open_studio.balance()["balance_minor"] == -3000
    open_studio.pay(6000, invoice_number=made.json["number"])
    assert open_studio.state(made.json["number"]) == ("paid", 6000)
    assert open_studio.balance()["balance_minor"] == 3000
    assert open_studio.call("GET", f"/clients/{open_studio.client_id}/credit").json["credit_minor"] == 0
    open_studio.call("POST", f"/sessions/{ahead}/complete")
    assert open_studio.balance()["balance_minor"] == 0


def test_a_session_is_asked_for_once(open_studio: Studio) -> None:
    session_id = open_studio.done()
    body = {"client_id": open_studio.client_id, "session_ids": [session_id]}
    number = open_studio.call("POST", "/invoices", body).json["number"]
    again = open_studio.call("POST", "/invoices", body)
    assert (again.status_code, again.json["code"]) == (422, "session_invoiced")
    assert open_studio.call("POST", f"/sessions/{session_id}/cancel").json["code"] == "session_invoiced"
    assert open_studio.call("POST", f"/invoices/{number}/void", {"reason": "wrong"}).json["status"] == "void"
    assert open_studio.call("POST", "/invoices", body).json["number"] == "INV-000002"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"session_ids": ["nobody"]}, "session_ids"),
        ({}, "lines"),
        ({"lines": [{"description": "x", "amount_minor": 0}]}, "lines.0.amount_minor"),
        ({"lines": [{"description": "x", "amount_minor": 1, "service_id": "none"}]}, "service_id"),
        ({"lines": [{"description": " ", "amount_minor": 1}]}, "lines.0.description"),
        ({"lines": [{"description": "4242 4242 4242 4242", "amount_minor": 1}]}, "lines.0.description"),
    ],
)
def test_bad_invoices_change_nothing(open_studio: Studio, body: dict[str, Any], field: str) -> None:
    answer = open_studio.call("POST", "/invoices", {"client_id": open_studio.client_id, **body})
    assert answer.status_code == 422
    assert field in [error["field"] for error in answer.json["errors"]]
    assert open_studio.call("GET", "/invoices").json["items"] == []
    assert open_studio.invoice(100).json["number"] == "INV-000001"


def test_payments_in_parts_and_too_much(open_studio: Studio) -> None:
    number = open_studio.invoice(5000).json["number"]
    open_studio.pay(2000, invoice_number=number)
    assert open_studio.state(number) == ("pending", 2000)
    with open_studio.billing.emits(BalanceChanged, InvoicePaid):
        open_studio.pay(4000, invoice_number="inv 1")
    assert open_studio.state(number) == ("paid", 5000)
    assert open_studio.call("GET", f"/clients/{open_studio.client_id}/credit").json["credit_minor"] == 1000


@pytest.mark.parametrize("reason", ["invoice_void", "invoice_paid", "invoice_unknown", "invoice_of_another_client"])
def test_a_payment_that_its_invoice_cannot_take_is_credit_and_flagged(open_studio: Studio, reason: str) -> None:
    number = open_studio.invoice(5000).json["number"]
    paying = open_studio.client_id
    if reason == "invoice_void":
        open_studio.call("POST", f"/invoices/{number}/void", {"reason": "x"})
    elif reason == "invoice_paid":
        open_studio.pay(5000, invoice_number=number)
    elif reason == "invoice_unknown":
        number = "INV-000099"
    else:
        paying = open_studio.client("Eve")
    payment_id = open_studio.pay(700, paying, invoice_number=number)
    (flag,) = open_studio.call("GET", "/payment-flags").json["items"]
    assert (flag["payment_id"], flag["reason"], flag["amount_minor"]) == (payment_id, reason, 700)
    if paying != open_studio.client_id:
        assert open_studio.call("GET", f"/clients/{paying}/balance").json["balance_minor"] == 700


def test_a_refund_comes_off_the_newest_and_reopens(open_studio: Studio) -> None:
    first, second = (open_studio.invoice(amount).json["number"] for amount in (3000, 2000))
    payment_id = open_studio.pay(5000, invoice_number=first)
    wanted = {"allocations": [{"invoice_number": second, "amount_minor": 2000}]}
    applied = open_studio.call("POST", f"/clients/{open_studio.client_id}/allocations", wanted)
    assert (applied.status_code, applied.json["credit_minor"]) == (201, 0)
    assert (open_studio.state(first), open_studio.state(second)) == (("paid", 3000), ("paid", 2000))
    with open_studio.billing.emits(BalanceChanged, InvoiceReopened):
        open_studio.refund(payment_id, 500)
    assert (open_studio.state(first), open_studio.state(second)) == (("paid", 3000), ("pending", 1500))
    open_studio.refund(payment_id, 2500, "more")
    assert (open_studio.state(first), open_studio.state(second)) == (("pending", 2000), ("pending", 0))


def test_a_void_payment_comes_off_whole(open_studio: Studio) -> None:
    number = open_studio.invoice(3000).json["number"]
    open_studio.void_payment(open_studio.pay(3000, invoice_number=number), 3000)
    assert open_studio.state(number) == ("pending", 0)
    assert open_studio.balance()["balance_minor"] == -3000


def test_a_refund_heard_of_before_its_payment(open_studio: Studio) -> None:
    number = open_studio.invoice(3000).json["number"]
    open_studio.refund("payment-1", 1000)
    open_studio.pay(3000, invoice_number=number)
    assert open_studio.state(number) == ("pending", 2000)


def test_credit_is_applied_only_as_far_as_there_is_some(open_studio: Studio) -> None:
    open_studio.pay(4000)
    open_studio.done()  # 30.00 of it are used
    first, second = (open_studio.invoice(amount).json["number"] for amount in (600, 700))

    def apply(*wanted: tuple[str, int]) -> Any:
        body = {"allocations": [{"invoice_number": number, "amount_minor": minor} for number, minor in wanted]}
        return open_studio.call("POST", f"/clients/{open_studio.client_id}/allocations", body)

    exceeded = apply((first, 600), (second, 401)).json
    assert (exceeded["code"], exceeded["errors"][0]["message"]) == ("credit_exceeded", "at most $10.00 together")
    too_much = apply((first, 601)).json
    assert too_much["code"] == "more_than_outstanding"
    assert too_much["errors"][0]["message"] == "only $6.00 is still to be paid"
    twice = apply((first, 400), (second, 1), (first.lower(), 400))  # less than there is, more than it asks for
    assert (twice.status_code, twice.json["code"]) == (422, "invoice_repeated")
    assert twice.json["errors"][0]["row"] == 3
    assert apply(("INV-000077", 1)).status_code == 404
    assert (open_studio.state(first), open_studio.state(second)) == (("pending", 0), ("pending", 0))
    assert apply((first, 600), (second, 400)).json["credit_minor"] == 0
    assert (open_studio.state(first), open_studio.state(second)) == (("paid", 600), ("pending", 400))


def test_an_adjustment_is_credit_as_well(open_studio: Studio) -> None:
    body = {"kind": "credit", "amount_minor": 500, "reason": "a gift"}
    open_studio.call("POST", f"/clients/{open_studio.client_id}/adjustments", body)
    number = open_studio.invoice(500).json["number"]
    wanted = {"allocations": [{"invoice_number": number, "amount_minor": 500}]}
    assert open_studio.call("POST", f"/clients/{open_studio.client_id}/allocations", wanted).status_code == 201
    assert open_studio.state(number) == ("paid", 500)


def test_credit_is_applied_by_itself_where_the_business_wants_it(open_studio: Studio) -> None:
    open_studio.call("PATCH", "", {"invoicing": {"apply_credit_automatically": True}})
    open_studio.pay(1500)
    first = open_studio.invoice(1000, due_on="2026-05-02").json
    assert first["status"] == "paid"
    later, sooner = (open_studio.invoice(1000, due_on=day).json["number"] for day in ("2026-06-02", "2026-06-01"))
    assert (open_studio.state(later), open_studio.state(sooner)) == (("pending", 500), ("pending", 0))
    payment_id = open_studio.pay(1200)
    assert (open_studio.state(later), open_studio.state(sooner)) == (("pending", 700), ("paid", 1000))
    open_studio.call("POST", f"/invoices/{sooner}/void", {"reason": "x"})  # its money pays the other
    assert open_studio.state(later) == ("paid", 1000)
    open_studio.refund(payment_id, 1200)
    assert open_studio.balance()["balance_minor"] == -500


def test_any_credit_pays_by_itself_where_the_business_wants_it(open_studio: Studio) -> None:
    first = open_studio.invoice(1000).json["number"]
    session_id = open_studio.done()
    open_studio.pay(3500)
    assert open_studio.state(first) == ("pending", 0)
    open_studio.call("PATCH", "", {"invoicing": {"apply_credit_automatically": True}})
    assert open_studio.state(first) == ("pending", 500)  # from the day on which it is switched on
    credit = {"kind": "credit", "amount_minor": 200, "reason": "a gift"}
    open_studio.call("POST", f"/clients/{open_studio.client_id}/adjustments", credit)
    assert open_studio.state(first) == ("pending", 700)
    open_studio.call("POST", f"/sessions/{session_id}/cancel")
    assert open_studio.state(first) == ("paid", 1000)
    assert open_studio.prove() == {}


def test_an_invoice_of_several_lines_crosses_the_threshold_once(open_studio: Studio) -> None:
    open_studio.call("PATCH", "", {"session_control": {"threshold_minor": 2000}})
    open_studio.pay(2500)
    with open_studio.billing.emits(*[BalanceChanged] * 3, BalanceBelowThreshold, InvoiceIssued) as emitted:
        number = open_studio.invoice(1000, 1000, 1000).json["number"]
    (fell,) = (event for event in emitted if isinstance(event, BalanceBelowThreshold))
    assert fell.balance_minor == -500
    with open_studio.billing.emits(*[BalanceChanged] * 3, BalanceRestored, InvoiceVoided) as emitted:
        open_studio.call("POST", f"/invoices/{number}/void", {"reason": "x"})
    (rose,) = (event for event in emitted if isinstance(event, BalanceRestored))
    assert rose.balance_minor == 2500


def test_a_void_invoice_gives_everything_back(open_studio: Studio) -> None:
    number = open_studio.invoice(3000).json["number"]
    open_studio.pay(3000, invoice_number=number)
    with open_studio.billing.emits(BalanceChanged, InvoiceVoided):
        assert open_studio.call("POST", f"/invoices/{number}/void", {"reason": "twice"}).status_code == 200
    assert open_studio.state(number) == ("void", 0)
    assert open_studio.balance()["balance_minor"] == 3000
    assert open_studio.call("POST", f"/invoices/{number}/void", {"reason": "x"}).json["code"] == "already_void"
    assert open_studio.invoice(100).json["number"] == "INV-000002"


def test_a_draft_has_no_number_and_charges_nothing_until_it_is_issued(open_studio: Studio) -> None:
    draft = open_studio.invoice(3000, draft=True).json
    assert (draft["number"], draft["status"]) == (None, "draft")
    assert open_studio.balance()["balance_minor"] == 0
    thrown = open_studio.invoice(100, draft=True).json["id"]
    assert open_studio.call("POST", f"/invoices/{thrown}/void", {"reason": "x"}).json["number"] is None
    client = {"type": "client", "id": open_studio.client_id, "name": "Ada"}
    token = open_studio.billing.token("billing:read", actor=client)
    assert open_studio.call("GET", "/invoices", token=token).json["items"] == []
    assert open_studio.call("GET", f"/invoices/{draft['id']}", token=token).status_code == 404
    issued = open_studio.call("POST", f"/invoices/{draft['id']}/issue").json
    assert (issued["number"], issued["status"]) == ("INV-000001", "pending")
    assert open_studio.balance()["balance_minor"] == -3000
    assert open_studio.call("POST", f"/invoices/{draft['id']}/issue").json["code"] == "not_a_draft"
    assert open_studio.call("GET", "/invoices/INV-000001", token=token).status_code == 200


def test_overdue_is_by_the_day_where_the_business_is(open_studio: Studio) -> None:
    late, soon = open_studio.invoice(1, due_on="2020-01-01").json, open_studio.invoice(1, due_on="2099-01-01").json
    assert (late["overdue"], soon["overdue"]) == (True, False)

    def listed(query: str) -> list[str]:
        return [item["number"] for item in open_studio.call("GET", f"/invoices?{query}").json["items"]]

    assert listed("overdue=true") == [late["number"]]
    assert listed("overdue=false&status=pending") == [soon["number"]]
    assert listed(f"client_id={open_studio.client_id}") == [soon["number"], late["number"]]


def test_invoices_are_exported(open_studio: Studio) -> None:
    open_studio.invoice(3050, due_on="2020-01-01")
    text = open_studio.call("GET", "/invoices", headers={"Accept": "text/csv"}).text
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["number"], row["client_name"], row["overdue"], row["total"]) == ("INV-000001", "Ada", "True", "30.50")


def test_an_invoice_is_printed_and_mailed(open_studio: Studio) -> None:
    number = open_studio.invoice(3000).json["number"]
    pdf = open_studio.call("GET", f"/invoices/{number}.pdf")
    assert pdf.content_type == "application/pdf"
    text = PdfReader(io.BytesIO(pdf.data)).pages[0].extract_text()
    assert number in text
    assert "$30.00" in text
    with open_studio.billing.emits(InvoiceEmailRequested) as told:
        assert open_studio.call("POST", f"/invoices/{number}/email").status_code == 202
    assert "amount_minor=3000" in told[0].pay_url  # type: ignore[attr-defined]
    draft = open_studio.invoice(1, draft=True).json["id"]
    assert open_studio.call("POST", f"/invoices/{draft}/email").json["code"] == "not_issued"
    assert open_studio.call("GET", f"/invoices/{draft}.pdf").data.startswith(b"%PDF-")


@given(number=st.integers(1, 999_999_999))
def test_a_number_is_read_as_it_is_written(number: int) -> None:
    for text in (rules.format_number(number), f"inv {number}", f"#INV-{number:06}", f" {number} ", f"Invoice {number}"):
        assert rules.parse_number(text) == number


@given(text=st.text(max_size=20))
@example("0192f7a0-0000-7000-8000-000000000001")
@example("INV-000000")
@example("12.5")
@example("-12")
def test_what_is_no_number_is_none(text: str) -> None:
    found = rules.parse_number(text)
    assert found is None or (found > 0 and str(found) in text)


@given(amount=st.integers(0, 1_000), owed=st.lists(st.integers(0, 300), max_size=6))
def test_spreading_fills_the_first_first(amount: int, owed: list[int]) -> None:
    shares = dict(rules.spread(amount, [(str(place), minor) for place, minor in enumerate(owed)]))
    assert sum(shares.values()) == min(amount, sum(owed))
    left = amount
    for place, minor in enumerate(owed):
        assert shares.get(str(place), 0) == min(left, minor)
        left -= min(left, minor)


@given(excess=st.integers(0, 1_000), held=st.lists(st.integers(1, 300), max_size=6))
def test_releasing_takes_the_newest_first(excess: int, held: list[int]) -> None:
    rows = [Held(str(place), "invoice", minor) for place, minor in enumerate(held)]
    taken = {row.allocation_id: minor for row, minor in rules.release(excess, rows)}
    assert sum(taken.values()) == min(excess, sum(held))
    kept = [minor - taken.get(str(place), 0) for place, minor in enumerate(held)]
    assert kept == [*held[: len(held) - len(taken)], *kept[len(held) - len(taken) :]]


AMOUNTS = st.integers(1, 50).map(lambda units: units * 100)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("invoice"), AMOUNTS),
        st.tuples(st.just("pay"), AMOUNTS),
        st.tuples(st.just("pay for"), AMOUNTS, st.integers(1, 4)),
        st.tuples(st.just("refund"), AMOUNTS, st.integers(1, 4)),
        st.tuples(st.just("withdraw"), AMOUNTS, st.integers(1, 4)),
        st.tuples(st.just("reinstate"), AMOUNTS, st.integers(1, 4)),
        st.tuples(st.just("void"), st.integers(1, 4)),
        st.tuples(st.just("session")),
    ),
    min_size=1,
    max_size=9,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, automatic=st.booleans())
def test_whatever_happens_the_books_agree(
    billing: ServiceUnderTest, steps: list[tuple[Any, ...]], automatic: bool
) -> None:
    body = {"name": "Any", "currency": "USD", "time_zone": "Pacific/Auckland"}
    studio = Studio(billing, "/v1/businesses/" + billing.call("POST", "/v1/businesses", body).json["id"])
    studio.call("PATCH", "", {"invoicing": {"apply_credit_automatically": automatic}})
    received: dict[str, int] = {}
    for number, step in enumerate(steps):
        match step:
            case ("invoice", amount_minor):
                studio.invoice(amount_minor)
            case ("pay", amount_minor):
                received[studio.pay(amount_minor)] = amount_minor
            case ("pay for", amount_minor, which):
                received[studio.pay(amount_minor, invoice_number=f"INV-{which:06}")] = amount_minor
            case ("refund", amount_minor, which):
                payment_id = f"payment-{which}"
                part_minor = min(amount_minor, received.get(payment_id, 0))
                if part_minor:
                    received[payment_id] -= part_minor
                    studio.refund(payment_id, part_minor, f"refund-{number}")
            case ("withdraw", amount_minor, which):
                payment_id = f"payment-{which}"
                part_minor = min(amount_minor, received.get(payment_id, 0))
                if part_minor:
                    received[payment_id] -= part_minor
                    studio.withdraw(payment_id, part_minor, f"txn_{number}")
            case ("reinstate", amount_minor, which) if f"payment-{which}" in received:
                received[f"payment-{which}"] += amount_minor
                studio.reinstate(f"payment-{which}", amount_minor, f"txn_{number}")
            case ("void", which):
                studio.call("POST", f"/invoices/INV-{which:06}/void", {"reason": "x"})
            case ("session",):
                studio.done()
    assert studio.prove() == {}


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("-made", [5, 400, 100, 300]), ("made", [300, 100, 400, 5]), ("due", [100, 300, 400, 5]),
        ("-due", [5, 400, 300, 100]), ("total", [5, 100, 300, 400]), ("-total", [400, 300, 100, 5]),
    ],
)  # fmt: skip
def test_invoices_in_another_order_page_by_page(open_studio: Studio, sort: str, expected: list[int]) -> None:
    for amount_minor, due_on in ((300, "2026-03-02"), (100, "2026-03-01"), (400, "2026-03-02")):
        open_studio.invoice(amount_minor, due_on=due_on)
    open_studio.invoice(5, draft=True)
    found, cursor = [], ""
    while True:
        page = open_studio.call("GET", f"/invoices?limit=1&sort={sort}{cursor}").json
        found += [item["total_minor"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == expected
    answer = open_studio.call("GET", f"/invoices?sort={sort}", headers={"Accept": "text/csv"})
    assert [round(float(row["total"]) * 100) for row in csv.DictReader(io.StringIO(answer.text))] == expected
    wrong = {"made": "due", "due": "total", "total": "made"}[sort.removeprefix("-")]
    assert open_studio.call("GET", f"/invoices?sort={wrong}{cursor}").json["code"] == "cursor_invalid"


def test_a_cursor_that_names_no_day(open_studio: Studio) -> None:
    cursor = encode_cursor(["2026-02-30", "x"])
    answer = open_studio.call("GET", f"/invoices?sort=due&cursor={cursor}")
    assert (answer.status_code, answer.json["code"]) == (422, "cursor_invalid")
