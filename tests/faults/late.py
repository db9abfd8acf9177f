"""Notices that come days and weeks late, and once more by hand: each payment is applied once."""

import time
from typing import Any

import requests

from tests.faults.experiment import Experiment, Run
from tests.faults.gateway import PayPalAccount, Shop

HOUR_SECONDS = 3_600
DAY_SECONDS = 24 * HOUR_SECONDS
STRIPE_LATE_SECONDS = 72 * HOUR_SECONDS
PAYPAL_LATE_SECONDS = 96 * HOUR_SECONDS
# Beyond how long Stripe keeps an event, and how long a message of PayPal's can be sent again.
OLD_EVENT_SECONDS = 31 * DAY_SECONDS
BY_HAND_SECONDS = 60 * DAY_SECONDS


def stripe_late(run: Run) -> None:
    """The worker is away until then: its timer would ask Stripe, and know before the notices come."""
    count = 10 if run.quick else 100
    shop = Shop(run, 5)
    began = run.stage.clock_offset_seconds
    try:
        shop.faults(delay_seconds=STRIPE_LATE_SECONDS)
        run.system.kill("gateway-stripe-worker")
        for number in range(count):
            shop.pay(number)
        time.sleep(2)
        run.require("nothing was heard of at first", shop.recorded() == 0, shop.recorded())
        run.stage.move_clock(STRIPE_LATE_SECONDS + HOUR_SECONDS)
        _heard(run, shop, "payment_intent.succeeded", count)
        run.system.start("gateway-stripe-worker")
        run.system.eventually(lambda: shop.recorded() == count, f"{count} payments", 120)
        run.stage.settle()
        shop.judge(count, "after 72 hours, signed anew: ")
        shop.faults()
        run.stage.move_clock(OLD_EVENT_SECONDS)
        sent = _resend(run, shop, "payment_intent.succeeded")
        time.sleep(2)
        run.stage.settle()
        run.figure("events sent once more after 31 days", sent)
        shop.judge(count, "after 31 days, once more: ")
    finally:
        shop.faults()
        run.stage.move_clock(began - run.stage.clock_offset_seconds)


def _heard(run: Run, shop: Shop, kind: str, count: int) -> None:
    query = "SELECT count(*) FROM notices WHERE business_id = %s AND type = %s"
    run.system.eventually(
        lambda: run.system.sql("gateway-stripe", query, shop.id, kind)[0][0] == count, f"{count} notices", 120
    )


def _resend(run: Run, shop: Shop, kind: str) -> int:
    """Have every event of a kind sent again that this business was told."""
    rows = run.system.sql(
        "gateway-stripe", "SELECT event_id FROM notices WHERE business_id = %s AND type = %s", shop.id, kind
    )
    for (event_id,) in rows:
        answer = requests.post(f"{shop.url('sandbox')}/stripe/_control/events/{event_id}/resend", timeout=10)
        assert answer.ok, answer.text
    return len(rows)


def paypal_late(run: Run) -> None:
    count = 10 if run.quick else 100
    business, _ = run.stage.studio(1)
    account = PayPalAccount(business)
    began = run.stage.clock_offset_seconds

    def in_tray() -> int:
        query = "SELECT count(*) FROM unmatched WHERE business_id = %s"
        return int(run.system.sql("payments", query, business.id)[0][0])

    def mine() -> list[dict[str, Any]]:
        shown = requests.get(f"{account.control}/ipns", timeout=30).json()["data"]
        return [message for message in shown if message["account"] == account.email]

    try:
        _faults(run, delay_seconds=PAYPAL_LATE_SECONDS)
        for number in range(count):
            account.pay(f"{number + 1}.00")
        time.sleep(2)
        run.require("nothing was heard of at first", in_tray() == 0, in_tray())
        run.stage.move_clock(PAYPAL_LATE_SECONDS + HOUR_SECONDS)
        run.system.eventually(lambda: in_tray() == count, f"{count} in the tray", 120)
        run.stage.settle()
        run.require("after 96 hours: each is there once", in_tray() == count, in_tray())
        _faults(run)
        run.stage.move_clock(BY_HAND_SECONDS)
        before = sum(message["tries"] for message in mine())
        for message in mine():
            assert requests.post(f"{account.control}/ipns/{message['id']}/resend", timeout=10).ok
        run.system.eventually(
            lambda: sum(message["tries"] for message in mine()) >= before + count, "all to be sent again", 60
        )
        run.stage.settle()
        run.figure("messages sent once more by hand after 60 days", count)
        run.require("after 60 days, once more: each is there once", in_tray() == count, in_tray())
        statuses = {message["status"] for message in mine()}
        run.require("each was answered 200", statuses == {200}, statuses)
    finally:
        _faults(run)
        run.stage.move_clock(began - run.stage.clock_offset_seconds)


def _faults(run: Run, **faults: Any) -> None:
    answer = requests.put(f"{run.system.url('sandbox')}/faults", json={"paypal": faults}, timeout=10)
    assert answer.ok, answer.text


EXPERIMENTS = [
    Experiment("late-stripe", "Stripe's callbacks come 72 hours late, and again after 31 days", stripe_late),
    Experiment("late-paypal", "PayPal's messages come 96 hours late, and again by hand after 60 days", paypal_late),
]
