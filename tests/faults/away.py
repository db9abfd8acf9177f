"""The broker and the database stopped, killed, frozen, full and locked under load."""

import contextlib
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator

import psycopg

from common.bus import rabbit
from tests.faults.experiment import Experiment, Run
from tests.faults.load import Load, at_rate, quantile
from tests.harness.servers import Server
from tests.harness.system import SERVICES

CLIENTS = 10
PER_SECOND = 8.0
AROUND_SECONDS = 3.0  # of load before and after
QUICK_503_SECONDS = 5.0
# A request waits 5 s for its locks in all, and may have waited for a connection before.
LOCKED_503_SECONDS = 10.0
# Stopped, so that something waits at the broker.
RECEIVERS = ["billing-worker", "billing-worker-2", "notifications-worker"]
WAITING_AT_LEAST = 20
MORE_HOURS = 0.1  # what was on its way when it began
# What may be in the mailer's hands when the database goes: it cannot note that they were sent.
MAILS_AT_ONCE = 4


def stopped(run: Run) -> float:
    return 8.0 if run.quick else 30.0


def _away(
    run: Run, server: Server, go: Callable[[], None], come_back: Callable[[], None], seconds: float
) -> tuple[Load, float, float]:
    """Load around and during the fault; answers it with when the server had gone and when it was back."""
    business, clients = run.stage.studio(CLIENTS)
    load = Load(run.system, business, clients, count=None, seed=run.seed, may_send=at_rate(PER_SECOND)).start()
    try:
        time.sleep(AROUND_SECONDS)
        gone, ended = _gone_for(seconds, go, come_back)
        back = time.monotonic()
        run.figure("away for, s (and then starting, s)", f"{ended - gone:.1f} ({back - ended:.1f})")
        # Under load something is always on its way: the backlog is gone when little enough waits.
        run.system.eventually(lambda: _waiting(run) <= PER_SECOND, "the backlog to drain", 90)
        run.figure("backlog gone after its return, s", time.monotonic() - back)
        time.sleep(AROUND_SECONDS)
    finally:
        load.finish()  # what goes on for ever would hide what else is wrong
    run.require("every payment was answered 201 in the end", not load.refused, len(load.paid))
    return load, gone, ended


def _gone_for(seconds: float, go: Callable[[], None], come_back: Callable[[], None]) -> tuple[float, float]:
    """When the server had gone, and when it was told to come back; it is back at the end of this."""
    try:
        go()
        gone = time.monotonic()
        time.sleep(seconds)
        return gone, time.monotonic()
    finally:
        come_back()


def _waiting(run: Run) -> int:
    """Events that wait for the bus, and messages that wait for a worker."""
    query = "SELECT count(*) FROM outbox WHERE position IS NULL"
    in_outboxes = sum(run.system.sql(service, query)[0][0] for service in SERVICES)
    return in_outboxes + sum(run.system.queue_depths().values())


def broker(go: str, come_back: str, seconds: Callable[[Run], float]) -> Callable[[Run], None]:
    def act(run: Run) -> None:
        server = run.stage.servers.broker
        load, gone, ended = _away(run, server, getattr(server, go), getattr(server, come_back), seconds(run))
        during = load.during(gone, ended)
        run.figure("payments sent while it was away", len(during))
        run.figure("  slowest answer, s", max(attempt.seconds for attempt in during))
        run.figure("  99 of 100 within, s", quantile([attempt.seconds for attempt in during], 0.99))
        others = {attempt.status for attempt in during} - {201}
        run.require("all were answered 201", not others, sorted(others) or "")

    return act


