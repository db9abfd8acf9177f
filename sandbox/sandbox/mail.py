"""The mail server of the sandbox: takes every message for anybody and keeps it."""

from __future__ import annotations

import asyncio
import logging
import socket
import sqlite3
from concurrent.futures import ThreadPoolExecutor

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from sandbox.faults import MailFaultSwitch, Step
from sandbox.store import MailFilter, MailStore, StoredMail

__all__ = ["MailFilter", "MailServer", "MailStore", "StoredMail"]

SIZE_LIMIT_BYTES = 25 * 1024 * 1024
START_SECONDS = 10.0
FAULT_REPLIES = {
    421: "421 4.3.2 Closing the connection (sandbox fault)",
    451: "451 4.3.0 Try again later (sandbox fault)",
    550: "550 5.7.1 Refused (sandbox fault)",
}
log = logging.getLogger(__name__)


class MailServer:
    """An SMTP server on host:port (a free port, not 0) that puts what it gets into the store.

    Messages up to 25 MiB, no authentication, no TLS. The 250 after DATA is sent after the commit.
    """

    def __init__(self, store: MailStore, host: str = "127.0.0.1", port: int = 8025) -> None:
        self.store = store
        self.host = host
        self.port = port
        self.faults = MailFaultSwitch()
        self._controller: Controller | None = None
        self._storing: ThreadPoolExecutor | None = None

    @property
    def running(self) -> bool:
        """Whether the server was started and not stopped."""
        return self._controller is not None

    def start(self) -> None:
        """Listen, and return once connections are accepted. Raises OSError when the port is not free."""
        if self._controller is not None:
            raise RuntimeError("the mail server is already running")
        # aiosmtpd tells of a taken port only after its whole start timeout.
        family, _, _, _, address = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0]
        socket.create_server(address[:2], family=family).close()
        # One thread: SQLite has one writer anyway, and the event loop goes on serving other connections.
        storing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mail-store")
        # Without a name given, aiosmtpd looks up the host's own name in DNS for every connection.
        receiver = _Receiver(self.store, self.faults, storing)
        controller = Controller(
            receiver,
            hostname=self.host,
            port=self.port,
            server_hostname="sandbox.invalid",
            ident="Remit sandbox",
            data_size_limit=SIZE_LIMIT_BYTES,
            ready_timeout=START_SECONDS,
        )
        try:
            controller.start()
        except BaseException:
            storing.shutdown()
            if not controller.loop.is_running():
                controller.loop.close()
            raise
        self._controller, self._storing = controller, storing

    def stop(self) -> None:
        """Close all connections and stop listening; a message being stored is stored to its end."""
        controller, storing = self._controller, self._storing
        self._controller = self._storing = None
        if controller is not None:
            controller.stop()
        if storing is not None:
            storing.shutdown()


class _Receiver:
    """The hooks aiosmtpd calls; what they return is the reply sent to the client."""

    def __init__(self, store: MailStore, faults: MailFaultSwitch, storing: ThreadPoolExecutor) -> None:
        self._store = store
        self._faults = faults
        self._storing = storing

    async def handle_RCPT(
        self,
        server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,  # noqa: N802
        options: list[str],
    ) -> str:
        refusal = self._refusal(server, "rcpt")
        if refusal is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        refusal = self._refusal(server, "data")
        if refusal is not None:
            return refusal
        delay = self._faults.faults.delay_seconds
        if delay:
            await asyncio.sleep(delay)
        raw = envelope.original_content or b""
        try:
            key = await asyncio.get_running_loop().run_in_executor(
                self._storing, self._store.add, _sender(envelope), envelope.rcpt_tos, raw
            )
        except sqlite3.Error:
            log.exception("a message could not be stored")
            return "451 4.3.0 The message could not be stored, try again later"
        if self._faults.take_cut():
            # aiosmtpd answers a cancelled hook by closing the connection without a word, which is
            # just what this fault is about.
            raise asyncio.CancelledError
        return f"250 2.0.0 Stored as {key}"

    def _refusal(self, server: SMTP, step: Step) -> str | None:
        code = self._faults.take_failure(step)
        if code is None:
            return None
        if code == 421 and server.transport is not None:
            # RFC 5321 has the server close after a 421. Done in the next round of the loop, so after
            # aiosmtpd has written the reply; close() then lets that reply out first.
            server.loop.call_soon(server.transport.close)
        return FAULT_REPLIES[code]


def _sender(envelope: Envelope) -> str:
    # aiosmtpd keeps the empty sender of bounces as the text "<>".
    sender = envelope.mail_from or ""
    return "" if sender == "<>" else sender
