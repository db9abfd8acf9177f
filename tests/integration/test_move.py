"""Moving a `make run` that has been lived in to processes with RabbitMQ and PostgreSQL: refused while something is in
the way, gone on with after a failure, and then everybody and everything goes on where it was."""

import contextlib
import fcntl
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from billing.timers import remind
from common import auth, migrate, sealing
from common.service import find
from common.testing import ServiceUnderTest, eventually
from tests.faults.invariants import Allowed, Finding, Past, findings, past, read
from tests.harness.embedded import Embedded
from tests.harness.lived_in import lived_in
from tests.harness.portal import Visitor, invitation
from tests.harness.servers import Servers
from tests.harness.system import REMIT, SERVICES, System
from tests.integration import paypal, story

pytestmark = [pytest.mark.broker, pytest.mark.timeout(420)]

WEBS = (*SERVICES, "portal")
# Tables that a life leaves empty, and why.
EMPTY = {
    ("billing", "jobs"): "it calls nobody outside",
    ("payments", "jobs"): "it calls nobody outside",
    ("notifications", "timers"): "it does nothing by the clock",
    ("gateway-stripe", "idempotency_keys"): "its operations keep their keys themselves",
    ("gateway-paypal", "idempotency_keys"): "its operations keep their keys themselves",
    ("portal", "outbox"): "it tells nobody",
    ("portal", "inbox"): "it takes no events",
    ("portal", "jobs"): "it calls nobody outside by itself",
    ("portal", "timers"): "it does nothing by the clock",
    ("portal", "idempotency_keys"): "its forms carry a mark of their own",
}
LATE_MINOR = 4_321


class Second:
    """A second business of the same run, with the words of `Remit`."""

    def __init__(self, remit: Embedded) -> None:
        self._remit = remit
        headers = {"Authorization": f"Bearer {remit.endpoints['token']}"}
        body = {"name": "Second Studio", "currency": "USD", "time_zone": "Europe/Rome"}
        made = requests.post(f"{remit.url('billing')}/v1/businesses", json=body, headers=headers, timeout=20)
        self.id: str = made.json()["id"]

    def url(self, service: str) -> str:
        return self._remit.url(service)

    def call(self, method: str, service: str, path: str, **options: Any) -> requests.Response:
        return self._remit.call(method, service, path, self.id, **options)


@dataclass
class Life:
    """What was, up to the moment when `make run` was stopped. Addresses and tokens are good after the move as well."""

    remit: Embedded
    second: Second
    facts: dict[str, str]
    staff: Visitor
    ada: str
    balances: list[Any] = field(default_factory=list)
    receipt: bytes = b""
    late: str = ""
    again: str = ""

    def shown_balances(self) -> list[Any]:
        return [story.pages(remit, "billing", "/balances") for remit in (self.remit, self.second)]

    def receipt_pdf(self) -> bytes:
        answer = self.remit.call("GET", "payments", f"/payments/{self.facts['payment_id']}/receipt.pdf")
        assert answer.headers["Content-Type"] == "application/pdf", answer.text
        return answer.content

    def receipts_of(self, payment_id: str) -> list[str]:
        mails = story.pages(self.remit, "notifications", "/emails")
        return [mail["status"] for mail in mails if mail["about"].startswith(f"receipt:{payment_id}:")]


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    remit = Embedded(tmp_path_factory.mktemp("life"), demo=True)
    try:
        facts = lived_in(remit)
        second = Second(remit)
        _live(remit, second, facts)
        staff = Visitor(remit.url("portal")).sign_in(**remit.endpoints["staff"])
        found = Life(remit, second, facts, staff, facts["client_id"])
        found.balances, found.receipt = found.shown_balances(), found.receipt_pdf()
        # From here on no mail is taken: the receipt of this one is still to be sent when everything stops.
        remit.faults({"mail": {"fail_next": 1000}})
        found.again = _paid(remit, found.ada, 100)
        eventually(lambda: found.receipts_of(found.again) == ["queued"], "its mail to wait")
    finally:
        remit.stop()
    found.late = _leave_unpublished(found)
    return found


def _live(remit: Embedded, second: Second, facts: dict[str, str]) -> None:
    """What `lived_in` leaves out of what can be in a table."""
    ada = facts["client_id"]
    story.tell_of_an_invoice(second)
    story.tell_of_a_card(second)
    paypal.tell(second)
    cora = second.call("GET", "billing", "/clients", params={"q": "Cora"}).json()["items"][0]["id"]
    disputed = story.save_card(second, cora, "pm_card_createDispute")
    charge = {"client_id": cora, "amount_minor": 900, "payment_method_id": disputed}
    _done(second.call("POST", "gateway-stripe", "/stripe/charges", json=charge))
    unmatched = f"/unmatched/{facts['unmatched_id']}/assign"
    _done(remit.call("POST", "payments", unmatched, json={"client_id": ada, "remember_payer": True}))
    _done(remit.call("PUT", "billing", f"/clients/{ada}/invoicing", json={"frequency": "monthly"}))
    _done(remit.call("PUT", "billing", "/reminders", json={"owed_every_days": 1}))
    _done(remit.call("PUT", "notifications", "/email-settings", json={"from_name": "Harmony"}))
    _done(remit.call("PUT", "notifications", "/email-texts/receipt", json={"intro": "Dear {client},"}))
    invitation(remit, "staff", "new@harmony.example")
    folder = remit.var_dir
    eventually(lambda: tables(folder)["payments", "funds_movements"], "the disputed money to be taken back")
    waiting = "SELECT count(*) FROM outbox WHERE position IS NULL"
    eventually(lambda: not any(_number(folder, service, waiting) for service in WEBS), "everything to be told")


