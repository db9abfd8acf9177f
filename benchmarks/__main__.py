"""`python -m benchmarks`: measure, and print each figure beside its baseline of the same run."""

import argparse
import importlib
import os
import sys
import time
from collections.abc import Sequence

from benchmarks.figure import Figure, Findings
from common import events, logs
from tests.harness.servers import running

MEASUREMENTS = (
    "record_payment", "relay_events", "billing_events", "two_workers", "balance_lag", "stripe_webhook", "record_batch",
    "reports_at_scale", "portal_pages", "memory",
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, help="measure only this; may be repeated")
    parser.add_argument("--quick", action="store_true", help="shorter turns: to see that it runs, not for figures")
    arguments = parser.parse_args()
    events.load_all()
    logs.configure("benchmarks", "ERROR")
    started = time.monotonic()
    found: list[Findings] = []
    load = os.getloadavg()[0]  # of others: nothing of ours runs yet
    with running() as servers:
        for name in arguments.only or MEASUREMENTS:
            print(f"measuring {name} …", file=sys.stderr, flush=True)
            measurement = importlib.import_module(f"benchmarks.{name}")
            found.append(measurement.measure(servers, arguments.quick))
    print(f"\n{os.cpu_count()} cores, {time.monotonic() - started:.0f} s in all; medians of turns taken alternately\n")
    print_table([figure for findings in found for figure in findings.figures])
    print()
    for note in (note for findings in found for note in findings.notes):
        print(f"- {note}")
    print(f"- load average when the run began: {load:.1f}")
    return 0


def print_table(figures: Sequence[Figure]) -> None:
    print("| figure | ours | baseline | ratio | goal | reached |")
    print("| --- | ---: | ---: | ---: | ---: | --- |")
    for figure in figures:
        goal = "" if figure.goal is None else f"{'≤' if figure.at_most else '≥'} {figure.goal:g}"
        cells = [
            f"{figure.name} ({figure.unit})",
            _shown(figure.ours),
            "" if figure.baseline is None else _shown(figure.baseline),
            "" if figure.ratio is None else f"{figure.ratio:.2f}",
            goal if figure.ratio is not None or not goal else f"{goal} {figure.unit}",
            {True: "yes", False: "NO", None: ""}[figure.is_reached],
        ]
        print("| " + " | ".join(cells) + " |")


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"


if __name__ == "__main__":
    sys.exit(main())
