"""A WSGI server in threads of this process: for what runs many services in one, and for the sandbox."""

import logging
import socket
import threading

from flask import Flask
from waitress import create_server, wasyncore

MAX_BODY_BYTES = 32 * 1024 * 1024
STOP_SECONDS = 10.0
# Open connections, idle ones included. waitress has 100, and takes no new one beyond: browsers and sessions keep some.
CONNECTIONS = 1_000

# A line for every request that has to wait a moment helps nobody, least of all during a burst.
logging.getLogger("waitress.queue").setLevel(logging.ERROR)


class ThreadedServer:
    """Listens at once, answers after `start`. Raises OSError when the port is not free."""

    def __init__(self, app: Flask, host: str, port: int, *, name: str, threads: int) -> None:
        # One socket of our own, so that there is one server also when a name has several addresses.
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(address[:2], family=family)
        self._sockets: dict[int, object] = {}
        self._server = create_server(
            app, map=self._sockets, sockets=[listening], threads=threads, ident=None,
            max_request_body_size=MAX_BODY_BYTES, connection_limit=CONNECTIONS,
            asyncore_use_poll=True,  # select() ends at 1,024 files
        )  # fmt: skip
        self._thread = threading.Thread(target=self._server.run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Finish the requests being answered (for at most 5 seconds) and close."""
        # The workers first: one that finishes after the sockets are closed would write to a closed pipe.
        self._server.task_dispatcher.shutdown()
        told = threading.Event()

        def close_all() -> None:
            # Another pull may bring the loop here before ours has been written to the pipe that is closed here.
            told.wait(STOP_SECONDS)
            wasyncore.close_all(self._sockets, ignore_all=True)

        # In the server's own thread, which must not be waiting on a socket while it is closed; its loop ends when
        # no socket is left.
        self._server.trigger.pull_trigger(close_all)
        told.set()
        self._thread.join(STOP_SECONDS)
