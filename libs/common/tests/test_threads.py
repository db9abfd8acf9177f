"""The threaded server: it answers, and stops whatever else is going on."""

import socket
import time
import urllib.request
from contextlib import ExitStack

import pytest
from flask import Flask

from common.testing import free_port
from common.web.threads import ThreadedServer


def serve() -> tuple[ThreadedServer, str]:
    app = Flask("answering")
    app.add_url_rule("/slow", view_func=lambda: (time.sleep(0.5), "done")[1])
    port = free_port()
    server = ThreadedServer(app, "127.0.0.1", port, name="tests-web", threads=4)
    server.start()
    return server, f"http://127.0.0.1:{port}/slow"


def test_a_request_under_way_is_finished() -> None:
    server, url = serve()
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"done"
    server.stop()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url)


def test_stopping_while_the_loop_is_woken_by_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    # A worker that has just answered wakes the loop as well, which then finds the order to close before the wake-up
    # that came with it has been written.
    server, _ = serve()
    trigger = server._server.trigger
    pull = trigger._physical_pull

    def pull_twice() -> None:
        pull()
        time.sleep(0.2)
        pull()

    monkeypatch.setattr(trigger, "_physical_pull", pull_twice)
    server.stop()
    assert not server._thread.is_alive()


def test_idle_connections_leave_room_for_others() -> None:
    server, url = serve()
    port = int(url.split(":")[2].partition("/")[0])
    with ExitStack() as idle:
        for _ in range(150):
            idle.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
        time.sleep(0.5)  # the server counts them once it has taken them
        with urllib.request.urlopen(url, timeout=5) as answer:
            assert answer.read() == b"done"
    server.stop()
