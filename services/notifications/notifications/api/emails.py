"""Mails: what was sent to whom and how it went; send again; ask for one; preview."""

from typing import Any, Literal

import orjson
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field
from sqlalchemy import select

from common.directory import Directory
from common.ids import new_id
from common.web.app import B, caller, endpoint, runtime, session
from common.web.fields import Body, BusinessPath, Id, PageQuery
from common.web.fields import Email as EmailAddress
from common.web.paging import decode_cursor, page
from notifications.domain import mail
from notifications.domain.kinds import KindName
from notifications.models import Email
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
        "reminded_of": "invoice", "invoice_number": "INV-000012", "owed_minor": 6000, "balance_minor": -6000,
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
}  # fmt: skip


class EmailPath(BusinessPath):
    email_id: Id


class EmailsQuery(PageQuery):
    to: str | None = Field(default=None, max_length=254)
    kind: KindName | None = None
    status: State | None = None
    client_id: str | None = Field(default=None, max_length=64)


class NewEmailBody(Body):
    """A receipt for an address that is not the client's."""

    kind: Literal["receipt"]
    to: EmailAddress
    payment_id: Id
    client_id: Id
    receipt_number: int = Field(ge=1)
    receipt_revision: int = Field(ge=1)


class PreviewBody(Body):
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
    """Send a receipt to an address that is told here, because addresses do not travel in events"""
    caller().require_staff("mail")
    business = Directory(runtime(), session(), path.business_id).business()
    facts = {"event": "requested", **body.model_dump(exclude={"kind", "to", "client_id"})}
    (email_id,) = emails.queue(session(), [
        NewEmail(
            business_id=path.business_id,
            business_name=business.name,
            kind=body.kind,
            about=f"receipt-request:{new_id()}",
            client_id=body.client_id,
            address=body.to,
            facts=facts,
            is_asked_for=True,
        )
    ])  # fmt: skip
    return as_json(emails.find(session(), path.business_id, email_id)), 201


@api.post(f"{B}/emails/preview")
@endpoint("notifications:read", idempotent=False)
def preview_email(path: BusinessPath, body: PreviewBody) -> dict[str, Any]:
    """How a kind of mail looks, with sample figures"""
    caller().require_staff("mail")
    business = Directory(runtime(), session(), path.business_id).business()
    facts = orjson.loads(orjson.dumps({**SAMPLE_FACTS[body.kind], "currency": business.currency}))
    words = mail.compose(body.kind, facts, business.name, "Ada Example")
    return {"kind": body.kind, "subject": words.subject, "text": words.text, "html": words.html}
