"""The checker can fail: each thing that may go wrong, put into sound facts, is found under its own name."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.faults.invariants import (
    CHECKS,
    Account,
    Allowed,
    Captured,
    Facts,
    FundsMovement,
    JobState,
    Mail,
    Past,
    Payment,
    Published,
    Receipt,
    Received,
    Refund,
    Transfer,
    Unmatched,
    findings,
)

RECORDED = "payments.payment_recorded.v1"
SOUND = Facts(
    payments=[
        Payment("b", "p1", "c", 100),
        Payment("b", "p2", "c", 50, refunded_minor=10, disputed_minor=20, gateway="stripe", gateway_payment_id="pi_2"),
    ],
    receipts=[Receipt("b", "p1", 1), Receipt("b", "p2", 2)],
    transfers=[
        Transfer("b", "c", 1, "client:c", 100, "payment", "payment:p1", 100, "p1"),
        Transfer("b", "c", 2, "client:c", 50, "payment", "payment:p2", 150, "p2"),
        Transfer("b", "c", 3, "adjustments", 30, "adjustment_debit", "adjustment:a", 120),
        Transfer("b", "c", 4, "cash:card", 10, "refund", "refund:r1", 110, "p2"),
        Transfer("b", "c", 5, "cash:card", 20, "funds_withdrawn", "funds:d1", 90, "p2"),
    ],
    accounts=[Account("b", "c", 90, 5), Account("b", "new", 0, 0)],
    outbox={
        "payments": [Published("e1", RECORDED, 1), Published("e2", RECORDED, 2)],
        "billing": [Published("e3", "billing.balance_changed.v1", 1)],  # nobody subscribes to it
        "notifications": [],
        "gateway-stripe": [],
        "gateway-paypal": [],
    },
    inbox={
        "payments": [],
        "billing": [Received("e1", "done", None), Received("e2", "done", None)],
        "notifications": [Received("e1", "done", None), Received("e2", "done", None)],
        "gateway-stripe": [],
        "gateway-paypal": [],
    },
    jobs={
        "payments": [],
        "billing": [],
        "notifications": [JobState("email", "m1", "done")],
        "gateway-stripe": [],
        "gateway-paypal": [],
    },
    mails=[Mail("b", "m1", "receipt:p1:1", "c", "sent"), Mail("b", "m2", "receipt:p2:1", "c", "suppressed")],
    delivered={"m1": 1},
    queues={"payments": 0, "billing": 0, "notifications": 0, "gateway-stripe": 0, "gateway-paypal": 0},
    unmatched=[Unmatched("b", "paypal", "9XY", 70, "EUR")],
    captured=[
        Captured("b", "stripe", "pi_2", 50, "USD", is_live=False),
        Captured("b", "paypal", "9XY", 70, "EUR", is_live=False),
    ],
    refunds=[Refund("p2", 10, "succeeded"), Refund("p2", 40, "failed")],
    movements=[FundsMovement("p2", "withdrawn", 20)],
    modes={"b": {"test"}, "other": {"live"}},
    let_out=[("the log of payments-web", "recorded p1")],
    now=Past({"b/payment:p1/0": "as it is", "b/new": "new"}, {("payments.refunds", "b/r1"): "failed"}),
    before=Past({"b/payment:p1/0": "as it is"}, {("payments.refunds", "b/r1"): "failed"}),
)

Damage = Callable[[Facts], Facts]
DAMAGES: list[tuple[str, str, Damage]] = [
    ("payments = ledger entries", "has 0 entries", lambda f: replace(f, transfers=f.transfers[1:])),
    ("payments = ledger entries", "has 2 entries", lambda f: replace(f, transfers=[*f.transfers, f.transfers[0]])),
    ("payments = ledger entries", "never recorded", lambda f: replace(f, payments=f.payments[:1])),
    (
        "balances = sums of transfers",
        "91 after 5",
        lambda f: replace(f, accounts=[f.accounts[0]._replace(balance_minor=91)]),
    ),
    (
        "balances = sums of transfers",
        "stands at place 5",
        lambda f: replace(f, transfers=[*f.transfers[:4], f.transfers[4]._replace(sequence=6)]),
    ),
    (
        "balances = sums of transfers",
        "the sum is 150",
        lambda f: replace(
            f, transfers=[f.transfers[0], f.transfers[1]._replace(balance_after_minor=149), *f.transfers[2:]]
        ),
    ),
    ("balances = sums of transfers", "no account", lambda f: replace(f, accounts=[])),
    (
        "receipt numbers without a gap",
        "missing [2]",
        lambda f: replace(f, receipts=[f.receipts[0], f.receipts[1]._replace(number=3)]),
    ),
    (
        "receipt numbers without a gap",
        "2 receipts up to number 1",
        lambda f: replace(f, receipts=[f.receipts[0], f.receipts[1]._replace(number=1)]),
    ),
    ("receipt numbers without a gap", "do not match", lambda f: replace(f, receipts=f.receipts[:1])),
    (
        "every event published",
        "1 events wait",
        lambda f: replace(f, outbox={**f.outbox, "billing": [Published("e3", "billing.balance_changed.v1", None)]}),
    ),
    (
        "every event published",
        "share a place",
        lambda f: replace(
            f, outbox={**f.outbox, "payments": [row._replace(position=1) for row in f.outbox["payments"]]}
        ),
    ),
    (
        "every event received once",
        "billing: e1 of payments is not there",
        lambda f: replace(f, inbox={**f.inbox, "billing": f.inbox["billing"][1:]}),
    ),
    (
        "every event received once",
        "twice",
        lambda f: replace(f, inbox={**f.inbox, "billing": [*f.inbox["billing"], f.inbox["billing"][0]]}),
    ),
    (
        "nothing parked or dead",
        "poison",
        lambda f: replace(f, inbox={**f.inbox, "payments": [Received("x", "dead", "poison")]}),
    ),
    (
        "nothing parked or dead",
        "parked",
        lambda f: replace(f, inbox={**f.inbox, "payments": [Received("injected", "parked", "not yet")]}),
    ),
    ("queues empty", "7 messages", lambda f: replace(f, queues={**f.queues, "billing": 7})),
    ("jobs done", "1 jobs are due", lambda f: replace(f, jobs={**f.jobs, "billing": [JobState("x", "k", "due")]})),
    (
        "jobs done",
        "1 jobs failed",
        lambda f: replace(f, jobs={**f.jobs, "notifications": [JobState("email", "m1", "failed")]}),
    ),
    (
        "mails sent = distinct Message-IDs",
        "queued and not sent",
        lambda f: replace(f, mails=[f.mails[0], f.mails[1]._replace(state="queued")]),
    ),
    (
        "mails sent = distinct Message-IDs",
        "1 mails failed",
        lambda f: replace(f, mails=[f.mails[0], f.mails[1]._replace(state="failed")]),
    ),
    ("mails sent = distinct Message-IDs", "never came", lambda f: replace(f, delivered={})),
    ("mails sent = distinct Message-IDs", "is not sent", lambda f: replace(f, delivered={"m1": 1, "m2": 1})),
    ("mails sent = distinct Message-IDs", "came twice", lambda f: replace(f, delivered={"m1": 2})),
    ("one receipt mail per payment", "has 0", lambda f: replace(f, mails=f.mails[:1])),
    (
        "one receipt mail per payment",
        "has 2",
        lambda f: replace(f, mails=[*f.mails, f.mails[1]._replace(email_id="m3")]),
    ),
    (
        "one business along the chain",
        "another client",
        lambda f: replace(f, transfers=[f.transfers[0]._replace(business_id="other"), *f.transfers[1:]]),
    ),
    (
        "one business along the chain",
        "posted as 99",
        lambda f: replace(f, transfers=[f.transfers[0]._replace(amount_minor=99), *f.transfers[1:]]),
    ),
    (
        "one business along the chain",
        "the receipt mail of payment p1",
        lambda f: replace(f, mails=[f.mails[0]._replace(client_id="other"), f.mails[1]]),
    ),
    ("what gateways took is recorded", "which is not recorded", lambda f: replace(f, unmatched=[])),
    ("what gateways took is recorded", "stripe never took pi_2", lambda f: replace(f, captured=f.captured[1:])),
    (
        "what gateways took is recorded",
        "stripe took 51 USD for pi_2",
        lambda f: replace(f, captured=[f.captured[0]._replace(amount_minor=51), f.captured[1]]),
    ),
    (
        "what gateways took is recorded",
        "paypal took 70 USD for 9XY",
        lambda f: replace(f, captured=[f.captured[0], f.captured[1]._replace(currency="USD")]),
    ),
    (
        "what gateways took is recorded",
        "pi_2 is recorded 2 times",
        lambda f: replace(f, payments=[*f.payments, f.payments[1]._replace(payment_id="p3")]),
    ),
    (
        "no more given back than paid",
        "payment p2 of 50 has (41, 0, 20) given back",
        lambda f: replace(f, refunds=[*f.refunds, Refund("p2", 31, "succeeded")]),
    ),
    (
        "no more given back than paid",
        "says (10, 0, 20) given back, and its rows (10, 0, 0)",
        lambda f: replace(f, movements=[]),
    ),
    (
        "no more given back than paid",
        "a refund of payment p2 has the wrong sign",
        lambda f: replace(f, transfers=[*f.transfers[:3], f.transfers[3]._replace(credit_account="client:c")]),
    ),
    (
        "no more given back than paid",
        "has -31 left of payment p2",
        lambda f: replace(f, transfers=[*f.transfers, f.transfers[3]._replace(amount_minor=51)]),
    ),
    (
        "what is written stays",
        "b/payment:p1/0 is not what it was",
        lambda f: replace(f, now=replace(f.now, written={"b/payment:p1/0": "another"})),
    ),
    ("what is written stays", "b/payment:p1/0 is gone", lambda f: replace(f, now=replace(f.now, written={}))),
    (
        "what ended stays so",
        "payments.refunds b/r1 was failed, and is not in an end state",
        lambda f: replace(f, now=replace(f.now, ended={})),
    ),
    (
        "what ended stays so",
        "was failed, and is reversed",
        lambda f: replace(f, now=replace(f.now, ended={("payments.refunds", "b/r1"): "reversed"})),
    ),
    ("test apart from live", "business b has both", lambda f: replace(f, modes={"b": {"live", "test"}})),
    (
        "test apart from live",
        "business b has both",
        lambda f: replace(f, captured=[f.captured[0], f.captured[1]._replace(is_live=True)]),
    ),
    (
        "no secret let out",
        "mail 1 has one that begins whsec_",
        lambda f: replace(f, let_out=[*f.let_out, ("mail 1", "it is whsec_" + "a1b2c3d4e5")]),
    ),
]


def test_sound_facts_have_no_finding():
    assert findings(SOUND, Allowed()) == []


@pytest.mark.parametrize(("name", "words", "damage"), DAMAGES)
def test_damage_is_found(name: str, words: str, damage: Damage):
    found = {finding.name: finding.detail for finding in findings(damage(SOUND), Allowed())}

    assert words in found.get(name, "")


def test_every_check_is_shown_to_fail():
    assert {name for name, _, _ in DAMAGES} == set(CHECKS)


def test_what_was_broken_on_purpose_is_no_finding():
    injected = replace(
        SOUND,
        inbox={**SOUND.inbox, "billing": [*SOUND.inbox["billing"], Received("bad", "dead", "not JSON")]},
        mails=[SOUND.mails[0], SOUND.mails[1]._replace(state="failed")],
        jobs={**SOUND.jobs, "notifications": [JobState("email", "m2", "failed")]},
        delivered={"m1": 2},
    )

    assert findings(injected, Allowed(dead={("billing", "bad")}, failed_mails=1, extra_mails=1)) == []
    assert len(findings(injected, Allowed())) == 3
