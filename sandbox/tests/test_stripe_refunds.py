"""Refunds and disputes through the SDK and at the dashboard."""

from __future__ import annotations

import pytest
import requests
import stripe
from stripe_driver import SECONDS, Shop, wait_for


def test_in_parts_and_never_more_than_the_charge(shop: Shop) -> None:
    paid = shop.pay(amount=1000)
    part = shop.v1.refunds.create({"payment_intent": paid.id, "amount": 400, "metadata": {"refund": "r-1"}})
    assert (part.status, part.amount, part.charge) == ("succeeded", 400, paid.latest_charge)
    money = shop.v1.balance_transactions.retrieve(part.balance_transaction)
    assert (money.amount, money.net, money.fee) == (-400, -400, 0)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount") as refused:
        shop.v1.refunds.create({"payment_intent": paid.id, "amount": 601})
    assert refused.value.param == "amount"
    rest = shop.v1.refunds.create({"charge": paid.latest_charge, "reason": "requested_by_customer"})
    assert rest.amount == 600
    charge = shop.v1.charges.retrieve(paid.latest_charge)
    assert (charge.amount_refunded, charge.refunded) == (1000, True)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.v1.refunds.create({"payment_intent": paid.id})
    assert refused.value.code == "charge_already_refunded"
    assert [found.id for found in shop.v1.refunds.list({"payment_intent": paid.id}).data] == [rest.id, part.id]
    assert shop.v1.refunds.retrieve(part.id).metadata["refund"] == "r-1"
    told = [event for event in shop.v1.events.list({"limit": 100}).data if event.type == "charge.refunded"]
    amounts = [e.data.object["amount_refunded"] for e in told if e.data.object["id"] == charge.id]
    assert amounts == [1000, 400]


def test_what_cannot_be_refunded(shop: Shop) -> None:
    open_one = shop.v1.payment_intents.create({"amount": 1000, "currency": "usd"})
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        shop.v1.refunds.create({"payment_intent": open_one.id})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.v1.refunds.create({})
    assert refused.value.code == "parameter_missing"
    failed = shop.declined("pm_card_chargeDeclined").error.charge
    with pytest.raises(stripe.InvalidRequestError, match="not refundable"):
        shop.v1.refunds.create({"charge": failed})
    for amount in (0, -1):
        with pytest.raises(stripe.InvalidRequestError):
            shop.v1.refunds.create({"charge": shop.pay().latest_charge, "amount": amount})


def test_a_refund_that_fails_later(shop: Shop) -> None:
    paid = shop.pay("pm_card_refundFail", amount=1000)
    back = shop.v1.refunds.create({"payment_intent": paid.id, "amount": 300})
    assert back.status == "succeeded"
    assert shop.v1.charges.retrieve(paid.latest_charge).amount_refunded == 300
    failed = wait_for(lambda: (found := shop.v1.refunds.retrieve(back.id)).status == "failed" and found)
    assert failed.failure_reason
    assert shop.v1.balance_transactions.retrieve(failed.failure_balance_transaction).amount == 300
    assert shop.v1.charges.retrieve(paid.latest_charge).amount_refunded == 0
    told = [e.type for e in shop.v1.events.list({"limit": 100}).data if e.data.object["id"] == back.id]
    assert {"refund.created", "refund.updated", "refund.failed"} <= set(told)


def test_a_refund_that_takes_time(shop: Shop) -> None:
    paid = shop.pay("pm_card_pendingRefund")
    back = shop.v1.refunds.create({"payment_intent": paid.id})
    assert back.status == "pending"
    wait_for(lambda: shop.v1.refunds.retrieve(back.id).status == "succeeded")


def test_a_refund_at_the_dashboard(shop: Shop) -> None:
    paid = shop.pay(amount=1000)
    back = shop.control("refunds", payment_intent=paid.id, amount=250, reason="duplicate")
    assert shop.v1.refunds.retrieve(back["id"]).amount == 250
    event = next(e for e in shop.v1.events.list({"type": "refund.created"}).data if e.data.object["id"] == back["id"])
    assert event.request.id is None
    wrong = requests.post(
        f"{shop.base}/_control/refunds", json={"charge": paid.latest_charge, "amount": 751}, timeout=9
    )
    assert (wrong.status_code, wrong.headers["Content-Type"]) == (422, "application/problem+json")


