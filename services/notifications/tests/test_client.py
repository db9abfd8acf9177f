"""A mail server that answers, and takes for ever over it."""

import contextlib
import socket
import threading
import time
from email.message import EmailMessage

import pytest

from common.jobs import TryLater
from notifications import client
from notifications.client import MailServer


def test_a_byte_at_a_time_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client, "SEND_SECONDS", 0.5)
    listener = socket.create_server(("127.0.0.1", 0))

    def trickle() -> None:
        connection, _ = listener.accept()
        with contextlib.suppress(OSError):
            for letter in "220 " + "x" * 100:
                connection.sendall(letter.encode())
                time.sleep(0.1)

    threading.Thread(target=trickle, daemon=True).start()
    began = time.monotonic()
    with pytest.raises(TryLater, match="cannot be reached"):
        MailServer(f"smtp://127.0.0.1:{listener.getsockname()[1]}").send(EmailMessage())
    assert time.monotonic() - began < 3
    listener.close()