def _done(answer: requests.Response) -> None:
    assert answer.ok, answer.text


def _paid(remit: Embedded, client_id: str, amount_minor: int) -> str:
    body = {"client_id": client_id, "amount_minor": amount_minor, "method": "cash"}
    return str(remit.call("POST", "payments", "/payments", json=body).json()["id"])


def _leave_unpublished(life: Life) -> str:
    """What a death between a commit and the relay leaves: a payment that nobody heard of, reminders and a held session
    that nobody was told of, and an event that all have taken while the outbox does not know it. Answers the payment."""
    path = f"/v1/businesses/{life.remit.id}"
    payments, billing = (ServiceUnderTest(name, life.remit.var_dir) for name in ("payments", "billing"))
    body = {"client_id": life.ada, "amount_minor": LATE_MINOR, "method": "cash"}
    made = payments.call("POST", f"{path}/payments", body)
    remind(billing.runtime)
    assert billing.call("POST", f"{path}/sessions/{life.facts['session_id']}/complete").status_code == 200
    payments.close()
    billing.close()
    with closing(sqlite3.connect(life.remit.var_dir / "billing.sqlite")) as file, file:
        file.execute(
            "UPDATE outbox SET position = NULL, published_at = NULL"
            " WHERE seq = (SELECT max(seq) FROM outbox WHERE position IS NOT NULL AND type = 'InvoiceIssued')"
        )
    return str(made.json["id"])


class Moved(System):
    """A system that goes on where a life ended, at the same addresses. The move is tried three times: with something in
    the way, with a database that breaks at the commit, and for good."""

    def __init__(self, servers: Servers, life: Life) -> None:
        super().__init__(servers, portal=True)
        self.port_base = int(life.remit.environ["PORT_BASE"])
        self.var_dir = life.remit.var_dir
        self.tries: list[subprocess.CompletedProcess[str]] = []
        self.counts: list[dict[tuple[str, str], int]] = []
        self.arrived = Past()
        auth.adopt_keys(self.folder / "keys", self.var_dir / "keys")
        sealing.adopt_keys(self.folder / "keys" / "seal.key.json", self.var_dir / "keys" / "seal.key.json")
        shutil.copytree(self.var_dir / "sandbox", self.folder / "sandbox")

    def fill_databases(self) -> None:
        for name in ("payments", "notifications"):
            self.command(name, "migrate")
        self._change("payments", "INSERT INTO receipt_counters (business_id, last_number) VALUES ('other', 1)")
        self.try_to_move()
        self._change("payments", "DELETE FROM receipt_counters")
        self._change(
            "notifications",
            "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the disk is full'; END $$",
            "CREATE CONSTRAINT TRIGGER broken AFTER INSERT ON emails DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION broken()",
        )
        self.try_to_move()
        self._change("notifications", "DROP TRIGGER broken ON emails", "DROP FUNCTION broken")
        self.try_to_move()
        self.arrived = past(self)

    def try_to_move(self) -> None:
        self.tries.append(move(self.var_dir, self.database_url("{service}")))
        self.counts.append({
            (service, table): self._count(service, table) for service, table in tables(self.var_dir)
        })  # fmt: skip

    def _count(self, service: str, table: str) -> int:
        there = self.sql(service, "SELECT to_regclass(%s) IS NOT NULL", table)[0][0]
        return int(self.sql(service, f"SELECT count(*) FROM {table}")[0][0]) if there else 0

    def _change(self, service: str, *statements: str) -> None:
        with psycopg.connect(self.database_url(service)) as connection:
            for statement in statements:
                connection.execute(statement)


