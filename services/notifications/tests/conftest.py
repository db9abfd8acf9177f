"""The notifications service with one business and two clients, the services that it asks, and a mail box."""

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

import sandbox
from common.events.billing import BusinessRegistered, ClientRegistered
from common.testing import ServiceUnderTest, free_port_base
from sandbox.box import Sandbox
from services.notifications.tests.support import Peers


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Sandbox]:
    running = sandbox.start("127.0.0.1", free_port_base(), tmp_path / "box")
    yield running
    running.stop()


@pytest.fixture
def peers() -> Iterator[Peers]:
    server = Peers()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def notifications(tmp_path: Path, mailbox: Sandbox, peers: Peers) -> Iterator[ServiceUnderTest]:
    subject = ServiceUnderTest(
        "notifications", tmp_path, SMTP_URL=f"smtp://{mailbox.smtp_host}:{mailbox.smtp_port}",
        PAYMENTS_URL=peers.url, BILLING_URL=peers.url,
    )  # fmt: skip
    subject.take(
        BusinessRegistered(
            business_id="b1", name="Studio\r\nBcc: x", currency="USD", time_zone="UTC", reply_to_email="o@x.de"
        ),
        ClientRegistered(business_id="b1", client_id="ada", name="陳美玲 <b>", email="ada@example.com"),
        ClientRegistered(business_id="b1", client_id="mute", name="No Address"),
    )
    yield subject
    subject.close()
