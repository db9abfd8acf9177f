"""The whole sandbox running inside one process."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from common.web.threads import ThreadedServer
from sandbox.mail import MailServer
from sandbox.store import MailStore
from sandbox.web import create_app

WEB_OFFSET = 9
SMTP_OFFSET = 25
WEB_THREADS = 8


class Sandbox:
    """A running sandbox. Attributes: store, mail (the server), web_url, smtp_host, smtp_port."""

    def __init__(self, host: str, port_base: int, folder: str | Path) -> None:
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
            app = create_app(self.store, self.mail)
            web = ThreadedServer(app, host, port_base + WEB_OFFSET, name="sandbox-web", threads=WEB_THREADS)
            web.start()
            started.callback(web.stop)
            self._started = started.pop_all()

    def stop(self) -> None:
        """Stop both servers and close the store. Stopping twice does no harm."""
        self._started.close()


def start(host: str = "127.0.0.1", port_base: int = 8000, folder: str | Path = "var/sandbox") -> Sandbox:
    """Start a sandbox: web on port_base+9, SMTP on port_base+25, data under folder (made when missing).

    Returns when both answer. Raises OSError when a port is not free, sqlite3.Error or RuntimeError when
    the data cannot be used.
    """
    return Sandbox(host, port_base, folder)
