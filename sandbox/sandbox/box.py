"""The whole sandbox running inside one process."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack
from pathlib import Path

from flask import Flask
from waitress import create_server, wasyncore

from sandbox.mail import MailServer
from sandbox.store import MailStore
from sandbox.web import create_app

WEB_OFFSET = 9
SMTP_OFFSET = 25
WEB_THREADS = 8
STOP_SECONDS = 10


class WebServer:
    """A waitress server in a thread. Raises OSError when the port is not free."""

    def __init__(self, app: Flask, host: str, port: int) -> None:
        # One socket of our own, so that there is one waitress server also when a name has several addresses.
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(address[:2], family=family)
        self._sockets: dict[int, object] = {}
        self._server = create_server(app, map=self._sockets, sockets=[listening], threads=WEB_THREADS, ident=None)
        self._thread = threading.Thread(target=self._server.run, name="sandbox-web", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the requests being answered (for at most 5 seconds) and close."""
        # The workers first: one that finishes after the sockets are closed would write to a closed pipe.
        self._server.task_dispatcher.shutdown()
        # In waitress's own thread, which must not be waiting on a socket while it is closed; its loop
        # ends when no socket is left.
        self._server.trigger.pull_trigger(lambda: wasyncore.close_all(self._sockets, ignore_all=True))
        self._thread.join(STOP_SECONDS)


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
            web = WebServer(create_app(self.store, self.mail), host, port_base + WEB_OFFSET)
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