def database(go: str, come_back: str, seconds: Callable[[Run], float]) -> Callable[[Run], None]:
    is_frozen = go == "freeze"

    def act(run: Run) -> None:
        server = run.stage.servers.database
        run.allow_extra_mails(MAILS_AT_ONCE)
        load, gone, ended = _away(run, server, getattr(server, go), getattr(server, come_back), seconds(run))
        during = load.during(gone, ended)
        slowest = max(attempt.seconds for attempt in during)
        run.figure("requests sent while it was away", len(during))
        run.figure("  slowest answer, s", slowest)
        run.figure("  99 of 100 within, s", quantile([attempt.seconds for attempt in during], 0.99))
        statuses = {attempt.status for attempt in during}
        if is_frozen:
            # What was sent to a frozen server is answered when it thaws; nothing else is lost.
            run.require("answered 201 or 503", statuses <= {201, 503}, sorted(statuses))
        else:
            run.require("all were answered 503", statuses <= {503}, sorted(statuses))
            run.require(f"each within {QUICK_503_SECONDS:.0f} s", slowest <= QUICK_503_SECONDS)
        first = min(a.began + a.seconds for a in load.attempts if a.status == 201 and a.began + a.seconds > ended)
        run.figure("first 201 after it began to come back, s", first - ended)
        run.stage.settle()
        run.figure("mails sent twice", run.extra_mails())

    return act


def during(run: Run, fault: contextlib.AbstractContextManager[None], seconds: float) -> Load:
    """Load around and during a fault of the database that leaves it running."""
    business, clients = run.stage.studio(CLIENTS)
    run.stage.settle()
    load = Load(run.system, business, clients, count=None, seed=run.seed, may_send=at_rate(PER_SECOND)).start()
    try:
        time.sleep(AROUND_SECONDS)
        with fault:
            began = time.monotonic()
            time.sleep(seconds)
        ended = time.monotonic()
        time.sleep(AROUND_SECONDS)
    finally:
        load.finish()
    meanwhile = load.during(began, ended)
    first = min(a.began + a.seconds for a in load.attempts if a.status == 201 and a.began + a.seconds > ended)
    run.figure("requests sent meanwhile", len(meanwhile))
    run.figure("  slowest answer, s", max(attempt.seconds for attempt in meanwhile))
    run.figure("  answers", str(sorted({attempt.status for attempt in meanwhile})))
    run.figure("first 201 after its end, s", first - ended)
    run.stage.settle()
    run.figure("settled after its end, s", time.monotonic() - ended)
    run.require("every payment was answered 201 in the end", not load.refused, load.refused[:3] or len(load.paid))
    statuses = {attempt.status for attempt in load.attempts}
    run.require("answered 201 or 503", statuses <= {201, 503}, sorted(statuses))
    return load


def remade(run: Run) -> None:
    """The broker's user and virtual host are deleted, with the messages that waited there, and made again empty. An
    operator declares the topology and has what was sent sent again; who received it already knows it by its id."""
    server, system = run.stage.servers.broker, run.system
    business, clients = run.stage.studio(CLIENTS)
    run.stage.settle()
    began = time.monotonic()
    for name in RECEIVERS:
        system.kill(name, signal.SIGTERM)
    load = Load(system, business, clients, count=None, seed=run.seed, may_send=at_rate(PER_SECOND)).start()
    try:
        system.eventually(lambda: system.queue_depths()["billing"] >= WAITING_AT_LEAST, "messages that wait", 60)
        lost = sum(system.queue_depths().values())
        server.forget()
        gone = time.monotonic()
        time.sleep(stopped(run) / 2)
        ended = time.monotonic()
        server.remember()
        rabbit.declare(server.url)
        for name in RECEIVERS:
            system.start(name)
        time.sleep(AROUND_SECONDS)
    finally:
        load.finish()
    back = time.monotonic()
    hours = f"{(back - began) / 3600 + MORE_HOURS:.2f}"
    sent = [json.loads(system.command(service, "outbox", "resend", "--hours", hours))["resent"] for service in SERVICES]
    run.stage.settle()
    statuses = {attempt.status for attempt in load.during(gone, ended)}
    run.figure("messages lost with the virtual host", lost)
    run.figure("events sent again, of them most for the second time", sum(sent))
    run.figure("settled after that began, s", time.monotonic() - back)
    run.require("payments were answered 201 meanwhile", statuses == {201}, sorted(statuses))
    run.require("every payment was answered 201", not load.refused, load.refused[:3] or len(load.paid))


def no_connection_left(run: Run) -> None:
    seconds = stopped(run) / 2
    run.allow_extra_mails(MAILS_AT_ONCE)
    load = during(run, _hoarded(run), seconds)
    slowest = max(attempt.seconds for attempt in load.attempts)
    refused = sum(attempt.status == 503 for attempt in load.attempts)
    run.require("some were answered 503, as there was no connection", refused > 0, refused)
    run.require(f"each within {QUICK_503_SECONDS:.0f} s", slowest <= QUICK_503_SECONDS, f"{slowest:.1f} s")


