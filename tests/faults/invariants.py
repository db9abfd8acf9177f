"""The one checker: what must hold of the whole system once nothing is under way. It only reads.

`read` takes the facts from the services' databases, the queues and the sandbox's inbox; `findings` is pure, so that
a test can show of each check that it fails when it should.
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import requests

from common import money, topology
from tests.harness.system import SERVICES, System
from tests.integration import secrecy

SHOWN = 5  # examples in one finding
PAYPAL_TAKEN = frozenset({"Completed", "Partially_Refunded", "Refunded", "Reversed", "Canceled_Reversal"})
# Kinds of the ledger that are in a client's favour; the others of a payment take it back.
GIVES_CREDIT = frozenset({"payment", "refund_reversal", "funds_reinstated"})
# Where something ends: (service, table) → columns of its key, column of its state, the states that it never leaves.
# Jobs and dead events are not among them: operators begin those again. Nor are rows that are deleted when they are old.
ENDED = {
    ("payments", "refunds"): ("business_id, refund_id", "status", {"failed", "reversed"}),
    ("payments", "disputes"): ("business_id, gateway_dispute_id", "state", {"won", "lost", "withdrawn"}),
    ("payments", "unmatched"): ("business_id, unmatched_id", "state", {"assigned"}),
    ("billing", "refunds_under_way"): ("business_id, refund_id", "state", {"closed"}),
    ("billing", "announced_payments"): ("business_id, gateway, gateway_payment_id", "state", {"arrived"}),
    ("notifications", "emails"): ("email_id", "state", {"sent", "suppressed"}),
    ("gateway-stripe", "operations"): ("business_id, operation_id", "state", {"done", "refused", "resolved"}),
    ("gateway-paypal", "operations"): ("business_id, operation_id", "state", {"done", "refused", "resolved"}),
    ("gateway-paypal", "checkouts"): ("business_id, checkout_id", "state", {"paid"}),
}


class Payment(NamedTuple):
    """Where a gateway was paid, `gateway` and `gateway_payment_id` say which and how it calls it."""

    business_id: str
    payment_id: str
    client_id: str
    amount_minor: int
    currency: str = "USD"
    refunded_minor: int = 0
    refund_pending_minor: int = 0
    disputed_minor: int = 0
    gateway: str | None = None
    gateway_payment_id: str | None = None


class Unmatched(NamedTuple):
    """Money in the tray; what was assigned from it is a payment as well."""

    business_id: str
    gateway: str
    gateway_payment_id: str
    amount_minor: int
    currency: str


class Captured(NamedTuple):
    """A payment as the gateway has it."""

    business_id: str
    gateway: str
    gateway_payment_id: str
    amount_minor: int
    currency: str
    is_live: bool


class Refund(NamedTuple):
    payment_id: str
    amount_minor: int
    status: str


class FundsMovement(NamedTuple):
    payment_id: str
    direction: str
    amount_minor: int


class Receipt(NamedTuple):
    business_id: str
    payment_id: str
    number: int


class Transfer(NamedTuple):
    business_id: str
    client_id: str
    sequence: int
    credit_account: str
    amount_minor: int
    kind: str
    source: str
    balance_after_minor: int
    payment_id: str | None = None

    @property
    def change_minor(self) -> int:
        return self.amount_minor if self.credit_account == f"client:{self.client_id}" else -self.amount_minor


class Account(NamedTuple):
    business_id: str
    client_id: str
    balance_minor: int
    sequence: int


class Published(NamedTuple):
    event_id: str
    routing_key: str
    position: int | None


class Received(NamedTuple):
    event_id: str
    state: str
    reason: str | None


class JobState(NamedTuple):
    kind: str
    key: str
    state: str


class Mail(NamedTuple):
    business_id: str
    email_id: str
    about: str
    client_id: str | None
    state: str


@dataclass(frozen=True)
class Past:
    """What may not change any more. `written`: row of the ledger, or issued receipt → a digest of all of it. `ended`:
    (table, key) → the state in which it ended."""

    written: Mapping[str, str] = field(default_factory=dict)
    ended: Mapping[tuple[str, str], str] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """Everything that the checks look at. `delivered`: e-mail id (from the Message-ID) → how often it came. `modes`:
    business → modes (test, live) of what its gateways did. `let_out`: (where, text) of what leaves the services.
    `before`: how it was after the experiment before this one."""

    payments: Sequence[Payment]
    receipts: Sequence[Receipt]
    transfers: Sequence[Transfer]
    accounts: Sequence[Account]
    outbox: Mapping[str, Sequence[Published]]
    inbox: Mapping[str, Sequence[Received]]
    jobs: Mapping[str, Sequence[JobState]]
    mails: Sequence[Mail]
    delivered: Mapping[str, int]
    queues: Mapping[str, int]
    unmatched: Sequence[Unmatched] = ()
    captured: Sequence[Captured] = ()
    refunds: Sequence[Refund] = ()
    movements: Sequence[FundsMovement] = ()
    modes: Mapping[str, Set[str]] = field(default_factory=dict)
    let_out: Sequence[tuple[str, str]] = ()
    now: Past = Past()
    before: Past = Past()


@dataclass
class Allowed:
    """What the experiments broke on purpose, so that it is no finding."""

    dead: set[tuple[str, str]] = field(default_factory=set)  # (service, event id)
    failed_mails: int = 0
    extra_mails: int = 0
    lost_mails: set[str] = field(default_factory=set)  # sent in a time that a restore took back


class Finding(NamedTuple):
    """One thing that is not as it must be."""

    name: str
    detail: str


def read(system: System, before: Past) -> Facts:
    """The facts of a running system."""
    return Facts(
        payments=_rows(system, "payments", Payment, "payments"),
        receipts=_rows(system, "payments", Receipt, "receipts WHERE revision = 1"),
        transfers=_rows(system, "billing", Transfer, "transfers ORDER BY business_id, client_id, sequence"),
        accounts=_rows(system, "billing", Account, "client_accounts"),
        outbox={service: _rows(system, service, Published, "outbox") for service in SERVICES},
        inbox={service: _rows(system, service, Received, "inbox") for service in SERVICES},
        jobs={service: _rows(system, service, JobState, "jobs") for service in SERVICES},
        mails=_rows(system, "notifications", Mail, "emails"),
        delivered=delivered(system),
        queues=system.queue_depths(),
        unmatched=_rows(system, "payments", Unmatched, "unmatched"),
        captured=[*_taken_by_stripe(system), *_taken_by_paypal(system)],
        refunds=_rows(system, "payments", Refund, "refunds"),
        movements=_rows(system, "payments", FundsMovement, "funds_movements"),
        modes=_modes(system),
        let_out=list(_let_out(system)),
        now=past(system),
        before=before,
    )


def past(system: System) -> Past:
    """What may not change any more of what there is by now."""
    written = dict(
        system.sql("billing", "SELECT concat_ws('/', business_id, source, line), md5(t::text) FROM transfers t")
    )
    written |= dict(
        system.sql("payments", "SELECT concat_ws('/', business_id, number, revision), md5(r::text) FROM receipts r")
    )
    ended = {}
    for (service, table), (key, column, states) in ENDED.items():
        query = f"SELECT concat_ws('/', {key}), {column} FROM {table} WHERE {column} = ANY(%s)"
        ended |= {(f"{service}.{table}", name): state for name, state in system.sql(service, query, list(states))}
    return Past(written, ended)


def findings(facts: Facts, allowed: Allowed) -> list[Finding]:
    """What does not hold, by the name of the check."""
    found = []
    for name, check in CHECKS.items():
        details = list(check(facts, allowed))
        if details:
            more = f" … and {len(details) - SHOWN} more" if len(details) > SHOWN else ""
            found.append(Finding(name, "; ".join(details[:SHOWN]) + more))
    return found


def _rows(system: System, service: str, shape: Any, source: str) -> list[Any]:
    return [shape(*row) for row in system.sql(service, f"SELECT {', '.join(shape._fields)} FROM {source}")]


def _taken_by_stripe(system: System) -> Iterator[Captured]:
    charges = requests.get(f"{system.url('sandbox')}/stripe/_control/charges", timeout=60).json()["data"]
    for charge in charges:
        marks = charge["metadata"]  # a test transaction proves keys, and is no payment
        if (business_id := marks.get("remit_business")) is not None and "remit_test" not in marks:
            yield Captured(
                business_id, "stripe", charge["payment_intent"], charge["amount"], charge["currency"].upper(),
                charge["livemode"],
            )  # fmt: skip


def _taken_by_paypal(system: System) -> Iterator[Captured]:
    accounts = {
        email: (business_id, mode)
        for business_id, email, mode in system.sql(
            "gateway-paypal", "SELECT business_id, business_email, mode FROM paypal_accounts"
        )
    }
    shown = requests.get(f"{system.url('sandbox')}/paypal/_control/transactions", timeout=60).json()["data"]
    for found in shown:
        if found["account"] in accounts and found["parent_txn_id"] is None and found["status"] in PAYPAL_TAKEN:
            business_id, mode = accounts[found["account"]]
            amount = money.parse_major(found["amount"], found["currency"])
            yield Captured(business_id, "paypal", found["txn_id"], amount, found["currency"], mode == "live")


def _modes(system: System) -> dict[str, set[str]]:
    """Of what was done: what was refused, or was nobody's, has left nothing."""
    found: dict[str, set[str]] = defaultdict(set)
    for service in ("gateway-stripe", "gateway-paypal"):
        query = (
            "SELECT DISTINCT business_id, mode FROM operations WHERE state IN ('done', 'resolved') UNION"
            " SELECT DISTINCT business_id, mode FROM notices WHERE state = 'done'"
        )
        for business_id, mode in system.sql(service, query):
            found[business_id].add("live" if mode == "live" else "test")
    return found


