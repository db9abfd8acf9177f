"""The checker can fail: each thing that may go wrong, put into sound facts, is found under its own name."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.faults.invariants import (
    CHECKS,
    Account,
    Allowed,
    Facts,
    JobState,
    Mail,
    Payment,
    Published,
    Receipt,
    Received,
    Transfer,
    findings,
)

RECORDED = "payments.payment_recorded.v1"
SOUND = Facts(
    payments=[Payment("b", "p1", "c", 100), Payment("b", "p2", "c", 50)],
    receipts=[Receipt("b", "p1", 1), Receipt("b", "p2", 2)],
    transfers=[
        Transfer("b", "c", 1, "client:c", 100, "payment", "payment:p1", 100),
        Transfer("b", "c", 2, "client:c", 50, "payment", "payment:p2", 150),
        Transfer("b", "c", 3, "adjustments", 30, "adjustment_debit", "adjustment:a", 120),
    ],
    accounts=[Account("b", "c", 120, 3), Account("b", "new", 0, 0)],
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
)

Damage = Callable[[Facts], Facts]
DAMAGES: list[tuple[str, str, Damage]] = [
    ("payments = ledger entries", "has 0 entries", lambda f: replace(f, transfers=f.transfers[1:])),
    ("payments = ledger entries", "has 2 entries", lambda f: replace(f, transfers=[*f.transfers, f.transfers[0]])),
    ("payments = ledger entries", "never recorded", lambda f: replace(f, payments=f.payments[:1])),
    (
        "balances = sums of transfers",
        "120 after 3",
        lambda f: replace(f, accounts=[f.accounts[0]._replace(balance_minor=121)]),
    ),
    (
        "balances = sums of transfers",
        "stands at place 3",
        lambda f: replace(f, transfers=[*f.transfers[:2], f.transfers[2]._replace(sequence=4)]),
    ),
    (
        "balances = sums of transfers",
        "the sum is 150",
        lambda f: replace(
            f, transfers=[f.transfers[0], f.transfers[1]._replace(balance_after_minor=149), f.transfers[2]]
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
