"""Mails: queue one for a fact, once; make the call; record what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from common import clock, jobs
from common.db import insert_or
from common.errors import Conflict, NotFound
from common.events.notifications import EmailFailed, EmailSent
from common.ids import new_id
from common.jobs import Call
from common.outbox import emit
from notifications.domain import mail
from notifications.domain.kinds import KINDS
from notifications.domain.own_words import NONE, OwnWords
from notifications.models import Email, EmailSettings, EmailTexts

JOB = "email"


@dataclass(frozen=True)
class NewEmail:
    """A mail to be. `about` is what makes it one of a kind; `address` None means that nobody can be reached."""

    business_id: str
    business_name: str
    kind: str
    about: str
    client_id: str | None
    address: str | None
    facts: dict[str, Any]
    is_asked_for: bool = False  # somebody asked for this very mail: the switches do not hold it back
    correlation_id: str | None = None

    @property
    def belongs_to(self) -> dict[str, str]:
        """What its job's payload says of where it comes from; without, the job belongs to the request."""
        return {jobs.CORRELATION: self.correlation_id} if self.correlation_id else {}


def queue(session: Session, new: Sequence[NewEmail]) -> list[str]:
    """Queue each mail once per `about`; answers the ids of those that are new. One that may not or cannot be sent is
    kept as suppressed, with the reason."""
    if not new:
        return []
    settings = _settings(session, {email.business_id for email in new})
    now = clock.now()
    rows = [_row(email, settings.get(email.business_id), now) for email in new]
    statement = insert_or(session, Email).on_conflict_do_nothing(index_elements=["business_id", "about"])
    inserted = set(session.scalars(statement.returning(Email.email_id), rows))
    jobs.add(session, [
        (JOB, row["email_id"], row["business_id"], email.belongs_to)
        for email, row in zip(new, rows, strict=True)
        if row["email_id"] in inserted and row["state"] == "queued"
    ])  # fmt: skip
    return [row["email_id"] for row in rows if row["email_id"] in inserted]


def _row(email: NewEmail, settings: EmailSettings | None, now: datetime) -> dict[str, Any]:
    reason = _why_not(email, settings)
    return {
        "business_id": email.business_id,
        "email_id": new_id(),
        "kind": email.kind,
        "about": email.about,
        "client_id": email.client_id,
        "address": email.address,
        "address_folded": email.address.casefold() if email.address else None,
        "subject": mail.subject_of(email.kind, email.facts, email.business_name),
        "facts": orjson.dumps(email.facts).decode(),
        "state": "queued" if reason is None else "suppressed",
        "reason": reason,
        "attempts": 0,
        "created_at": now,
    }


def _why_not(email: NewEmail, settings: EmailSettings | None) -> str | None:
    """Why the mail is not to be sent; None when it is."""
    kind = KINDS[email.kind]
    is_held_back = kind.switch is not None and settings is not None and not getattr(settings, kind.switch)
    if is_held_back and not email.is_asked_for:
        return "this kind of mail is switched off"
    if email.address is None:
        return f"the {kind.to} has no e-mail address"
    return None


def _settings(session: Session, business_ids: set[str]) -> dict[str, EmailSettings]:
    rows = session.scalars(select(EmailSettings).where(EmailSettings.business_id.in_(business_ids)))
    return {row.business_id: row for row in rows}


def own_words_of(texts: EmailTexts | None) -> OwnWords:
    """What a business says in its own words; without a row nothing."""
    return OwnWords(texts.intro, texts.closing) if texts else NONE


def find(session: Session, business_id: str, email_id: str) -> Email:
    """The mail, or NotFound."""
    email = session.get(Email, (business_id, email_id))
    if email is None:
        raise NotFound("not_found", "There is no such mail.")
    return email


def resend(session: Session, business_id: str, email_id: str) -> Email:
    """Send an ended mail again, under the same Message-ID. Raises NotFound, Conflict."""
    email = session.get(Email, (business_id, email_id), with_for_update=True)
    if email is None:
        raise NotFound("not_found", "There is no such mail.")
    if email.address is None:
        whom = KINDS[email.kind].to
        raise Conflict("no_address", f"This mail has no address. Give the {whom} one; mails from then on go there.")
    if KINDS[email.kind].erased is not None:
        words = "Its link opened something, and is kept nowhere. Whoever asked for this mail can ask for a new one."
        raise Conflict("link_erased", words)
    if email.state == "queued":
        raise Conflict("already_queued", "This mail is on its way already.")
    email.state, email.reason = "queued", None
    session.flush()
    if not jobs.retry(session, JOB, email_id):  # there is none any more, or an operator has made it due already
        jobs.add_if_new(session, (JOB, email_id, business_id, {}))
    return email


def sent(session: Session, call: Call, _answer: Any) -> None:
    """Record that the mail server took it."""
    email = find(session, call.business_id, call.key)
    email.state, email.reason, email.attempts, email.sent_at = "sent", None, email.attempts + 1, clock.now()
    _erase_secret(email)
    session.flush()
    emit(session, "notifications", [EmailSent(**_facts(email))])


def delayed(session: Session, call: Call, reason: str) -> None:
    """Record an attempt that will be repeated."""
    email = find(session, call.business_id, call.key)
    email.state, email.attempts, email.reason = "queued", email.attempts + 1, reason[:2000]
    session.flush()


def failed(session: Session, call: Call, reason: str) -> None:
    """Record that it will not be tried again."""
    email = find(session, call.business_id, call.key)
    if email.state == "failed" and has_lost_its_link(email):
        return  # an operator had it tried once more: why it failed stays what it was
    email.state, email.attempts, email.reason = "failed", email.attempts + 1, reason[:2000]
    _erase_secret(email)
    session.flush()
    emit(session, "notifications", [EmailFailed(**_facts(email), reason=reason[:500])])


def has_lost_its_link(email: Email) -> bool:
    """Whether it had ended before, and what it opened was erased: there is nothing to send any more."""
    link = KINDS[email.kind].erased
    return link is not None and link not in orjson.loads(email.facts)


def _erase_secret(email: Email) -> None:
    """Nobody who reads the table later finds a link that still opens something."""
    link = KINDS[email.kind].erased
    if link is not None:
        facts = orjson.loads(email.facts)
        email.facts = orjson.dumps({name: fact for name, fact in facts.items() if name != link}).decode()


def _facts(email: Email) -> dict[str, Any]:
    return {
        "business_id": email.business_id,
        "email_id": email.email_id,
        "kind": email.kind,
        "client_id": email.client_id,
        "about": email.about,
        "sequence": max(email.attempts, 1),
    }