def _let_out(system: System) -> Iterator[tuple[str, str]]:
    """Logs, the newest mails, and the events that the database itself finds a secret in: they are too many to read."""
    yield from secrecy.logged(system)
    yield from secrecy.mailed(system)
    for service in SERVICES:
        query = "SELECT event_id, body FROM outbox WHERE body ~ %s LIMIT 10"
        for event_id, body in system.sql(service, query, secrecy.SECRET.pattern.replace(r"\b", r"\y")):
            yield f"event {event_id} of {service}", body


def delivered(system: System) -> dict[str, int]:
    # The file, not the API: ten thousand mails with their texts are no answer to a count.
    path = system.folder / "sandbox" / "mail.sqlite3"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as box:
        rows = box.execute("SELECT message_id, count(*) FROM mail GROUP BY message_id").fetchall()
    return {(message_id or "").strip("<>").partition("@")[0]: count for message_id, count in rows}


def _posted_once(facts: Facts, _: Allowed) -> Iterator[str]:
    entries = Counter(row.source for row in facts.transfers if row.kind == "payment")
    for payment in facts.payments:
        if (count := entries.pop(f"payment:{payment.payment_id}", 0)) != 1:
            yield f"payment {payment.payment_id} has {count} entries"
    yield from (f"{source} is posted and was never recorded" for source in entries)