@contextlib.contextmanager
def _hoarded(run: Run) -> Iterator[None]:
    """Every connection that the server gives is held here: the services' are ended, and theirs are taken as well."""
    url = run.stage.servers.database.url
    held = [psycopg.connect(url, autocommit=True)]
    is_over = threading.Event()

    def hoard() -> None:
        while not is_over.is_set():
            try:
                held.append(psycopg.connect(url, autocommit=True, connect_timeout=2))
            except psycopg.OperationalError:
                mine = [connection.info.backend_pid for connection in held]
                end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE %s AND pid <> ALL(%s)"
                held[0].execute(end, [f"remit_{run.system.id}_%", mine])
                is_over.wait(0.2)

    thread = threading.Thread(target=hoard, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        run.figure("connections taken away", len(held))
        for connection in held:
            connection.close()


def locked(run: Run) -> None:
    for service, table in (("payments", "receipts"), ("billing", "client_accounts")):
        load = during(run, _lock(run, service, table), stopped(run))
        slowest = max(attempt.seconds for attempt in load.attempts)
        run.require(
            f"{service}.{table} locked: each within {LOCKED_503_SECONDS:.0f} s", slowest <= LOCKED_503_SECONDS,
            f"{slowest:.1f} s",
        )  # fmt: skip


@contextlib.contextmanager
def _lock(run: Run, service: str, table: str) -> Iterator[None]:
    with psycopg.connect(run.system.database_url(service)) as other:
        other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


def deadlocked(run: Run) -> None:
    """Somebody locks billing's accounts in any order, for longer than PostgreSQL looks on."""
    rounds = 5 if run.quick else 50
    count = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = run.system.sql("billing", count)[0][0]
    business, clients = run.stage.studio(2)
    pace = at_rate(5 * PER_SECOND)
    load = Load(run.system, business, clients, count=None, seed=run.seed, may_send=pace).start()
    lost = 0
    try:
        for _ in range(rounds):
            pair = run.random.sample([client["id"] for client in clients], 2)
            try:
                with psycopg.connect(run.system.database_url("billing")) as other:
                    for client_id in pair:
                        find = "SELECT 1 FROM client_accounts WHERE client_id = %s FOR UPDATE"
                        other.execute(find, [client_id])
                        time.sleep(run.random.uniform(0.1, 0.4))
            except psycopg.errors.DeadlockDetected:
                lost += 1
    finally:
        load.finish()
    run.stage.settle()
    run.figure("payments meanwhile", len(load.paid))
    run.figure("deadlocks lost by the other side", lost)
    run.figure("deadlocks in all", run.system.sql("billing", count)[0][0] - before)
    run.require("every payment was answered 201", not load.refused, load.refused[:3] or "")


EXPERIMENTS = [
    Experiment("broker-stopped", "the broker is stopped under load", broker("stop", "start", stopped)),
    Experiment("broker-killed", "kill -9 of the broker under load", broker("kill", "start", lambda _: 3.0)),
    Experiment(
        "broker-frozen", "the broker stands still under load (SIGSTOP)",
        broker("freeze", "thaw", lambda run: 6.0 if run.quick else 15.0),
    ),
    Experiment("broker-remade", "the broker's user and virtual host are deleted and made again", remade),
    Experiment("broker-full", "the broker's disk is full under load", broker("fill", "empty", stopped)),
    Experiment("database-stopped", "the database is stopped under load", database("stop", "start", stopped)),
    Experiment(
        "database-frozen", "the database stands still under load (SIGSTOP)",
        database("freeze", "thaw", lambda run: 6.0 if run.quick else 10.0),
    ),
    Experiment(
        "database-aborted", "the database is stopped at once, without a checkpoint, under load",
        database("abort", "start", lambda _: 3.0),
    ),
    Experiment("database-killed", "kill -9 of the database under load", database("kill", "start", lambda _: 3.0)),
    Experiment("database-hoarded", "the database has no connection left", no_connection_left),
    Experiment("database-locked", "somebody locks a table under load", locked),
    Experiment("database-deadlocks", "somebody locks rows in any order under load", deadlocked),
]  # fmt: skip
