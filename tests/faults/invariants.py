"""The one checker: what must hold of the whole system once nothing is under way. It only reads.

`read` takes the facts from the services' databases, the queues and the sandbox's inbox; `findings` is pure, so that
a test can show of each check that it fails when it should.
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from common import topology
from tests.harness.system import SERVICES, System

SHOWN = 5  # examples in one finding


class Payment(NamedTuple):
    business_id: str
    payment_id: str
    client_id: str
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
class Facts:
    """Everything that the checks look at. `delivered`: e-mail id (from the Message-ID) → how often it came."""

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


@dataclass
class Allowed:
    """What the experiments broke on purpose, so that it is no finding."""

    dead: set[tuple[str, str]] = field(default_factory=set)  # (service, event id)
    failed_mails: int = 0
    extra_mails: int = 0


class Finding(NamedTuple):
    """One thing that is not as it must be."""

    name: str
    detail: str


def read(system: System) -> Facts:
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
        delivered=_delivered(system),
        queues=system.queue_depths(),
    )


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


def _delivered(system: System) -> dict[str, int]:
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
    yield from (f"mail {email_id} came and is not sent" for email_id in facts.delivered.keys() - sent)
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
}
