"""A service's background loops: relay, consumer, parked events, jobs, timers and house-keeping, each a thread.

A loop that ends with an error ends the worker: whoever runs it starts it anew, and the rows tell where to go on.
"""

import functools
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from common import inbox, logs, measures, outbox, relay, timers, wake
from common.bus import Bus
from common.db import is_contended, is_unavailable
from common.jobs import JobLoop
from common.runtime import Runtime
from common.timers import Timer
from common.wake import PostgresWaker
from common.web import idempotency

RETRY_SWEEP_SECONDS = 1.0
TIMERS_SECONDS = 2.0
CHORES_SECONDS = 15.0
FORGET_EVERY = 40  # chores rounds: ten minutes
JOIN_SECONDS = 10.0

log = logs.get("worker")

Loop = Callable[[threading.Event], None]


class Worker:
    """The loops of one service. `consume` brings messages in; without one (embedded) the bus itself delivers them."""

    def __init__(
        self, runtime: Runtime, bus: Bus, consume: Loop | None = None, queue_depth: Callable[[], int | None] = lambda: 0
    ) -> None:
        self._runtime = runtime
        self._queue_depth = queue_depth
        self._stop = threading.Event()
        self.failed: BaseException | None = None
        measures.begin_at_zero(runtime.service)
        wake_relay = threading.Event()
        database = runtime.database
        gather = 0.0 if database.is_sqlite else runtime.settings.relay_gather_seconds
        database.wakers["jobs"] = runtime.wake_jobs.set
        database.wakers["outbox"] = (
            wake_relay.set if database.is_sqlite else PostgresWaker(database.url).waker("outbox")
        )
        loops: dict[str, Loop] = {
            "relay": lambda stop: relay.run(runtime.service.name, database, bus, wake_relay, stop, gather),
            "parked": self._retry_parked,
            "chores": self._do_chores,
        }
        if consume is not None:
            loops["consume"] = consume
        if runtime.service.jobs:
            job_loop = JobLoop(runtime.service.name, database, runtime.service.jobs, runtime)
            loops["jobs"] = lambda stop: job_loop.run(runtime.wake_jobs, stop)
            if not database.is_sqlite:  # the web that adds most of them is another process
                loops["wake"] = lambda stop: wake.pass_on(database.url, "jobs", runtime.wake_jobs, stop)
        # What is done once a day may take long, and holds up nothing that is due every few seconds.
        for name, of_a_day in (("timers", False), ("nightly", True)):
            mine = [timer for timer in runtime.service.timers if (timer.daily_at is not None) == of_a_day]
            if mine:
                loops[name] = functools.partial(self._run_timers, mine)
        self._threads = [
            threading.Thread(target=self._guard, args=(name, loop), name=f"{runtime.service.name}-{name}", daemon=True)
            for name, loop in loops.items()
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask the loops to end after what they are at, and wait for them."""
        self._stop.set()
        self._runtime.wake_jobs.set()
        for thread in self._threads:
            thread.join(JOIN_SECONDS)

    def run(self, stop: threading.Event, alive_file: Path | None = None) -> int:
        """Run until `stop`; answers the exit status: 1 when a loop failed."""
        self.start()
        while not stop.wait(2.0) and self.failed is None:
            if alive_file is not None:
                alive_file.touch()
        self.stop()
        return 0 if self.failed is None else 1

    def _guard(self, name: str, loop: Loop) -> None:
        try:
            loop(self._stop)
        except BaseException as error:
            log.error("loop failed", loop=name, exc_info=error)
            self.failed = error

    def _retry_parked(self, stop: threading.Event) -> None:
        while not stop.wait(RETRY_SWEEP_SECONDS):
            self._patiently(lambda: _until_none(self._runtime.consumer.retry_due))

    def _run_timers(self, mine: Sequence[Timer], stop: threading.Event) -> None:
        while not stop.wait(TIMERS_SECONDS):
            self._patiently(lambda: timers.run_due(self._runtime.database, mine, self._runtime))

    def _do_chores(self, stop: threading.Event) -> None:
        round_number = 0
        while not stop.wait(CHORES_SECONDS if round_number else 1.0):
            self._patiently(self._measure)
            if round_number % FORGET_EVERY == FORGET_EVERY - 1:
                self._patiently(self._forget)
            round_number += 1

    def _measure(self) -> None:
        measures.measure(self._runtime, self._queue_depth)

    def _forget(self) -> None:
        for forget in (outbox.forget_old, inbox.forget_old, idempotency.forget_old):
            gone = 1
            while gone:
                with self._runtime.database.write() as session:
                    gone = forget(session)

    def _patiently(self, act: Callable[[], object]) -> None:
        """Do it, or leave it for the next round when the database is away or busy."""
        try:
            act()
        except Exception as error:
            if not (is_unavailable(error) or is_contended(error)):
                raise
            log.warning("database away", reason=str(error)[:200])


def _until_none(act: Callable[[], int]) -> None:
    while act():
        pass
