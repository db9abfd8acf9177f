"""Mails: what was sent to whom and how it went; send again; ask for one; preview."""

from typing import Any, Literal

import orjson
from flask_openapi3 import APIBlueprint, Tag
from pydantic import AwareDatetime, BaseModel, Field, model_validator
from sqlalchemy import select

from common.directory import Directory
from common.errors import FieldError, Invalid, NotFound
from common.ids import new_id
from common.web.app import B, caller, endpoint, runtime, session
from common.web.fields import AmountMinor, Body, BusinessPath, Id, Line, Ordinal, PageQuery
from common.web.fields import Email as EmailAddress
from common.web.paging import decode_cursor, page
from notifications.api.texts import TextsBody
from notifications.domain import mail, own_words
from notifications.domain.kinds import KINDS, KindName
from notifications.domain.own_words import OwnWords
from notifications.models import Email, EmailTexts
from notifications.usecases import emails
from notifications.usecases.emails import NewEmail

api = APIBlueprint("emails", __name__, abp_tags=[Tag(name="E-mails")], abp_security=[{"bearer": []}])

State = Literal["queued", "sent", "failed", "suppressed"]
SAMPLE_FACTS: dict[str, dict[str, Any]] = {
    "receipt": {
        "event": "recorded", "day": "2026-03-14", "payment_id": "sample", "amount_minor": 4500, "method": "cash",
        "receipt_number": 12, "receipt_revision": 1,
    },
    "low_balance": {"balance_minor": 1500, "threshold_minor": 3000},
    "invoice": {
        "invoice_number": "INV-000012", "total_minor": 9000, "paid_minor": 3000, "owed_minor": 6000,
        "due_on": "2026-03-16", "pay_url": "https://portal.example/pay",
    },
    "reminder": {
        "reminded_of": "invoice", "invoice_number": "INV-000012", "owed_minor": 6000,
        "due_on": "2026-03-16", "days_overdue": 7, "pay_url": "https://portal.example/pay",
    },
    "deactivation_due": {
        "client_name": "Ada Example", "inactive_on": "2026-03-16", "balance_minor": -1500,
        "future_sessions": 2, "pending_invoices": 1,
    },
    "unmatched": {
        "amount_minor": 4500, "gateway": "stripe", "gateway_payment_id": "pi_sample", "day": "2026-03-14",
        "reason": "the gateway does not say whose it is",
    },
    "dispute": {
        "client_name": "Ada Example", "amount_minor": 4500, "payment_id": "sample", "gateway_dispute_id": "dp_sample",
        "reason": "fraudulent",
    },
    "balance_due": {"owed_minor": 4500, "pay_url": "https://portal.example/pay?amount_minor=4500"},
    "card_needs_client": {"owed_minor": 4500, "pay_url": "https://portal.example/pay?amount_minor=4500"},
    "invitation": {
        "name": "Ada Example", "link": "https://portal.example/welcome", "good_until": "2026-03-16T12:00:00+00:00",
        "time_zone": "UTC",
    },
    "password_reset": {
        "name": "Ada Example", "link": "https://portal.example/welcome", "good_until": "2026-03-16T12:00:00+00:00",
        "time_zone": "UTC",
    },
}  # fmt: skip


# What a mail that is asked for here must say, and for whom it is.
NEEDED = {
    "receipt": ("client_id", "to", "payment_id", "receipt_number", "receipt_revision"),
    "card_needs_client": ("client_id", "owed_minor", "pay_url"),
    "invitation": ("to", "name", "link", "good_until"),
    "password_reset": ("to", "name", "link", "good_until"),
}
WHOSE = ("client_id", "to")


class EmailPath(BusinessPath):
    email_id: Id


class EmailsQuery(PageQuery):
    to: str | None = Field(default=None, max_length=254)
    kind: KindName | None = None
    status: State | None = None
    client_id: str | None = Field(default=None, max_length=64)


class NewEmailBody(Body):
    """Mail that carries what does not travel in events: an address that is not the client's, or a link that opens
    something to whoever has it.

    A receipt needs `client_id`, `to`, `payment_id`, `receipt_number` and `receipt_revision`; card_needs_client, which
    goes to the client's own address, `client_id`, `owed_minor` and `pay_url`; an invitation and a password_reset `to`,
    `name`, `link`, which leads into the portal, and `good_until`. Their link is erased once the mail has ended.
    """

    kind: Literal["receipt", "card_needs_client", "invitation", "password_reset"]
    client_id: Id | None = None
    to: EmailAddress | None = None
    payment_id: Id | None = None
    receipt_number: int | None = Field(default=None, ge=1)
    receipt_revision: Ordinal | None = None
    owed_minor: AmountMinor | None = None
    pay_url: str | None = Field(default=None, max_length=1000, pattern=r"^https?://")
    name: Line | None = None
    link: str | None = Field(default=None, max_length=1000, pattern=r"^https?://[^\s<>\"']+$")
    good_until: AwareDatetime | None = None

    @model_validator(mode="after")
    def check_whole(self) -> "NewEmailBody":
        for name in NEEDED[self.kind]:
            if getattr(self, name) is None:
                raise ValueError(f"a mail of kind {self.kind} needs {name}")
        return self


class PreviewBody(TextsBody):
    """Own words that are not saved yet may be tried: `intro` and `closing`. With neither, the saved ones are used."""

    kind: KindName


