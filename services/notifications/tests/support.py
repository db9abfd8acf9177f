"""What the tests of mails share: the services that are asked for PDFs, the mails kept, the mails that arrived."""

from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

from common import jobs
from common.jobs import JobLoop
from common.testing import ServiceUnderTest
from notifications.usecases.emails import JOB
from sandbox.box import Sandbox

B = "/v1/businesses/b1"
PDF = b"%PDF-1.4 a document"
RECEIPT = b'{"status":"recorded","received_on":"2026-03-01","amount_minor":4500,"currency":"USD","method":"cash"}'


class Peers(ThreadingHTTPServer):
    """Stands where payments and billing would: answers any PDF, and any receipt, with `status`. `asked` are paths."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.status = 200
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    server: Peers

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body, kind = (PDF, "application/pdf") if ".pdf" in self.path else (RECEIPT, "application/json")
        self.send_response(self.server.status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def send_due(subject: ServiceUnderTest) -> int:
    return JobLoop("notifications", subject.runtime.database, subject.runtime.service.jobs, subject.runtime).run_due()


def operate(subject: ServiceUnderTest, email_id: str) -> None:
    """What an operator does with a call that failed."""
    with subject.runtime.database.write() as session:
        assert jobs.retry(session, JOB, email_id)


def emails(subject: ServiceUnderTest, query: str = "") -> list[dict[str, Any]]:
    return list(subject.call("GET", f"{B}/emails?{query}").json["items"])


def inbox(mailbox: Sandbox) -> list[Any]:
    items = requests.get(f"{mailbox.web_url}/mail/messages", timeout=5).json()["items"]
    raw = [requests.get(f"{mailbox.web_url}/mail/messages/{item['id']}/raw", timeout=5).content for item in items]
    return [message_from_bytes(body, policy=policy.default) for body in raw]


def text_of(mail: Any) -> str:
    return str(mail.get_body(("plain",)).get_content())


def html_of(mail: Any) -> str:
    return str(mail.get_body(("html",)).get_content())