def move(folder: Path, to: str) -> "subprocess.CompletedProcess[str]":
    environ = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    return subprocess.run(
        [*REMIT, "move", "--from", str(folder), "--to", to], env=environ, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip


def tables(folder: Path) -> dict[tuple[str, str], int]:
    """(service, table) → rows, of all files."""
    return {
        (service, table.name): _number(folder, service, f'SELECT count(*) FROM "{table.name}"')
        for service in WEBS
        for table in migrate.merged(find(service).metadata).sorted_tables
    }


def _number(folder: Path, service: str, query: str) -> int:
    with closing(sqlite3.connect(folder / f"{service}.sqlite", timeout=10)) as file:
        return int(file.execute(query).fetchone()[0])


@pytest.fixture(scope="module")
def moved(servers: Servers, life: Life) -> Iterator[Moved]:
    with Moved(servers, life) as system:
        yield system


def test_every_table_has_rows_to_move(life: Life) -> None:
    assert {table for table, rows in tables(life.remit.var_dir).items() if not rows} == set(EMPTY)


def test_a_folder_that_is_in_use_or_not_whole_is_refused(life: Life, tmp_path: Path) -> None:
    to = "postgresql://nobody@127.0.0.1:9/{service}"
    with (life.remit.var_dir / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        used = move(life.remit.var_dir, to)
    assert used.returncode == 2
    assert "stop it first" in used.stderr
    assert "there is no" in move(tmp_path, to).stderr
    assert "{service}" in move(life.remit.var_dir, "postgresql://nobody@127.0.0.1:9/all").stderr
    away = move(life.remit.var_dir, to).stderr
    assert all(f"{service}: its database does not answer" in away for service in WEBS)


def test_nothing_moves_while_one_database_is_not_empty(moved: Moved) -> None:
    assert moved.tries[0].returncode == 2
    assert "payments: the database has rows that are not those of" in moved.tries[0].stderr
    assert sum(moved.counts[0].values()) == 1


def test_a_move_that_broke_at_a_commit_goes_on(life: Life, moved: Moved) -> None:
    broken, whole = moved.tries[1:]
    files = tables(life.remit.var_dir)
    assert broken.returncode == 2
    assert (
        "moved: billing, gateway-paypal, gateway-stripe; not known to have moved: notifications, pay" in broken.stderr
    )
    first = {"billing", "gateway-paypal", "gateway-stripe"}
    assert moved.counts[1] == {(name, table): rows * (name in first) for (name, table), rows in files.items()}
    assert whole.returncode == 0, whole.stderr
    assert all(f"{name}: has moved already" in whole.stdout for name in first)
    assert moved.counts[2] == files
    for (name, table), rows in files.items():
        if name not in first:
            assert f"{name}: {table}: {rows} rows, digest " in whole.stdout


def test_nothing_moves_while_services_run(life: Life, moved: Moved) -> None:
    refused = move(life.remit.var_dir, moved.database_url("{service}"))
    assert refused.returncode == 2
    for service in SERVICES:  # whoever has a worker; the portal's web connects when it is asked something
        assert f"{service}: remit-{service} uses the database; stop every service first" in refused.stderr


def test_all_goes_on_where_it_was(life: Life, moved: Moved) -> None:
    remit = life.remit
    eventually(moved.is_quiet, "what had waited to be done", 90)
    owed = remit.call("GET", "billing", f"/sessions/{life.facts['session_id']}").json()["price_minor"]
    _one_more(life.balances, life.ada, 100 + LATE_MINOR - owed)
    assert [_minor(shown) for shown in life.shown_balances()] == [_minor(shown) for shown in life.balances]
    assert life.receipts_of(life.again) == life.receipts_of(life.late) == ["sent"]
    assert life.receipt_pdf() == life.receipt
    _check_people(life)
    new = _paid(remit, life.ada, 2_500)
    charge = {"client_id": life.ada, "amount_minor": 1_300, "payment_method_id": life.facts["card_id"]}
    charged = remit.call("POST", "gateway-stripe", "/stripe/charges", json=charge).json()
    assert charged["status"] == "succeeded"
    _one_more(life.balances, life.ada, 3_800)
    eventually(
        lambda: [_minor(shown) for shown in life.shown_balances()] == [_minor(shown) for shown in life.balances],
        "both to be booked",
    )
    eventually(lambda: life.receipts_of(new) == ["sent"], "the receipt")


def _minor(shown: list[Any]) -> dict[str, int]:
    return {line["client_id"]: line["balance_minor"] for line in shown}


def _one_more(balances: list[Any], client_id: str, change_minor: int) -> None:
    for line in balances[0]:
        if line["client_id"] == client_id:
            line["balance_minor"] += change_minor


def _check_people(life: Life) -> None:
    """Who is signed in stays so, old passwords are good, and so is a team's secret."""
    assert life.staff.get("/clients").status_code == 200
    for who in ("staff", "client"):
        person = life.remit.endpoints[who]
        Visitor(life.remit.url("portal")).sign_in(person["email"], person["password"])


def _found(moved: Moved, allowed: Allowed) -> list[Finding]:
    return findings(read(moved, moved.arrived), allowed)


def test_nothing_was_lost_and_nothing_came_twice(life: Life, moved: Moved) -> None:
    assert moved.arrived.written
    assert moved.arrived.ended
    allowed = Allowed(dead={("billing", life.facts["event_id"])})
    # Stripe tells of the charge when it likes to: what is quiet for a moment may not be so in the next.
    with contextlib.suppress(AssertionError):
        eventually(lambda: moved.is_quiet() and not _found(moved, allowed), "nothing to be found", 60)
    assert _found(moved, allowed) == []
    proved = moved.command("billing", "do", "prove")
    assert proved.count(": clean") == 2, proved
    assert "not compared" not in proved
