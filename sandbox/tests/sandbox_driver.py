"""Driving a sandbox under test through its sockets."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from email.policy import SMTP

import requests

import sandbox

SECONDS = 10


class Box:
    """A sandbox under test: send() goes through SMTP, the rest through HTTP."""

    def __init__(self, running: sandbox.Sandbox) -> None:
        self.running = running
        self.url = running.web_url

    def smtp(self) -> smtplib.SMTP:
        return smtplib.SMTP(self.running.smtp_host, self.running.smtp_port, timeout=SECONDS)

    def send(self, message: EmailMessage | bytes, *to: str) -> None:
        raw = message if isinstance(message, bytes) else message.as_bytes(policy=SMTP)
        with self.smtp() as client:
            client.sendmail("remit@pay.test", list(to) or ["anna@shop.test"], raw)

    def get(self, path: str, **arguments: str | int) -> requests.Response:
        return requests.get(self.url + path, params=arguments, timeout=SECONDS)

    def list(self, **arguments: str | int) -> dict:  # type: ignore[type-arg]
        response = self.get("/mail/messages", **arguments)
        assert response.status_code == 200, response.text
        return dict(response.json())

    def faults(self, **mail: object) -> requests.Response:
        return requests.put(f"{self.url}/faults", json={"mail": mail}, timeout=SECONDS)


def letter(subject: str = "Your payment", text: str = "Hello.", message_id: str | None = None) -> EmailMessage:
    """A plain message."""
    message = EmailMessage()
    message["From"] = "Remit <remit@pay.test>"
    message["To"] = "Anna <anna@shop.test>"
    message["Subject"] = subject
    if message_id is not None:
        message["Message-ID"] = message_id
    message.set_content(text)
    return message
