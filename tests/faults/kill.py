"""Every process killed, and told to stop, at random moments while payments flow."""

import signal
import time

from tests.faults.experiment import Experiment, Run
from tests.faults.load import Load, at_rate

CLIENTS = 20
LONGEST_PAUSE_SECONDS = 2.4
MAILER = "notifications-worker"
PER_SECOND = 10.0
# A web finishes its requests within 20 s, a worker what it has in hand: then the process is gone by itself.
STOPS_WITHIN_SECONDS = 20.0
WARM_SECONDS = 4.0  # about what a process needs before it works


def kill_each(run: Run) -> None:
    kills_each, count = (3, 200) if run.quick else (20, 1000)
    business, clients = run.stage.studio(CLIENTS)
    victims = [name for name in run.system.names if name != "sandbox"] * kills_each
    run.random.shuffle(victims)
    done = in_doubt = 0
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
        if name == MAILER:
            in_doubt += run.mailer_died()
        run.system.start(name)
        started[name] = time.monotonic()
    load.finish()
    sent_at = time.monotonic()
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
    extra = run.extra_mails()
    run.require("no mail sent twice but what the mailer had in hand", extra <= in_doubt, f"{extra} of {in_doubt}")


def stop_each(run: Run) -> None:
    """SIGTERM, as a deployment sends it: what is under way is finished, or was never begun."""
    rounds = 1 if run.quick else 4
    business, clients = run.stage.studio(CLIENTS)
    names = [name for name in run.system.names if name != "sandbox"] * rounds
    run.random.shuffle(names)
    load = Load(run.system, business, clients, count=None, seed=run.seed, may_send=at_rate(PER_SECOND)).start()
    statuses, seconds = [], []
    for name in names:
        time.sleep(run.random.uniform(0, LONGEST_PAUSE_SECONDS))
        began = time.monotonic()
        statuses.append(run.system.kill(name, signal.SIGTERM))
        seconds.append(time.monotonic() - began)
        run.system.start(name)
        run.system.wait_ready(name)
    load.finish()
    run.stage.settle()
    answers = sorted({attempt.status for attempt in load.attempts})
    run.figure("processes told to stop", len(names))
    run.figure("payments meanwhile", len(load.paid))
    run.figure("  requests sent for them, repeats included", len(load.attempts))
    run.figure("slowest to stop, s", max(seconds))
    run.require("each ended by itself with status 0", set(statuses) == {0}, sorted(set(statuses)))
    run.require(f"within {STOPS_WITHIN_SECONDS:.0f} s", max(seconds) <= STOPS_WITHIN_SECONDS)
    run.require("every payment was answered 201 in the end", not load.refused, load.refused[:3] or "")
    run.require("answered, or nobody took it (0)", set(answers) <= {0, 201, 503}, answers)
    run.require("nothing was recorded that was not answered", load.replayed == 0, load.replayed)
    extra = run.extra_mails()
    run.require("no mail was sent twice", extra == 0, extra)


EXPERIMENTS = [
    Experiment("kill", "kill -9 of each process at random moments while payments are sent", kill_each),
    Experiment("stop", "SIGTERM to each process at random moments while payments are sent", stop_each),
]
