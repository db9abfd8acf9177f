"""A wire does to what passes what it is told to."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.harness.proxy import Fault, Wire


@pytest.fixture
def wire() -> Iterator[Wire]:
    """Before somebody who says everything back."""
    echo = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := connection.recv(1024):
                connection.sendall(data)

    def serve() -> None:
        while True:
            try:
                connection, _ = echo.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    found = Wire(echo.getsockname()[1])
    yield found
    found.cut()
    echo.close()


def _seconds_to_hear(wire: Wire, words: bytes = b"words") -> float:
    with socket.create_connection(("127.0.0.1", wire.port), 5) as connection:
        began = time.monotonic()
        connection.sendall(words)
        heard = b""
        while len(heard) < len(words):
            part = connection.recv(1024)
            if not part:
                raise ConnectionResetError
            heard += part
        assert heard == words
        return time.monotonic() - began


def test_whole_it_passes_on(wire: Wire):
    assert _seconds_to_hear(wire) < 0.5


def test_late_each_way(wire: Wire):
    wire.fault = Fault(latency_seconds=0.3)

    assert _seconds_to_hear(wire) >= 0.6


def test_slow(wire: Wire):
    wire.fault = Fault(bytes_per_second=100)

    assert _seconds_to_hear(wire, b"x" * 50) >= 1.0


def test_reset(wire: Wire):
    wire.fault = Fault(resets=1.0)

    with pytest.raises(ConnectionResetError):
        _seconds_to_hear(wire)
    assert wire.reset_count == 1


def test_silent_until_it_speaks(wire: Wire):
    wire.fault = Fault(is_silent=True)
    threading.Timer(0.5, setattr, (wire, "fault", Fault())).start()

    assert _seconds_to_hear(wire) >= 0.4
