"""`kill -9` of every process at random moments, while payments flow."""

import time

from tests.faults.experiment import Experiment, Run
from tests.faults.load import Load

CLIENTS = 20
LONGEST_PAUSE_SECONDS = 2.4
MAILER = "notifications-worker"
WARM_SECONDS = 4.0  # about what a process needs before it works


def kill_each(run: Run) -> None:
    kills_each, count = (3, 200) if run.quick else (20, 1000)
    business, clients = run.stage.studio(CLIENTS)
    victims = [name for name in run.system.names if name != "sandbox"] * kills_each
    run.random.shuffle(victims)
    done = 0
    extra_before = run.stage.extra_mails()
    # So many payments may be sent as kills are done: they flow between all of them, and the last ones after the last.
    load = Load(
        run.system, business, clients, count=count, seed=run.seed,
        may_send=lambda number: number * len(victims) < count * done,
    ).start()  # fmt: skip
    started: dict[str, float] = {}
    killed_at_work = 0
    for name in victims:
        time.sleep(run.random.uniform(0, LONGEST_PAUSE_SECONDS))
        killed_at_work += time.monotonic() - started.get(name, 0) > WARM_SECONDS
        done += 1
        run.system.kill(name)
        run.system.start(name)
        started[name] = time.monotonic()
    load.finish()
    sent_at = time.monotonic()
    run.stage.allowed.extra_mails = extra_before + kills_each
    run.stage.settle()
    run.figure("kills", len(victims))
    run.figure("  of processes already at work", killed_at_work)
    run.figure("requests sent for them, repeats included", len(load.attempts))
    run.figure("everything settled after the last answer, s", time.monotonic() - sent_at)
    run.require("every payment was answered 201", len(load.paid) == count and not load.refused, load.refused[:3] or "")
    payments = run.system.sql("payments", "SELECT count(*) FROM payments WHERE business_id = %s", business.id)[0][0]
    entries = run.system.sql(
        "billing", "SELECT count(*) FROM transfers WHERE business_id = %s AND kind = 'payment'", business.id
    )[0][0]
    mails = run.system.sql(
        "notifications",
        "SELECT count(*) FROM emails WHERE business_id = %s AND kind = 'receipt' AND state = 'sent'", business.id,
    )[0][0]  # fmt: skip
    run.require(
        f"payments = entries = receipts sent = {count}", payments == entries == mails == count,
        f"{payments}, {entries}, {mails}",
    )  # fmt: skip
    balances = sum(row["balance_minor"] for row in business.balances())
    run.require("balances = what was paid", balances == sum(load.paid.values()), f"{balances:,}")
    extra = run.stage.extra_mails() - extra_before
    run.require("mails sent twice at most as often as the mailer was killed", extra <= kills_each, extra)


EXPERIMENTS = [Experiment("kill", "kill -9 of each process at random moments while payments are sent", kill_each)]
