"""The outside call that notifications makes: one mail, with its document attached."""

from datetime import datetime
from email.message import EmailMessage
from functools import lru_cache
from typing import Any

import orjson
from requests import Response

from common import clock
from common.directory import Business, Client
from common.jobs import Call, GiveUp, Job, TryLater
from common.runtime import Runtime
from notifications.client import MailServer, address
from notifications.domain import mail
from notifications.domain.kinds import KINDS
from notifications.models import Email, EmailSettings, EmailTexts
from notifications.usecases import emails


def send(runtime: Runtime, call: Call) -> None:
    """Compose the mail and hand it over. A call in doubt is made again: the Message-ID stays, so that a mail sent
    twice can be recognised."""
    with runtime.database.read() as session:
        email = session.get_one(Email, (call.business_id, call.key))
        business = session.get(Business, call.business_id)
        client = session.get(Client, (call.business_id, email.client_id)) if email.client_id else None
        settings = session.get(EmailSettings, call.business_id)
        own = emails.own_words_of(session.get(EmailTexts, (call.business_id, email.kind)))
    if business is None:
        raise TryLater("the business is not known here yet")
    if emails.has_lost_its_link(email):
        raise GiveUp("its link was erased when it ended; whoever asked for this mail can ask for a new one")
    facts = _completed(runtime, call.business_id, orjson.loads(email.facts))
    if "good_until" in facts and datetime.fromisoformat(facts["good_until"]) <= clock.now():
        raise GiveUp("its link was over before the mail could be sent")
    words = mail.compose(email.kind, facts, business.name, client.name if client else business.name, own)
    message = _message(email, words, business, settings, runtime.settings.mail_from)  # type: ignore[attr-defined]
    document = KINDS[email.kind].document(facts)
    if document is not None:
        pdf = _ask(runtime, call.business_id, document.service, document.path, document.params).content
        message.add_attachment(pdf, maintype="application", subtype="pdf", filename=document.file_name)
    _server(runtime.settings.smtp_url).send(message)  # type: ignore[attr-defined]


def _completed(runtime: Runtime, business_id: str, facts: dict[str, Any]) -> dict[str, Any]:
    """The facts; from payments, where a receipt was asked for by its number alone."""
    if facts.get("event") != "requested":
        return facts
    path, params = f"/payments/{facts['payment_id']}/receipt", {"revision": facts["receipt_revision"]}
    found = _ask(runtime, business_id, "payments", path, params).json()
    event = {"voided": "voided"}.get(found["status"], "recorded")
    return {**facts, "event": event, "day": found["received_on"], **{
        name: found[name] for name in ("amount_minor", "currency", "method")
    }}  # fmt: skip


def _ask(runtime: Runtime, business_id: str, service: str, path: str, params: dict[str, int]) -> Response:
    """What `service` answers of the business; raises TryLater when it refuses, Unavailable when it is away."""
    answer = runtime.ask(
        service, "GET", f"/v1/businesses/{business_id}{path}",
        scope=f"{service}:read", business_id=business_id, params=params,
    )  # fmt: skip
    if not answer.ok:  # whatever it is, a later attempt may find it mended; they are bounded
        raise TryLater(f"{service} answered {answer.status_code} when asked for {path}")
    return answer


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


# The last try is some 13 hours after the first: a mail server that is away for an evening loses no receipt.
MOST_ATTEMPTS = 24
JOBS = [
    Job(
        kind=emails.JOB, call=send, done=emails.sent, failed=emails.failed, delayed=emails.delayed,
        max_attempts=MOST_ATTEMPTS,
    )
]  # fmt: skip