def _balances_add_up(facts: Facts, _: Allowed) -> Iterator[str]:
    by_client = defaultdict(list)
    for row in facts.transfers:
        by_client[row.business_id, row.client_id].append(row)
    for account in facts.accounts:
        total = 0
        rows = by_client.pop((account.business_id, account.client_id), [])
        for place, row in enumerate(sorted(rows, key=lambda row: row.sequence), start=1):
            total += row.change_minor
            if row.sequence != place or row.balance_after_minor != total:
                yield (
                    f"client {row.client_id}: transfer {row.sequence} stands at place {place} with"
                    f" {row.balance_after_minor} after it, and the sum is {total}"
                )
                break
        if (account.balance_minor, account.sequence) != (total, len(rows)):
            yield (
                f"client {account.client_id}: {account.balance_minor} after {account.sequence} stored,"
                f" {total} after {len(rows)} transfers"
            )
    yield from (f"client {client_id} has transfers and no account" for _, client_id in by_client)


def _receipts_gapless(facts: Facts, _: Allowed) -> Iterator[str]:
    numbers = defaultdict(list)
    for receipt in facts.receipts:
        numbers[receipt.business_id].append(receipt.number)
    for business_id, taken in numbers.items():
        if sorted(taken) != list(range(1, len(taken) + 1)):
            missing = sorted(set(range(1, max(taken) + 1)) - set(taken))[:SHOWN]
            yield f"business {business_id}: {len(taken)} receipts up to number {max(taken)}, missing {missing}"
    without = {payment.payment_id for payment in facts.payments} ^ {receipt.payment_id for receipt in facts.receipts}
    yield from (f"payment {payment_id} and receipts do not match" for payment_id in without)


