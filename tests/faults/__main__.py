"""`python -m tests.faults`: run the experiments; exit status 1 when anything failed."""

import argparse
import random
import sys
import time

from tests.faults import (
    away,
    backlog,
    clocks,
    crash,
    crowd,
    disk,
    gateway,
    kill,
    late,
    network,
    off_session,
    poison,
    restore,
    rolling,
    smtp,
    soak,
    sqlite,
)
from tests.faults.experiment import Stage, conduct
from tests.harness.servers import NoServers, running
from tests.harness.system import System

EXPERIMENTS = [
    *crowd.EXPERIMENTS, *gateway.EXPERIMENTS, *poison.EXPERIMENTS, *smtp.EXPERIMENTS, *away.EXPERIMENTS,
    *kill.EXPERIMENTS, *crash.EXPERIMENTS, *disk.EXPERIMENTS, *off_session.EXPERIMENTS,
    *clocks.EXPERIMENTS, *network.EXPERIMENTS, *rolling.EXPERIMENTS, *late.EXPERIMENTS,
    # `backlog` comes late: after its 100,000 payments a look at everything takes more than 20 s.
    *sqlite.EXPERIMENTS, *backlog.EXPERIMENTS, *restore.EXPERIMENTS, *soak.EXPERIMENTS,
]  # fmt: skip
AT_THE_SERVERS = away.EXPERIMENTS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--list", action="store_true", help="name the experiments")
    parser.add_argument("--only", action="append", metavar="NAME", help="one experiment, or all that begin so")
    parser.add_argument("--seed", type=int, help="the same choices again; otherwise new ones, printed")
    parser.add_argument("--quick", action="store_true", help="a cut of each, for CI")
    options = parser.parse_args()
    chosen = [e for e in EXPERIMENTS if not options.only or e.name.startswith(tuple(options.only))]
    if options.list or not chosen:
        print("\n".join(f"{experiment.name:<18} {experiment.about}" for experiment in EXPERIMENTS))
        return 0 if options.list else 2
    seed = options.seed if options.seed is not None else random.randrange(1_000_000)
    began = time.monotonic()
    try:
        with running() as servers:
            print(f"seed {seed}; RabbitMQ and PostgreSQL from {servers.kind}", flush=True)
            if servers.kind == "environment":
                print("these servers are not ours to stop, nor to stand before: those experiments are left out")
                chosen = [experiment for experiment in chosen if experiment not in AT_THE_SERVERS]
            with System(servers, workers={"billing": 2}, environ={"STRIPE_TIMEOUT_SECONDS": "1"}) as system:
                stage = Stage(system, servers)
                failures = [
                    why for experiment in chosen for why in conduct(experiment, stage, seed, quick=options.quick)
                ]
    except NoServers as reason:
        print(f"nothing to test against: {reason}", file=sys.stderr)
        return 2
    print(f"\n{len(chosen)} experiments, {time.monotonic() - began:.0f} s, seed {seed}")
    for failure in failures:
        print(f"FAILED  {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
