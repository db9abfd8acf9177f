"""Whom money in the tray may be of."""

from typing import Any

import pytest
from sqlalchemy import event

from common.ids import new_id
from common.testing import ServiceUnderTest
from payments.domain.suggestion import Line, Shelf, suggest
from services.payments.tests.gateway import Told
from services.payments.tests.invoices import Asked, assign, tray

TERMINAL = {"client_id": None, "source": "virtual_terminal", "method": "paypal"}


def suggested(payments: ServiceUnderTest, **money: Any) -> list[dict[str, Any]]:
    payments.take(Told(new_id()).succeeded(**{**TERMINAL, "amount_minor": 777, **money}))
    return list(tray(payments)[0]["suggestions"])


def told_of(found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(one["client_id"], one["invoice_number"], one["outstanding_minor"], one["why"]) for one in found]


@pytest.fixture
def asked(payments: ServiceUnderTest) -> None:
    payments.take(
        Asked(12).issued(), Asked(21, "sam1", total_minor=5000).issued(), Asked(40, "sam2", total_minor=5000).issued(),
        Asked(77, "sam2").paid(), Asked(88).voided(),
    )  # fmt: skip


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("typed", ["11", "INV-000013", "1", "112", "102", "invoice 31"])
def test_a_number_that_is_nearly_one(payments: ServiceUnderTest, typed: str) -> None:
    like = told_of(suggested(payments, invoice_number=typed))
    expected = {
        "1": [("ada", "INV-000012"), ("sam1", "INV-000021")], "11": [("ada", "INV-000012"), ("sam1", "INV-000021")],
        "invoice 31": [("sam1", "INV-000021")],
    }.get(typed, [("ada", "INV-000012")])  # fmt: skip
    assert [one[:2] for one in like] == expected
    assert {tuple(one[3]) for one in like} == {("invoice_like",)}


@pytest.mark.usefixtures("asked")
def test_amounts_payers_and_what_is_open(payments: ServiceUnderTest) -> None:
    assert told_of(suggested(payments)) == []
    assert told_of(suggested(payments, amount_minor=5000)) == [
        ("sam1", "INV-000021", 5000, ["amount"]), ("sam2", "INV-000040", 5000, ["amount"]),
    ]  # fmt: skip
    assert told_of(suggested(payments, amount_minor=5000, payer_client_ids=["sam2", "gone"])) == [
        ("sam2", "INV-000040", 5000, ["payer_email", "amount"]), ("sam1", "INV-000021", 5000, ["amount"]),
    ]  # fmt: skip
    assert told_of(suggested(payments, payer_client_ids=["ada"])) == [
        ("ada", "INV-000012", 10000, ["payer_email", "open_invoice"])
    ]
    assert told_of(suggested(payments, amount_minor=5000, invoice_number="940"))[0] == (
        "sam2", "INV-000040", 5000, ["invoice_like", "amount"],
    )  # fmt: skip
    assert told_of(suggested(payments, invoice_number="88")) == [("ada", None, None, ["invoice_like"])]
    payments.take(Asked(12).reopened(paid_minor=4000))
    assert told_of(suggested(payments, amount_minor=6000)) == [("ada", "INV-000012", 6000, ["amount"])]
    assert told_of(suggested(payments, amount_minor=6000, currency="EUR")) == []
    payments.take(Asked(12).paid(sequence=5))
    assert told_of(suggested(payments, payer_client_ids=["ada"])) == [("ada", None, None, ["payer_email"])]


@pytest.mark.usefixtures("asked")
def test_a_remembered_payer_comes_first(payments: ServiceUnderTest) -> None:
    suggested(payments, payer_id="P1", invoice_number="88")
    assign(payments, tray(payments)[0]["id"], client_id="sam2", remember_payer=True)
    found = suggested(payments, payer_id="P1", currency="EUR", payer_client_ids=["ada"])
    assert told_of(found) == [
        ("sam2", "INV-000040", 5000, ["remembered_payer", "open_invoice"]),
        ("ada", "INV-000012", 10000, ["payer_email", "open_invoice"]),
    ]
    assert [one["client_name"] for one in found] == ["Sam Twin", "Ada Byron"]


def test_never_more_than_five(payments: ServiceUnderTest) -> None:
    payments.take(*(Asked(n).issued() for n in range(20, 30)))
    assert len(suggested(payments, invoice_number="2", amount_minor=10000)) == 5
    line = Line(1, "USD", None, None, None, [f"c{n}" for n in range(9)])
    assert len(suggest(line, Shelf())) == 5


def test_the_number_of_queries_does_not_grow_with_the_page(payments: ServiceUnderTest) -> None:
    counts = []
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(payments.runtime.database.engine, "before_cursor_execute", note)
    for size in (1, 5, 60):
        for n in range(size):
            money = {"invoice_number": f"{n + 1}7", "reference": f"ref {n}", "payer_id": f"P{n}"}
            payments.take(
                Asked(n * 100 + size, total_minor=n + 1).issued(),
                Told(f"pi_{size}_{n}").succeeded(**TERMINAL, **money, amount_minor=n + 1, payer_client_ids=["ada"]),
            )
        statements.clear()
        lines = tray(payments, "limit=200")
        assert all(line["suggestions"] for line in lines)
        counts.append(len([one for one in statements if one.startswith("SELECT")]))
    assert counts[0] == counts[1] == counts[2]
    assert counts[0] <= 10
