"""The whole sandbox running inside one process."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from common.web.threads import ThreadedServer
from sandbox.clock import OffsetClock
from sandbox.mail import MailServer
from sandbox.paypal import Engine as Paypal
from sandbox.store import MailStore
from sandbox.stripe import Engine
from sandbox.web import create_app

WEB_OFFSET = 9
SMTP_OFFSET = 25
# Many: a fault may keep some of them waiting.
WEB_THREADS = 24


class Sandbox:
    """A running sandbox. Attributes: store, mail (the server), stripe, paypal, clock, web_url, smtp_host, smtp_port."""

    def __init__(self, host: str, port_base: int, folder: str | Path, clock_file: str | Path | None = None) -> None:
        self.smtp_host = host
        self.smtp_port = port_base + SMTP_OFFSET
        self.web_url = f"http://{f'[{host}]' if ':' in host else host}:{port_base + WEB_OFFSET}"
        # What was started is stopped again when a later part fails to start.
        with ExitStack() as started:
            self.store = MailStore(Path(folder) / "mail.sqlite3")
            started.callback(self.store.close)
            self.mail = MailServer(self.store, host, self.smtp_port)
            self.mail.start()
            started.callback(self.mail.stop)
            self.clock = OffsetClock(Path(clock_file) if clock_file else Path(folder) / "clock")
            self.stripe = Engine(Path(folder) / "stripe.sqlite3", self.clock)
            started.callback(self.stripe.stop)
            self.paypal = Paypal(Path(folder) / "paypal.sqlite3", self.clock)
            started.callback(self.paypal.stop)
            app = create_app(self.store, self.mail, self.stripe, self.paypal, self.clock)
            web = ThreadedServer(app, host, port_base + WEB_OFFSET, name="sandbox-web", threads=WEB_THREADS)
            web.start()
            started.callback(web.stop)
            # Requests that a fault makes wait end first, then the web part, then what it stands on.
            started.callback(self.stripe.stopping.set)
            started.callback(self.paypal.stopping.set)
            self.stripe.start()
            self.paypal.start()
            self._started = started.pop_all()

    def stop(self) -> None:
        """Stop both servers and close the store. Stopping twice does no harm."""
        self._started.close()


def start(
    host: str = "127.0.0.1",
    port_base: int = 8000,
    folder: str | Path = "var/sandbox",
    clock_file: str | Path | None = None,
) -> Sandbox:
    """Start a sandbox: web on port_base+9, SMTP on port_base+25, data under folder (made when missing).

    clock_file: holds the offset of the clock in seconds, shared with others; without it a file in the folder does.
    Returns when both answer. Raises OSError when a port is not free, sqlite3.Error or RuntimeError when
    the data cannot be used.
    """
    return Sandbox(host, port_base, folder, clock_file)
