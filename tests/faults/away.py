"""The broker and the database stopped, killed and frozen under load."""

import time
from collections.abc import Callable

from tests.faults.experiment import Experiment, Run
from tests.faults.load import Load, at_rate, quantile
from tests.harness.servers import Server
from tests.harness.system import SERVICES

CLIENTS = 10
PER_SECOND = 8.0
AROUND_SECONDS = 3.0  # of load before and after
QUICK_503_SECONDS = 5.0
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
    time.sleep(AROUND_SECONDS)
    try:
        go()
        gone = time.monotonic()
        time.sleep(seconds)
        ended = time.monotonic()
    finally:
        come_back()
    back = time.monotonic()
    run.figure("away for, s (and then starting, s)", f"{ended - gone:.1f} ({back - ended:.1f})")
    # Under load something is always on its way: the backlog is gone when little enough waits.
    run.system.eventually(lambda: _waiting(run) <= PER_SECOND, "the backlog to drain", 90)
    run.figure("backlog gone after its return, s", time.monotonic() - back)
    time.sleep(AROUND_SECONDS)
    load.finish()
    run.require("every payment was answered 201 in the end", not load.refused, len(load.paid))
    return load, gone, ended


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
        extra_before = run.stage.extra_mails()
        run.stage.allowed.extra_mails = extra_before + MAILS_AT_ONCE
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
        run.figure("mails sent twice", run.stage.extra_mails() - extra_before)

    return act


EXPERIMENTS = [
    Experiment("broker-stopped", "the broker is stopped under load", broker("stop", "start", stopped)),
    Experiment("broker-killed", "kill -9 of the broker under load", broker("kill", "start", lambda _: 3.0)),
    Experiment(
        "broker-frozen", "the broker stands still under load (SIGSTOP)",
        broker("freeze", "thaw", lambda run: 6.0 if run.quick else 15.0),
    ),
    Experiment("database-stopped", "the database is stopped under load", database("stop", "start", stopped)),
    Experiment(
        "database-frozen", "the database stands still under load (SIGSTOP)",
        database("freeze", "thaw", lambda run: 6.0 if run.quick else 10.0),
    ),
]  # fmt: skip
