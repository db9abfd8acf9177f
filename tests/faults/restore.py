"""A backup under load, all databases lost some time later, restored, and reconciled with the gateways to the cent."""

import json
import re
import shutil
import time
from decimal import Decimal
from pathlib import Path

import requests

from tests.faults import invariants
from tests.faults.experiment import Experiment, Run
from tests.faults.gateway import PayPalAccount, Shop
from tests.faults.load import Load, at_rate

BEHIND = ("billing-worker", "billing-worker-2")
INVOICE_MINOR = 2_000
PER_SECOND = 20


class Counter(Shop):
    """A business that takes cards, PayPal and cash."""

    def __init__(self, run: Run, clients: int, invoices: int) -> None:
        super().__init__(run, clients)
        self.paypal = PayPalAccount(self.business, self.id)
        self.invoices = [self._invoice(number) for number in range(invoices)]

    def _invoice(self, number: int) -> str:
        client = self.clients[number % len(self.clients)]
        lines = [{"description": "Lesson", "amount_minor": INVOICE_MINOR}]
        asked = {"client_id": client["id"], "lines": lines}
        return str(self.call("POST", "billing", "/invoices", json=asked).json()["number"])

    def taken(self) -> dict[str, int]:
        """Gateway's payment → minor units, as the gateways themselves have it."""
        shown = requests.get(f"{self.paypal.control}/transactions", timeout=30).json()["data"]
        mine = [row for row in shown if row["account"] == self.paypal.email]
        paypal = {row["txn_id"]: int(Decimal(row["amount"]) * 100) for row in mine}
        return paypal | {charge["payment_intent"]: charge["amount"] for charge in self.captured()}

    def known(self) -> dict[str, int]:
        """The same as payments has it."""
        query = (
            "SELECT gateway_payment_id, amount_minor FROM payments WHERE business_id = %s"
            " AND gateway_payment_id IS NOT NULL"
        )
        return {str(key): int(amount) for key, amount in self._run.system.sql("payments", query, self.id)}

    def cash_minor(self) -> int:
        query = (
            "SELECT coalesce(sum(amount_minor), 0) FROM payments WHERE business_id = %s AND gateway_payment_id IS NULL"
        )
        return int(self._run.system.sql("payments", query, self.id)[0][0])


def lose_and_restore(run: Run) -> None:
    """Cards, PayPal and cash before the backup, during it, and after it; then every database is gone."""
    system, each = run.system, 3 if run.quick else 30
    shop = Counter(run, 5, 2 * each)
    _live(shop, range(each))
    system.eventually(lambda: shop.known() == shop.taken(), "what the gateways took so far", 60)
    folder, cash_then = _back_up(run, shop)
    _live(shop, range(each, 2 * each))
    lost = shop.business.pay(shop.clients[0]["id"], 777).json()["id"]
    system.eventually(lambda: shop.known() == shop.taken(), "what the gateways took since", 60)
    for name in BEHIND:
        system.kill(name)
    shop.business.pay(shop.clients[0]["id"], 778)  # a message of the future, left in billing's queue
    system.eventually(lambda: system.queue_depths()["billing"] > 0, "it to wait in the queue")
    began = time.monotonic()
    _lose(run)
    run.figure("lost: payments by gateways, by hand", f"{2 * each}, 2 or more")
    said = system.command("restore", "latest", "--from", str(folder), seconds=300)
    run.figure("restored, s", time.monotonic() - began)
    run.require("the queues were emptied", not any(system.queue_depths().values()), system.queue_depths())
    run.require("events that billing did not have are sent again", _resent(said) > 0, _resent(said))
    run.stage.allowed.lost_mails |= _mails_of_the_lost_time(run)
    run.allow_extra_mails(_sent_again(run))
    for name in system.names:
        if name != "sandbox":
            system.start(name)
    for name in system.names:
        system.wait_ready(name)
    run.figure("from the loss to serving, s", time.monotonic() - began)
    _reconcile(run, said)
    system.eventually(lambda: shop.known() == shop.taken(), "every payment that the gateways took", 60)
    run.stage.settle()
    run.figure("from the loss to whole, s", time.monotonic() - began)
    taken, cash = shop.taken(), shop.cash_minor()
    run.require("payments = what the gateways took, to the cent", shop.known() == taken, f"{sum(taken.values()):,}")
    run.require("cash = what was recorded by the backup", cash in cash_then, f"{cash:,}")
    balances = sum(row["balance_minor"] for row in shop.business.balances())
    wanted = sum(taken.values()) + cash - _invoiced(shop)
    run.require("balances = all of it", balances == wanted, f"{balances:,}")
    gone = shop.call("GET", "payments", f"/payments/{lost}").status_code
    run.require("what was recorded by hand afterwards is gone", gone == 404, gone)