class EmailAnswer(BaseModel):
    """A mail and its state."""

    id: str
    kind: KindName
    about: str
    client_id: str | None
    to: str | None
    subject: str
    status: State
    reason: str | None
    attempts: int
    message_id: str
    created_at: str
    sent_at: str | None


def as_json(email: Email) -> dict[str, Any]:
    domain = runtime().settings.mail_from.rpartition("@")[2]  # type: ignore[attr-defined]
    return {
        "id": email.email_id,
        "kind": email.kind,
        "about": email.about,
        "client_id": email.client_id,
        "to": email.address,
        "subject": email.subject,
        "status": email.state,
        "reason": email.reason,
        "attempts": email.attempts,
        "message_id": f"<{email.email_id}@{domain}>",
        "created_at": email.created_at,
        "sent_at": email.sent_at,
    }


@api.get(f"{B}/emails")
@endpoint("notifications:read")
def list_emails(path: BusinessPath, query: EmailsQuery) -> dict[str, Any]:
    """Mails, newest first"""
    caller().require_staff("mail")
    found = select(Email).where(Email.business_id == path.business_id)
    if query.to is not None:
        found = found.where(Email.address_folded == query.to.casefold())
    for column, value in (
        (Email.kind, query.kind),
        (Email.state, query.status),
        (Email.client_id, query.client_id),
    ):
        if value is not None:
            found = found.where(column == value)
    if (after := decode_cursor(query.cursor, str)) is not None:
        found = found.where(Email.email_id < after[0])
    rows = session().scalars(found.order_by(Email.email_id.desc()).limit(query.limit + 1)).all()
    more = [rows[query.limit - 1].email_id] if len(rows) > query.limit else None
    return page([as_json(row) for row in rows], query.limit, more)


@api.get(f"{B}/emails/<string:email_id>", responses={200: EmailAnswer})
@endpoint("notifications:read")
def get_email(path: EmailPath) -> dict[str, Any]:
    """One mail"""
    caller().require_staff("mail")
    return as_json(emails.find(session(), path.business_id, path.email_id))


@api.post(f"{B}/emails/<string:email_id>/resend", responses={202: EmailAnswer})
@endpoint("notifications:write")
def resend_email(path: EmailPath) -> tuple[dict[str, Any], int]:
    """Send a mail again, under the same Message-ID"""
    caller().require_staff("mail")
    return as_json(emails.resend(session(), path.business_id, path.email_id)), 202


@api.post(f"{B}/emails", responses={201: EmailAnswer})
@endpoint("notifications:write")
def send_email(path: BusinessPath, body: NewEmailBody) -> tuple[dict[str, Any], int]:
    """Send a mail whose address or link is told here, because those do not travel in events"""
    caller().require_staff("mail")
    directory = Directory(runtime(), session(), path.business_id)
    business, client = directory.business(), directory.client(body.client_id) if body.client_id else None
    if body.client_id and client is None:
        raise NotFound("not_found", "There is no such client.")
    facts = body.model_dump(mode="json", include=set(NEEDED[body.kind]) - set(WHOSE))
    if body.kind == "receipt":
        facts["event"] = "requested"
    if KINDS[body.kind].to == "person":
        _refuse_foreign_link(facts["link"])
        facts["time_zone"] = business.time_zone
    (email_id,) = emails.queue(session(), [
        NewEmail(
            business_id=path.business_id,
            business_name=business.name,
            kind=body.kind,
            about=f"{body.kind}-request:{new_id()}",
            client_id=body.client_id,
            address=body.to or (client.email if client else None),
            facts={"currency": business.currency, **facts},
            is_asked_for=True,
        )
    ])  # fmt: skip
    return as_json(emails.find(session(), path.business_id, email_id)), 201


def _refuse_foreign_link(link: str) -> None:
    """A mail that asks somebody for a password leads nowhere else than into the portal. Raises Invalid."""
    if not link.startswith(f"{runtime().settings.portal}/"):
        words = "This link does not lead into the portal."
        raise Invalid("link_foreign", words, [FieldError("link", words)])


@api.post(f"{B}/emails/preview")
@endpoint("notifications:read", idempotent=False)
def preview_email(path: BusinessPath, body: PreviewBody) -> dict[str, Any]:
    """How a kind of mail looks, with sample figures"""
    caller().require_staff("mail")
    business = Directory(runtime(), session(), path.business_id).business()
    facts = orjson.loads(orjson.dumps({**SAMPLE_FACTS[body.kind], "currency": business.currency}))
    own = _own_words(path.business_id, body)
    words = mail.compose(body.kind, facts, business.name, "Ada Example", own)
    return {"kind": body.kind, "subject": words.subject, "text": words.text, "html": words.html}


def _own_words(business_id: str, body: PreviewBody) -> OwnWords:
    """The words to try, or those that are saved. Raises Invalid for a kind that takes none."""
    tried = body.model_fields_set & {"intro", "closing"}
    if tried and body.kind not in own_words.TAKING:
        message = "this kind of mail takes no words of one's own"
        raise Invalid("texts_not_taken", f"{message}.", [FieldError(name, message) for name in sorted(tried)])
    if tried:
        return OwnWords(body.intro, body.closing)
    return emails.own_words_of(session().get(EmailTexts, (business_id, body.kind)))
