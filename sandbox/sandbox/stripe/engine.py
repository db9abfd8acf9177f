"""The running Stripe: store, clock, faults, and the thread that delivers webhooks and does what is due."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.clock import OffsetClock
from sandbox.stripe import tasks, webhooks
from sandbox.stripe.call import Call
from sandbox.stripe.faults import StripeFaultSwitch
from sandbox.stripe.idempotency import InFlight
from sandbox.stripe.keys import World
from sandbox.stripe.store import Store

POLL_SECONDS = 0.1
log = logging.getLogger(__name__)


class Engine:
    """Stripe over one file. `start` begins deliveries; `stop` ends them and closes the file."""

    def __init__(self, file: Path, clock: OffsetClock) -> None:
        self.store = Store(file)
        self.clock = clock
        self.faults = StripeFaultSwitch()
        self.in_flight = InFlight()
        self.stopping = threading.Event()
        self.wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stripe-tasks", daemon=True)

    def start(self) -> None:
        """Begin with what is due, also from before a restart."""
        self._thread.start()

    def stop(self) -> None:
        """Close the file. A delivery under way is cut off and begins again after the next start."""
        self.stopping.set()
        self.wake.set()
        if self._thread.is_alive():
            self._thread.join(10)
        self.store.close()

    @contextmanager
    def call(
        self, world: World, *, browser: bool = False, request_id: str | None = None,
        idempotency_key: str | None = None, address: str = "",
    ) -> Iterator[Call]:  # fmt: skip
        """A transaction in this world; deliveries of its events begin when it is committed."""
        with self.store.transaction():
            yield Call(self, world, int(self.clock.now()), browser, request_id, idempotency_key, address)
        self.wake.set()

    def _run(self) -> None:
        sender = webhooks.Sender(self)
        while not self.stopping.is_set():
            self.wake.wait(POLL_SECONDS)
            self.wake.clear()
            try:
                tasks.run_due(self)
                sender.send_due()
            except Exception:
                log.exception("what was due could not be done")
                self.stopping.wait(1)
