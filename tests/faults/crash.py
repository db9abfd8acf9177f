"""Processes that die at named places, between one write and the next (`common.crash`)."""

import contextlib
import os
import subprocess
import time

import psycopg
import requests

from common.settings import PORT_OFFSETS
from tests.faults.experiment import Experiment, Run
from tests.faults.gateway import Shop
from tests.faults.load import Load, at_rate
from tests.harness.system import REMIT, Business

PER_SECOND = 10.0
MAILER = "notifications-worker"
PLACES = [
    ("payments-web", "committed"), ("payments-worker", "relaying"), ("payments-worker", "published"),
    ("billing-worker", "handled"), (MAILER, "handled"), (MAILER, "called"),
]  # fmt: skip
CARD_PLACES = ["gateway_answered", "committed"]
SERVICES = [name for name in PORT_OFFSETS if name != "sandbox"]
UNTIL_DEAD_SECONDS = 30.0


def _die(run: Run, name: str, point: str) -> float:
    """Let a process die there, and start it again; answers when it died. A web's parent starts it by itself."""
    run.system.crash_at(name, point)
    run.system.eventually(lambda: run.system.has_crashed(name), f"{name} to come by {point}", UNTIL_DEAD_SECONDS)
    died = time.monotonic()
    if name.endswith("worker"):
        run.system.eventually(lambda: not run.system.is_alive(name), f"{name} to die")
        if name == MAILER:
            run.mailer_died()
        run.system.start(name)
    return died


def at_each_place(run: Run) -> None:
    """While payments flow, one process after the other dies at each of its places."""
    rounds = 1 if run.quick else 20
    deaths, payments, replayed = 0, 0, 0
    refused: list[str] = []
    for name, point in PLACES:
        settled = []
        for number in range(rounds):
            business, clients = run.stage.studio(3)
            run.stage.settle()
            pace = at_rate(PER_SECOND)
            load = Load(run.system, business, clients, count=None, seed=run.seed + number, may_send=pace).start()
            try:
                died = _die(run, name, point)
                time.sleep(run.random.uniform(0.2, 1.0))
            finally:
                load.finish()
            run.stage.settle()
            settled.append(time.monotonic() - died)
            deaths += 1
            payments += len(load.paid)
            replayed += load.replayed
            refused += load.refused
        run.figure(f"{name}, {point}: settled after its death, s", f"at most {max(settled):.1f} ({rounds} deaths)")
    run.require("every payment was answered 201 in the end", not refused, refused[:3] or payments)
    run.figure("deaths", deaths)
    run.figure("payments meanwhile", payments)
    run.figure("  recorded, and answered only when asked again", replayed)
    run.figure("mails sent twice", run.extra_mails())


def charging(run: Run) -> None:
    """gateway-stripe dies after Stripe has charged a saved card, and after that is recorded; who clicked asks again."""
    rounds = 2 if run.quick else 20
    shop = Shop(run, 2)
    shop.save_cards()
    run.system.eventually(lambda: shop.recorded() == len(shop.clients), "the first payments")
    run.stage.settle()
    waits, tries = [], 0
    for point in CARD_PLACES:
        for number in range(rounds):
            run.system.crash_at("gateway-stripe-web", point)
            began = time.monotonic()
            tries += _click(run, shop, number, f"{point}-{number}")
            waits.append(time.monotonic() - began)
            if not run.system.has_crashed("gateway-stripe-web"):
                run.require(f"it died where charge {number} was {point}", False)
    run.figure("charges, one death in each", len(waits))
    run.figure("  requests sent for them", tries)
    run.figure("  slowest to its answer, deaths included, s", max(waits))
    wanted = len(shop.clients) + len(waits)
    run.system.eventually(lambda: shop.recorded() == wanted, f"{wanted} payments", 120)
    run.stage.settle()
    shop.judge(wanted)


def _click(run: Run, shop: Shop, number: int, key: str) -> int:
    """Charge a saved card, and ask again until there is an answer; how often it was asked."""
    mine = Business(run.system.api(), shop.id)
    body = {"client_id": shop.clients[number % 2]["id"], "amount_minor": 2_000 + number}
    deadline = time.monotonic() + UNTIL_DEAD_SECONDS
    tries = 0
    while time.monotonic() < deadline:
        tries += 1
        with contextlib.suppress(requests.RequestException):
            if mine.call("POST", "gateway-stripe", "/stripe/charges", json=body, key=key, timeout=15).ok:
                return tries
        time.sleep(0.3)
    raise AssertionError(f"no answer to charge {key} in {UNTIL_DEAD_SECONDS:.0f} s")


def migrating(run: Run) -> None:
    """Each service's migration dies half-way: nothing of it is there, and the next one does it all."""
    services = ["payments"] if run.quick else SERVICES
    for service in services:
        for kind in ("PostgreSQL", "SQLite"):
            _migrate_twice(run, service, kind)


def _migrate_twice(run: Run, service: str, kind: str) -> None:
    name = f"remit_{run.system.id}_half_{service}"
    admin = run.system.servers.database.url
    url = f"sqlite:///{run.system.folder / name}.sqlite"
    if kind == "PostgreSQL":
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        url = admin.rsplit("/", 1)[0] + "/" + name
    crash_file = run.system.folder / f"crash-{name}"
    crash_file.write_text("migrating")
    environ = {**run.system.environ(service), "DATABASE_URL": url, "CRASH_FILE": str(crash_file)}
    died = _migrate(service, environ)
    half = 0
    if kind == "PostgreSQL":
        with psycopg.connect(url) as connection:
            half = len(connection.execute("SELECT 1 FROM pg_tables WHERE schemaname = 'public'").fetchall())
    again = _migrate(service, environ)
    once_more = _migrate(service, environ)
    run.require(
        f"{service}, {kind}: killed half-way, then done by the next", (died, half, again, once_more) == (-9, 0, 0, 0),
        f"exit statuses {died}, {again}, {once_more}; tables left half-way {half}",
    )  # fmt: skip
    if kind == "PostgreSQL":
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _migrate(service: str, environ: dict[str, str]) -> int:
    command = [*REMIT, service, "migrate"]
    return subprocess.run(
        command, env={**os.environ, **environ}, capture_output=True, timeout=60, check=False
    ).returncode


EXPERIMENTS = [
    Experiment("crash-places", "processes die between one write and the next", at_each_place),
    Experiment("crash-charging", "gateway-stripe dies after Stripe has charged", charging),
    Experiment("crash-migrating", "migrations die half-way", migrating),
]