def test_a_dispute_after_success(shop: Shop) -> None:
    paid = shop.pay("pm_card_createDispute", amount=1000)
    dispute = wait_for(lambda: shop.v1.disputes.list({"payment_intent": paid.id}).data)[0]
    assert (dispute.status, dispute.reason, dispute.amount) == ("needs_response", "fraudulent", 1000)
    assert [(money.amount, money.fee) for money in dispute.balance_transactions] == [(-1000, 1500)]
    assert shop.v1.charges.retrieve(paid.latest_charge).disputed
    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.v1.refunds.create({"payment_intent": paid.id})
    assert refused.value.code == "charge_disputed"
    assert shop.v1.disputes.close(dispute.id).status == "lost"
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        shop.v1.disputes.close(dispute.id)
    told = [e.type for e in shop.v1.events.list({"limit": 100}).data if e.data.object["id"] == dispute.id][::-1]
    assert told == ["charge.dispute.created", "charge.dispute.funds_withdrawn", "charge.dispute.closed"]


def test_a_dispute_step_by_step(shop: Shop) -> None:
    charge = shop.pay(amount=1000).latest_charge
    dispute = shop.control("disputes", charge=charge, amount=700, reason="product_not_received", withdraw=False)["id"]
    assert not shop.v1.disputes.retrieve(dispute).balance_transactions
    shop.control(f"disputes/{dispute}/withdraw")
    shop.control(f"disputes/{dispute}/reinstate")
    shop.control(f"disputes/{dispute}/withdraw")
    won = shop.control(f"disputes/{dispute}/close", status="won")
    assert won["status"] == "won"
    assert [money["amount"] for money in won["balance_transactions"]] == [-700, 700, -700, 700]
    assert requests.post(f"{shop.base}/_control/disputes/{dispute}/close", timeout=SECONDS).status_code == 422
    for wrong in ("disputes/du_none/close", f"disputes/{charge}/close", f"disputes/{dispute}/burn", "nothing"):
        assert requests.post(f"{shop.base}/_control/{wrong}", timeout=SECONDS).status_code == 404


def test_evidence_and_inquiries(shop: Shop) -> None:
    dispute = shop.control("disputes", charge=shop.pay().latest_charge)["id"]
    won = shop.v1.disputes.update(dispute, {"evidence": {"uncategorized_text": "winning_evidence"}})
    assert won.status == "won"
    inquiry = shop.control("disputes", charge=shop.pay().latest_charge, inquiry=True)
    assert (inquiry["status"], inquiry["balance_transactions"]) == ("warning_needs_response", [])
    assert shop.control(f"disputes/{inquiry['id']}/close", status="warning_closed")["status"] == "warning_closed"


def test_what_comes_by_itself_yields_to_what_was_done_by_hand(shop: Shop) -> None:
    charge = shop.pay("pm_card_createDisputeInquiry").latest_charge
    shop.control("disputes", charge=charge)
    wait_for(lambda: not shop.running.stripe.store.rows("SELECT 1 FROM task WHERE ref = ?", charge))
    assert len(shop.v1.disputes.list({"charge": charge}).data) == 1


def test_the_list_of_captured_charges(fresh: Shop) -> None:
    paid = fresh.pay(amount=1000, metadata={"payment": "p-9"})
    fresh.declined("pm_card_chargeDeclined")
    live = fresh.client_for("sk_live_other").v1.payment_intents.create(
        {"amount": 700, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True,
         "payment_method_types": ["card"]}
    )  # fmt: skip
    found = {charge["payment_intent"]: charge for charge in fresh.look("charges")}
    assert set(found) == {paid.id, live.id}
    assert (found[paid.id]["account"], found[paid.id]["livemode"]) == ("shop", False)
    assert (found[live.id]["account"], found[live.id]["livemode"]) == ("other", True)
    assert found[paid.id]["metadata"] == {"payment": "p-9"}
    assert requests.delete(f"{fresh.base}/_control/data", timeout=SECONDS).status_code == 204
    assert fresh.look("charges") == []