def _live(shop: Counter, numbers: range) -> None:
    for number in numbers:
        shop.pay(number)
        shop.paypal.pay("20.00", shop.invoices[number])


def _back_up(run: Run, shop: Counter) -> tuple[Path, range]:
    """A backup while cash comes and billing is behind; answers below which folder, and how much cash it may hold."""
    system = run.system
    folder = system.folder / f"backups-{run.seed}"
    shutil.rmtree(folder, ignore_errors=True)
    for name in BEHIND:
        system.kill(name)
    load = Load(
        system, shop.business, shop.clients, count=None, seed=run.seed, threads=3, within_seconds=240,
        may_send=at_rate(PER_SECOND),
    ).start()  # fmt: skip
    system.eventually(lambda: system.queue_depths()["billing"] > 0, "events to wait for billing")
    least = shop.cash_minor()
    began = time.monotonic()
    system.command("backup", "--to", str(folder), seconds=300)
    ended = time.monotonic()
    most = shop.cash_minor()
    load.finish()
    for name in BEHIND:
        system.start(name)
    during = load.during(began, ended)
    run.figure("backed up, s", ended - began)
    run.figure("  requests meanwhile", len(during))
    slowest = max((attempt.seconds for attempt in during), default=0.0)
    run.require(
        "every request meanwhile was answered 201", {a.status for a in during} == {201}, f"{slowest:.2f} s at most"
    )
    return folder, range(least, most + 1)


def _lose(run: Run) -> None:
    """Every service dies, and every database with them; then empty ones are made, as `up` does."""
    for name in run.system.names:
        if name != "sandbox" and run.system.is_alive(name):
            run.system.kill(name)
    run.system.drop_databases()
    run.system.create_databases()


def _resent(said: str) -> int:
    line = next(line for line in said.splitlines() if "sent again, as somebody" in line)
    return sum(int(number) for number in re.findall(r"(\d+) of", line))


def _mails_of_the_lost_time(run: Run) -> set[str]:
    """Mails that came, and that nobody here remembers now."""
    remembered = {email_id for (email_id,) in run.system.sql("notifications", "SELECT email_id FROM emails")}
    return set(invariants.delivered(run.system)) - remembered


def _sent_again(run: Run) -> int:
    """Mails that came after the backup, and that are to be sent as far as anybody remembers."""
    queued = run.system.sql("notifications", "SELECT email_id FROM emails WHERE state = 'queued'")
    came = invariants.delivered(run.system)
    return sum(email_id in came for (email_id,) in queued)


def _reconcile(run: Run, said: str) -> None:
    """Do what the restore says is next. A timer may have found some of it before: that all of it is found is asked
    afterwards."""
    began = time.monotonic()
    found = 0
    for service in ("gateway-stripe", "gateway-paypal"):
        line = next(line for line in said.splitlines() if f"remit {service} do reconcile" in line)
        printed = run.system.command(service, *line.split()[2:], seconds=300)
        found += sum(json.loads(line)["healed"] for line in printed.splitlines() if line.startswith("{"))
    run.figure("reconciled, s", time.monotonic() - began)
    run.figure("  found by that, and not by a timer before", found)


def _invoiced(shop: Counter) -> int:
    return INVOICE_MINOR * len(shop.invoices)


EXPERIMENTS = [Experiment("restore", "a backup under load, and all databases lost after it", lose_and_restore)]
