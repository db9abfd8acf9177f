"""Money that comes back after it was given, that a bank takes back, and that is about to be given back."""

from itertools import permutations
from typing import Any

import pytest

from billing.usecases import proof
from common.events.billing import BalanceChanged, GateOpened, InvoicePaid, InvoiceReopened
from services.billing.tests.studio import Studio


def ledger(studio: Studio) -> list[dict[str, Any]]:
    return list(studio.call("GET", f"/clients/{studio.client_id}/ledger").json["items"])


def test_a_withdrawal_comes_off_the_newest_invoice_and_reopens_it(open_studio: Studio) -> None:
    first, second = (open_studio.invoice(amount).json["number"] for amount in (3000, 2000))
    payment_id = open_studio.pay(5000, invoice_number=first)
    wanted = {"allocations": [{"invoice_number": second, "amount_minor": 2000}]}
    open_studio.call("POST", f"/clients/{open_studio.client_id}/allocations", wanted)
    with open_studio.billing.emits(BalanceChanged, InvoiceReopened, InvoiceReopened):
        open_studio.withdraw(payment_id, 2500)
        open_studio.withdraw(payment_id, 2500)  # the same movement
    assert (open_studio.state(first), open_studio.state(second)) == (("pending", 2500), ("pending", 0))
    assert open_studio.balance()["balance_minor"] == -2500
    with open_studio.billing.emits(BalanceChanged):
        open_studio.reinstate(payment_id, 2500)
    assert open_studio.balance()["balance_minor"] == 0
    assert open_studio.call("GET", f"/clients/{open_studio.client_id}/credit").json["credit_minor"] == 2500


def test_what_comes_back_pays_by_itself_where_the_business_wants_it(open_studio: Studio) -> None:
    open_studio.call("PATCH", "", {"invoicing": {"apply_credit_automatically": True}})
    number = open_studio.invoice(3000).json["number"]
    payment_id = open_studio.pay(3000, invoice_number=number)
    open_studio.withdraw(payment_id, 3000)
    assert open_studio.state(number) == ("pending", 0)
    with open_studio.billing.emits(BalanceChanged, InvoicePaid):
        open_studio.reinstate(payment_id, 3000)
    open_studio.refund(payment_id, 1000)
    assert open_studio.state(number) == ("pending", 2000)
    with open_studio.billing.emits(BalanceChanged, InvoicePaid):
        open_studio.reverse_refund(payment_id, 1000)


def test_the_ledger_explains_it(open_studio: Studio) -> None:
    payment_id = open_studio.pay(5000)
    open_studio.refund(payment_id, 1000)
    open_studio.reverse_refund(payment_id, 1000)
    open_studio.withdraw(payment_id, 2000)
    open_studio.reinstate(payment_id, 2000)
    entries = ledger(open_studio)
    assert [(entry["kind"], entry["change_minor"]) for entry in entries] == [
        ("payment", 5000), ("refund", -1000), ("refund_reversal", 1000), ("funds_withdrawn", -2000),
        ("funds_reinstated", 2000),
    ]  # fmt: skip
    assert [entry["description"] for entry in entries[2:]] == [
        "Refund that came back", "Taken back by the bank, the payment is disputed",
        "Given back by the bank after a dispute",
    ]  # fmt: skip
    assert all(entry["source"]["href"].endswith(f"/payments/{payment_id}") for entry in entries)
    assert (entries[3]["debit_account"], entries[3]["credit_account"]) == (
        f"client:{open_studio.client_id}",
        "clearing:cash",
    )


def test_the_order_of_withdrawal_and_reinstatement_does_not_matter(open_studio: Studio) -> None:
    steps = {
        "pay": lambda payment_id: open_studio.pay(5000),
        "withdraw": lambda payment_id: open_studio.withdraw(payment_id, 5000, f"{payment_id}-out"),
        "reinstate": lambda payment_id: open_studio.reinstate(payment_id, 5000, f"{payment_id}-in"),
    }
    for number, order in enumerate(permutations(steps), start=1):
        for step in order:
            steps[step](f"payment-{number}")
        assert open_studio.balance()["balance_minor"] == number * 5000


def test_a_refund_under_way_is_reserved_until_it_is_posted(open_studio: Studio) -> None:
    payment_id = open_studio.pay(5000)
    open_studio.request_refund(payment_id, 2000)
    open_studio.request_refund(payment_id, 2000)
    assert open_studio.figures() == (5000, 2000, 3000)
    open_studio.refund(payment_id, 2000)
    assert open_studio.figures() == (3000, 0, 3000)
    open_studio.request_refund(payment_id, 2000)  # late
    assert open_studio.figures() == (3000, 0, 3000)


def test_a_refund_that_is_abandoned_is_reserved_no_longer_in_any_order(open_studio: Studio) -> None:
    payment_id = open_studio.pay(5000)
    open_studio.request_refund(payment_id, 2000)
    open_studio.abandon_refund(payment_id, 2000)
    assert open_studio.figures() == (5000, 0, 5000)
    open_studio.abandon_refund(payment_id, 1000, "other")
    open_studio.request_refund(payment_id, 1000, "other")
    assert open_studio.figures() == (5000, 0, 5000)
    open_studio.refund(payment_id, 700, "early")
    open_studio.request_refund(payment_id, 700, "early")
    assert open_studio.figures() == (4300, 0, 4300)


def test_a_refund_under_way_shuts_the_gate_and_opens_it_when_abandoned(studio: Studio) -> None:
    payment_id = studio.pay(4000)
    studio.request_refund(payment_id, 2000)
    refused = studio.add()
    assert (refused.status_code, refused.json["reserved_minor"], refused.json["shortfall_minor"]) == (409, 2000, 1000)
    with studio.billing.emits(GateOpened):
        studio.abandon_refund(payment_id, 2000)
    assert studio.add().status_code == 201
    assert studio.prove() == {}


def test_posting_a_refund_opens_no_gate(studio: Studio) -> None:
    payment_id = studio.pay(4000)
    studio.request_refund(payment_id, 2000)
    before = len(studio.billing.emitted())
    studio.refund(payment_id, 2000)
    assert GateOpened not in [type(event) for event in studio.billing.emitted()[before:]]


@pytest.mark.parametrize(("withdrawn_minor", "is_right"), [(2000, True), (0, False)])
def test_the_proof_counts_what_is_withdrawn(
    open_studio: Studio, monkeypatch: pytest.MonkeyPatch, withdrawn_minor: int, is_right: bool
) -> None:
    payment_id = open_studio.pay(5000)
    open_studio.refund(payment_id, 1000)
    open_studio.withdraw(payment_id, 2000)
    figures = {
        "payment_id": payment_id, "client_id": open_studio.client_id, "amount_minor": 5000, "refunded_minor": 1000,
        "withdrawn_minor": withdrawn_minor, "voided": False, "changed_at": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    monkeypatch.setattr(proof, "_page", lambda *_: [figures])
    found = proof.prove(open_studio.billing.runtime, open_studio.path.rsplit("/", 1)[1])
    assert (found.drift == {}) is is_right
    if not is_right:
        assert "4000 kept" in found.drift[proof.AGAINST_PAYMENTS][0]
