"""Many events at once for workers that were away: memory stays bounded, and all are handled."""

import signal
import threading
import time

import psutil

from tests.faults.experiment import Experiment, Run

ROWS_AT_ONCE = 10_000
AWAY = ["billing-worker", "billing-worker-2", "notifications-worker"]
MEMORY_AT_MOST_MB = 300.0
PER_SECOND_AT_LEAST = 300.0
DRAINED_WITHIN_SECONDS = 900.0
MEGABYTE = 1_048_576


def backlog(run: Run) -> None:
    count = 3_000 if run.quick else 100_000
    # Without addresses: what is measured is events, not a mail server.
    business, clients = run.stage.studio(200, with_email=False)
    run.stage.settle()
    for name in AWAY:
        run.system.kill(name, signal.SIGTERM)
    began = time.monotonic()
    for start in range(0, count, ROWS_AT_ONCE):
        rows = range(start, min(count, start + ROWS_AT_ONCE))
        lines = [f"{clients[n % len(clients)]['id']},{n % 90 + 1}.00,cash" for n in rows]
        answer = business.upload("client,amount,method\n" + "\n".join(lines), allow_duplicates="true")
        assert answer.ok, answer.text[:300]
    run.figure("payments recorded", count)
    run.figure("  in, s", time.monotonic() - began)
    run.system.eventually(
        lambda: run.system.queue_depths()["billing"] >= count, f"{count} messages in billing's queue", 300
    )
    run.figure("in billing's queue after, s", time.monotonic() - began)
    _drain(run, business.id, count)
    numbers = run.system.sql(
        "payments", "SELECT count(*), max(number) FROM receipts WHERE business_id = %s", business.id
    )
    run.require("receipt numbers are gapless", numbers[0] == (count, count), numbers[0])


def _drain(run: Run, business_id: str, count: int) -> None:
    """Start the workers again, and watch their memory until all is handled."""
    posted = ("billing", "SELECT count(*) FROM transfers WHERE business_id = %s", business_id)
    told = ("notifications", "SELECT count(*) FROM emails WHERE business_id = %s", business_id)
    most: dict[str, float] = {}
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(0.2):
            for name in run.system.names:
                if name.partition("-w")[2].startswith("orker") and run.system.is_alive(name):
                    used = psutil.Process(run.system.pid(name)).memory_info().rss / MEGABYTE
                    most[name] = max(used, most.get(name, 0.0))

    for name in AWAY:
        run.system.start(name)
    began = time.monotonic()
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        for what, query in (("posted", posted), ("taken by notifications", told)):
            run.system.eventually(
                lambda query=query: run.system.sql(*query)[0][0] == count, f"all to be {what}", DRAINED_WITHIN_SECONDS
            )
            run.figure(f"all {what} after, s", time.monotonic() - began)
        seconds = time.monotonic() - began
        run.stage.settle()
    finally:
        is_over.set()
        watcher.join()
    run.figure("  events a second, start of the workers included", count / seconds)
    for name, used in sorted(most.items()):
        run.figure(f"  most memory of {name}, MB", used)
    run.require(f"each worker stayed below {MEMORY_AT_MOST_MB:.0f} MB", max(most.values()) < MEMORY_AT_MOST_MB)
    if not run.quick:  # of a few thousand most is the workers' start
        run.require(f"at least {PER_SECOND_AT_LEAST:.0f} a second", count / seconds >= PER_SECOND_AT_LEAST)


EXPERIMENTS = [Experiment("backlog", "a long queue for workers that were away", backlog)]
