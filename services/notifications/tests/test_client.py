"""A mail server that takes for ever over its answer, and one that knows no letters but a to z."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import Envelope

from common.jobs import GiveUp, TryLater
from common.testing import free_port
from notifications import client
from notifications.client import MailServer, address


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


class Kept(Sink):
    def __init__(self) -> None:
        super().__init__()
        self.to: list[str] = []

    async def handle_DATA(self, _server: object, _session: object, envelope: Envelope) -> str:  # noqa: N802
        self.to += envelope.rcpt_tos
        return "250 OK"


@pytest.fixture
def plain_server() -> Iterator[tuple[MailServer, Kept]]:
    """As many are: it takes addresses in ASCII only."""
    kept, port = Kept(), free_port()
    controller = Controller(kept, "127.0.0.1", port, enable_SMTPUTF8=False)
    controller.start()
    yield MailServer(f"smtp://127.0.0.1:{port}"), kept
    controller.stop()


def message(to: str) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "studio@example.com", address("", to), "Ein schöner Tag"
    made.set_content("Grüße")
    return made


def test_a_domain_in_any_letters_is_one_that_every_server_takes(plain_server: tuple[MailServer, Kept]):
    server, kept = plain_server
    for to in ("info@bücher.example", "info@straße.example", "info@例え.example"):
        server.send(message(to))
    assert kept.to == ["info@xn--bcher-kva.example", "info@xn--strae-oqa.example", "info@xn--r8jz45g.example"]


def test_letters_that_the_server_does_not_take_are_said_to_be_the_reason(plain_server: tuple[MailServer, Kept]):
    server, kept = plain_server
    with pytest.raises(GiveUp, match="takes no addresses with letters"):
        server.send(message("jürgen@example.com"))
    server.send(message("ada@example.com"))  # over the same connection
    assert kept.to == ["ada@example.com"]


def test_a_domain_that_cannot_be_is_refused():
    with pytest.raises(GiveUp, match="is no domain"):
        address("", "info@bü_cher.example")
