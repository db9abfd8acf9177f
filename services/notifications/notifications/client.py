"""The mail server: the one place that knows SMTP."""

import contextlib
import smtplib
import socket
import ssl
import threading
from email.headerregistry import Address
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import idna

from common.jobs import GiveUp, TryLater

TIMEOUT_SECONDS = 10
# For all of one mail, as a server that sends a byte a second keeps each timeout. Below what a job may take before it
# counts as nobody's, and is done once more.
SEND_SECONDS = 40.0
LOOKS_AGAIN_SECONDS = 0.2
# What a server says of a message or an address, not of its own state.
_REFUSED = range(500, 600)
_READY = 220


class _Deadline:
    """Ends the connection when it is over; whoever reads from it then finds that it broke off."""

    def __init__(self, seconds: float) -> None:
        self.connection: smtplib.SMTP | None = None
        self.is_over = False
        self._is_done = threading.Event()
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> "_Deadline":
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_done.set()
        self._timer.cancel()

    def _end(self) -> None:
        self.is_over = True
        while not self._is_done.is_set():  # one that is only being opened has no socket yet
            held = getattr(self.connection, "sock", None)
            if held is not None:
                with contextlib.suppress(OSError):
                    held.shutdown(socket.SHUT_RDWR)
            self._is_done.wait(LOOKS_AGAIN_SECONDS)


class MailServer:
    """Hands mails to one SMTP server; each thread keeps a connection of its own while it works."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "smtps"
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or (465 if self._secure else 25)
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        self._local = threading.local()

    def send(self, message: EmailMessage) -> None:
        """Hand the mail over. Raises GiveUp when the server refuses it for good, TryLater otherwise."""
        with _Deadline(SEND_SECONDS) as deadline:
            self._send(message, deadline)

    def _send(self, message: EmailMessage, deadline: "_Deadline") -> None:
        for is_fresh in (False, True):
            connection = self._connection(deadline, fresh=is_fresh)
            try:
                connection.send_message(message)
                return
            except smtplib.SMTPServerDisconnected as error:
                self._drop()
                # A kept connection may have been closed meanwhile; a new one is tried before the job counts it.
                if is_fresh or deadline.is_over or not getattr(self._local, "was_kept", False):
                    raise TryLater(f"the mail server broke off: {error}") from error
            except smtplib.SMTPRecipientsRefused as error:
                code, answer = next(iter(error.recipients.values()))
                raise self._judged(code, answer) from error
            except smtplib.SMTPResponseException as error:
                raise self._judged(error.smtp_code, error.smtp_error) from error
            except smtplib.SMTPNotSupportedError as error:  # found out before anything was said to it
                raise GiveUp(
                    "the mail server takes no addresses with letters other than a to z before the @"
                ) from error
            except (OSError, smtplib.SMTPException) as error:
                self._drop()
                raise TryLater(f"the mail server does not answer: {type(error).__name__}") from error

    def _judged(self, code: int, answer: bytes | str) -> Exception:
        self._drop()
        words = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
        reason = f"the mail server said {code} {words[:300]}"
        return GiveUp(reason) if code in _REFUSED else TryLater(reason)

    def _connection(self, deadline: "_Deadline", *, fresh: bool) -> smtplib.SMTP:
        kept: smtplib.SMTP | None = None if fresh else getattr(self._local, "connection", None)
        self._local.was_kept = kept is not None
        if kept is not None:
            deadline.connection = kept
            return kept
        try:
            connection = self._connect(deadline)
        except smtplib.SMTPResponseException as error:
            raise TryLater(f"the mail server said {error.smtp_code} at connecting") from error
        except (OSError, smtplib.SMTPException) as error:
            raise TryLater(f"the mail server cannot be reached: {type(error).__name__}") from error
        self._local.connection = connection
        return connection

    def _connect(self, deadline: "_Deadline") -> smtplib.SMTP:
        context = ssl.create_default_context()
        connection = (
            smtplib.SMTP_SSL(timeout=TIMEOUT_SECONDS, context=context)
            if self._secure
            else smtplib.SMTP(timeout=TIMEOUT_SECONDS)
        )
        connection._host = self._host  # type: ignore[attr-defined]  # what a certificate has to be for
        deadline.connection = connection
        code, words = connection.connect(self._host, self._port)
        if code != _READY:
            connection.close()
            raise smtplib.SMTPConnectError(code, words)
        if not self._secure:
            connection.ehlo()
            if connection.has_extn("starttls"):
                connection.starttls(context=context)
        if self._user:
            connection.login(self._user, self._password)  # refuses to go unencrypted where the server offers no TLS
        return connection

    def _drop(self) -> None:
        connection: smtplib.SMTP | None = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            connection.close()


def address(name: str, email: str) -> Address:
    """A header address; line breaks in the name cannot start a header of their own. A domain in other letters is
    written as every mail server takes it. Raises GiveUp for one that cannot be."""
    user, _, domain = email.rpartition("@")
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode()
        except idna.IDNAError as error:
            raise GiveUp(f"{domain} is no domain that mail can go to: {error}") from error
    return Address(display_name=" ".join(name.split()), username=user, domain=domain)
