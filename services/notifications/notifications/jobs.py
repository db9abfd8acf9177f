"""The outside call that notifications makes: one mail, with its receipt attached."""

from email.message import EmailMessage
from functools import lru_cache
from typing import Any

import orjson

from common.directory import Business, Client
from common.jobs import Call, Job, TryLater
from common.runtime import Runtime
from notifications.client import MailServer, address
from notifications.domain import mail
from notifications.models import Email, EmailSettings
from notifications.usecases import emails


def send(runtime: Runtime, call: Call) -> None:
    """Compose the mail and hand it over. A call in doubt is made again: the Message-ID stays, so that a mail sent
    twice can be recognised."""
    with runtime.database.read() as session:
        email = session.get_one(Email, (call.business_id, call.key))
        business = session.get(Business, call.business_id)
        client = session.get(Client, (call.business_id, email.client_id)) if email.client_id else None
        settings = session.get(EmailSettings, call.business_id)
    if business is None:
        raise TryLater("the business is not known here yet")
    facts = orjson.loads(email.facts)
    attachment = None
    if email.kind == "receipt":
        facts, attachment = _receipt(runtime, call.business_id, facts)
    words = mail.compose(email.kind, facts, business.name, client.name if client else business.name)
    message = _message(email, words, business, settings, runtime.settings.mail_from)  # type: ignore[attr-defined]
    if attachment is not None:
        name = f"receipt-{facts['receipt_number']}.pdf"
        message.add_attachment(attachment, maintype="application", subtype="pdf", filename=name)
    _server(runtime.settings.smtp_url).send(message)  # type: ignore[attr-defined]


def _receipt(runtime: Runtime, business_id: str, facts: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The receipt's PDF from payments; and its facts, where the mail was asked for without them."""
    path = f"/v1/businesses/{business_id}/payments/{facts['payment_id']}/receipt"
    options: dict[str, Any] = {
        "scope": "payments:read",
        "business_id": business_id,
        "params": {"revision": facts["receipt_revision"]},
    }
    pdf = runtime.ask("payments", "GET", path + ".pdf", **options)
    if not pdf.ok:  # whatever it is, a later attempt may find it mended; they are bounded
        raise TryLater(f"payments answered {pdf.status_code} when asked for the receipt")
    if facts["event"] != "requested":
        return facts, pdf.content
    found = runtime.ask("payments", "GET", path, **options).json()
    event = {"voided": "voided"}.get(found["status"], "recorded")
    return {**facts, "event": event, "day": found["received_on"], **{
        name: found[name] for name in ("amount_minor", "currency", "method")
    }}, pdf.content  # fmt: skip


def _message(
    email: Email, words: mail.Words, business: Business, settings: EmailSettings | None, mail_from: str
) -> EmailMessage:
    message = EmailMessage()
    name = (settings.from_name if settings else None) or business.name
    reply_to = (settings.reply_to if settings else None) or business.reply_to_email
    assert email.address is not None
    message["From"] = address(name, mail_from)
    message["To"] = address("", email.address)
    message["Subject"] = words.subject
    message["Date"] = email.created_at
    message["Message-ID"] = f"<{email.email_id}@{mail_from.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    if reply_to:
        message["Reply-To"] = address("", reply_to)
    message.set_content(words.text)
    message.add_alternative(words.html, subtype="html")
    return message


@lru_cache(maxsize=4)
def _server(url: str) -> MailServer:
    return MailServer(url)


JOBS = [Job(kind=emails.JOB, call=send, done=emails.sent, failed=emails.failed, delayed=emails.delayed)]
