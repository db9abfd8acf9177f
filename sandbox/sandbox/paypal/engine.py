"""The running PayPal: store, clock, faults, certificate, and the thread that delivers IPNs and webhooks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.clock import OffsetClock
from sandbox.paypal.deliveries import Sender
from sandbox.paypal.faults import PaypalFaultSwitch
from sandbox.paypal.signing import Certificate
from sandbox.paypal.store import Store

POLL_SECONDS = 0.1
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Call:
    """Inside one transaction. now: Unix seconds of the sandbox's clock; address: of /paypal as the client sees it."""

    engine: Engine
    now: float
    address: str

    @property
    def store(self) -> Store:
        """Where things are kept."""
        return self.engine.store


class Engine:
    """PayPal over one file. `start` begins deliveries; `stop` ends them and closes the file."""

    def __init__(self, file: Path, clock: OffsetClock) -> None:
        self.store = Store(file)
        self.clock = clock
        self.faults = PaypalFaultSwitch()
        self.certificate = Certificate(file.parent)
        self.stopping = threading.Event()
        self.wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="paypal-deliveries", daemon=True)

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
    def call(self, address: str) -> Iterator[Call]:
        """A transaction; deliveries of what it tells begin when it is committed."""
        with self.store.transaction():
            yield Call(self, self.clock.now(), address)
        self.wake.set()

    def _run(self) -> None:
        sender = Sender(self)
        while not self.stopping.is_set():
            self.wake.wait(POLL_SECONDS)
            self.wake.clear()
            try:
                sender.send_due()
            except Exception:
                log.exception("what was due could not be sent")
                self.stopping.wait(1)
