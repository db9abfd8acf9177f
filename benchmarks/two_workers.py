"""Events that two billing workers take from a full queue a second, against one."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial

from benchmarks.billing_events import QUEUE, fill
from benchmarks.figure import Figure, Findings, alternate
from benchmarks.machine import Others
from benchmarks.stage import Stage, staged
from common.bus import rabbit
from tests.harness.servers import Servers

GOAL = 1.5
NAMES = ("billing-worker", "billing-worker-2")
WITHIN_SECONDS = 120


def measure(servers: Servers, quick: bool) -> Findings:
    many, rounds = (2_000, 1) if quick else (10_000, 3)
    with staged(servers, NAMES) as stage:
        for name in NAMES:
            stage.kill(name, signal.SIGTERM)
        others = Others()
        contenders: list[Callable[[], float]] = [partial(_turn, stage, NAMES[:count], many) for count in (2, 1)]
        reached, baseline = alternate(*contenders, rounds=rounds)
        share = others.share()
    note = (
        f"two workers: {many:,} events in each turn; on {os.cpu_count()} cores, which the broker and the database share"
        f" with them; others took {share:.0%} of the cores meanwhile"
    )
    return Findings([Figure("two billing workers against one", "events/s", reached, baseline, GOAL)], [note])


def _turn(stage: Stage, names: Sequence[str], count: int) -> float:
    """They start, stand still until the queue is full, and go at the same moment."""
    for name in names:
        stage.start(name)
    stage.eventually(lambda: _consumers(stage) == len(names), "the workers to listen", 60)
    for name in names:
        os.kill(stage.pid(name), signal.SIGSTOP)
    target = _posted(stage) + count
    fill(stage, count)
    began = time.perf_counter()
    for name in names:
        os.kill(stage.pid(name), signal.SIGCONT)
    stage.eventually(lambda: _posted(stage) >= target, "all events to be posted", WITHIN_SECONDS)
    took = time.perf_counter() - began
    for name in names:
        stage.kill(name, signal.SIGTERM)
    return count / took


def _consumers(stage: Stage) -> int:
    with rabbit.connect(stage.servers.broker.url) as connection:
        return int(connection.default_channel.queue_declare(QUEUE, passive=True).consumer_count)


def _posted(stage: Stage) -> int:
    return int(stage.sql("billing", "SELECT coalesce(sum(sequence), 0) FROM client_accounts")[0][0])