def _all_published(facts: Facts, _: Allowed) -> Iterator[str]:
    for service, rows in facts.outbox.items():
        positions = [row.position for row in rows if row.position is not None]
        if len(positions) < len(rows):
            yield f"{service}: {len(rows) - len(positions)} events wait in the outbox"
        if len(set(positions)) < len(positions):
            yield f"{service}: two events share a place in the feed"


def _all_received_once(facts: Facts, allowed: Allowed) -> Iterator[str]:
    for service in topology.SUBSCRIPTIONS:
        keys = set(topology.routing_keys(service))
        states = {row.event_id: row.state for row in facts.inbox[service]}
        if len(states) < len(facts.inbox[service]):
            yield f"{service}: an event stands twice in the inbox"
        for producer, rows in facts.outbox.items():
            for row in rows:
                is_due = row.routing_key in keys and (service, row.event_id) not in allowed.dead
                if is_due and states.get(row.event_id) != "done":
                    yield f"{service}: {row.event_id} of {producer} is {states.get(row.event_id, 'not there')}"


def _none_troubled(facts: Facts, allowed: Allowed) -> Iterator[str]:
    for service, rows in facts.inbox.items():
        for row in rows:
            if row.state == "parked" or (row.state == "dead" and (service, row.event_id) not in allowed.dead):
                yield f"{service}: {row.event_id} is {row.state}: {row.reason}"


def _queues_empty(facts: Facts, _: Allowed) -> Iterator[str]:
    yield from (f"{count} messages in the queue of {service}" for service, count in facts.queues.items() if count)


def _jobs_done(facts: Facts, allowed: Allowed) -> Iterator[str]:
    for service, rows in facts.jobs.items():
        states = Counter(row.state for row in rows if row.state != "done")
        failed = states.pop("failed", 0)
        if failed > (allowed.failed_mails if service == "notifications" else 0):
            yield f"{service}: {failed} jobs failed"
        yield from (f"{service}: {count} jobs are {state}" for state, count in states.items())


def _mails_sent(facts: Facts, allowed: Allowed) -> Iterator[str]:
    states = Counter(mail.state for mail in facts.mails)
    if states["queued"]:
        yield f"{states['queued']} mails are queued and not sent"
    if states["failed"] != allowed.failed_mails:
        yield f"{states['failed']} mails failed, {allowed.failed_mails} were made to"
    sent = {mail.email_id for mail in facts.mails if mail.state == "sent"}
    yield from (f"mail {email_id} is sent and never came" for email_id in sent - facts.delivered.keys())
    yield from (
        f"mail {email_id} came and is not sent" for email_id in facts.delivered.keys() - sent - allowed.lost_mails
    )
    extra = sum(facts.delivered.values()) - len(facts.delivered)
    if extra > allowed.extra_mails:
        yield f"{extra} mails came twice, at most {allowed.extra_mails} may"


def _one_receipt_mail(facts: Facts, _: Allowed) -> Iterator[str]:
    about = Counter(mail.about for mail in facts.mails)
    for payment in facts.payments:
        if (count := about[f"receipt:{payment.payment_id}:1"]) != 1:
            yield f"payment {payment.payment_id} has {count} receipt mails"


def _same_business_along_the_chain(facts: Facts, _: Allowed) -> Iterator[str]:
    owners = {payment.payment_id: (payment.business_id, payment.client_id) for payment in facts.payments}
    amounts = {payment.payment_id: payment.amount_minor for payment in facts.payments}
    for row in facts.transfers:
        payment_id = row.source.partition(":")[2]
        if row.kind == "payment" and payment_id in owners:
            if (row.business_id, row.client_id) != owners[payment_id]:
                yield f"payment {payment_id} is posted for another client"
            if row.change_minor != amounts[payment_id]:
                yield f"payment {payment_id} is {amounts[payment_id]} and posted as {row.change_minor}"
    for mail in facts.mails:
        kind, _, rest = mail.about.partition(":")
        payment_id = rest.rpartition(":")[0]
        if kind == "receipt" and owners.get(payment_id) != (mail.business_id, mail.client_id):
            yield f"the receipt mail of payment {payment_id} goes to another client"


def _taken_is_recorded(facts: Facts, _: Allowed) -> Iterator[str]:
    """Once, with its amount and currency, as a payment or in the tray."""
    recorded = Counter(
        (row.business_id, row.gateway, row.gateway_payment_id) for row in facts.payments if row.gateway is not None
    )
    amounts = {
        (row.business_id, row.gateway, row.gateway_payment_id): (row.amount_minor, row.currency)
        for row in (*facts.unmatched, *facts.payments)
        if row.gateway is not None
    }
    yield from (f"{key[1]} {key[2]} is recorded {count} times" for key, count in recorded.items() if count > 1)
    for taken in facts.captured:
        found = amounts.pop((taken.business_id, taken.gateway, taken.gateway_payment_id), None)
        if found is None:
            yield f"{taken.gateway} took {taken.gateway_payment_id}, which is not recorded"
        elif found != (taken.amount_minor, taken.currency):
            sum_taken = f"{taken.amount_minor} {taken.currency}"
            yield f"{taken.gateway} took {sum_taken} for {taken.gateway_payment_id}, not {found}"
    yield from (f"{gateway} never took {payment_id}" for _, gateway, payment_id in amounts)


def _not_more_given_back(facts: Facts, _: Allowed) -> Iterator[str]:
    refunded: Counter[tuple[str, bool]] = Counter()
    for refund in facts.refunds:
        if refund.status in ("succeeded", "pending"):
            refunded[refund.payment_id, refund.status == "pending"] += refund.amount_minor
    withdrawn: Counter[str] = Counter()
    for row in facts.movements:
        withdrawn[row.payment_id] += row.amount_minor if row.direction == "withdrawn" else -row.amount_minor
    left: Counter[str] = Counter()
    for transfer in facts.transfers:
        if transfer.payment_id is not None:
            left[transfer.payment_id] += transfer.change_minor
            if (transfer.change_minor > 0) != (transfer.kind in GIVES_CREDIT):
                yield f"a {transfer.kind} of payment {transfer.payment_id} has the wrong sign"
    for row in facts.payments:
        said = (row.refunded_minor, row.refund_pending_minor, row.disputed_minor)
        sums = (refunded[row.payment_id, False], refunded[row.payment_id, True], withdrawn[row.payment_id])
        if said != sums:
            yield f"payment {row.payment_id} says {said} given back, and its rows {sums}"
        if min(sums) < 0 or sum(sums) > row.amount_minor:
            yield f"payment {row.payment_id} of {row.amount_minor} has {sums} given back"
        if left[row.payment_id] < 0:
            yield f"the ledger has {left[row.payment_id]} left of payment {row.payment_id}"


def _never_rewritten(facts: Facts, _: Allowed) -> Iterator[str]:
    for name, digest in facts.before.written.items():
        if (found := facts.now.written.get(name)) != digest:
            yield f"{name} is {'gone' if found is None else 'not what it was'}"


def _ended_stays_so(facts: Facts, _: Allowed) -> Iterator[str]:
    for name, state in facts.before.ended.items():
        if (found := facts.now.ended.get(name)) != state:
            yield f"{' '.join(name)} was {state}, and is {found or 'not in an end state'}"


def _test_apart_from_live(facts: Facts, _: Allowed) -> Iterator[str]:
    modes: dict[str, set[str]] = defaultdict(set)
    for business_id, found in facts.modes.items():
        modes[business_id] |= found
    for taken in facts.captured:
        modes[taken.business_id].add("live" if taken.is_live else "test")
    yield from (f"business {business_id} has both" for business_id, found in modes.items() if len(found) > 1)


def _no_secret_let_out(facts: Facts, _: Allowed) -> Iterator[str]:
    for where, text in facts.let_out:
        if (found := secrecy.SECRET.search(text)) is not None:
            yield f"{where} has one that begins {found[0][:8]}"


CHECKS: dict[str, Callable[[Facts, Allowed], Iterator[str]]] = {
    "payments = ledger entries": _posted_once,
    "balances = sums of transfers": _balances_add_up,
    "receipt numbers without a gap": _receipts_gapless,
    "every event published": _all_published,
    "every event received once": _all_received_once,
    "nothing parked or dead": _none_troubled,
    "queues empty": _queues_empty,
    "jobs done": _jobs_done,
    "mails sent = distinct Message-IDs": _mails_sent,
    "one receipt mail per payment": _one_receipt_mail,
    "one business along the chain": _same_business_along_the_chain,
    "what gateways took is recorded": _taken_is_recorded,
    "no more given back than paid": _not_more_given_back,
    "what is written stays": _never_rewritten,
    "what ended stays so": _ended_stays_so,
    "test apart from live": _test_apart_from_live,
    "no secret let out": _no_secret_let_out,
}
