"""No text that reaches a mail, of whatever kind, begins a header of its own."""

from typing import Any

from common.events.billing import BusinessRegistered, ClientRegistered
from common.testing import ServiceUnderTest
from notifications.domain.kinds import KINDS
from notifications.usecases.emails import NewEmail, queue
from sandbox.box import Sandbox
from services.notifications.tests.support import inbox, send_due

BREAKS = ("\r\n", "\n", "\r", "\r\n\r\n", "\x0b", "\x0c", "\x85", "\u2028")
HOSTILE = "x".join(f"{breaks}Bcc: eve@x.de" for breaks in BREAKS)
# Every fact that any kind of mail tells. What is text is hostile; the rest is what templates choose by and count.
FACTS: dict[str, Any] = {
    "currency": "USD", "event": "recorded", "method": "cash", "gateway": "stripe", "reminded_of": "invoice",
    "day": "2026-03-16", "due_on": "2026-03-16", "inactive_on": "2026-03-16", "days_overdue": 7,
    "good_until": "2126-03-16T14:30:00+00:00", "time_zone": "UTC", "pending_invoices": 2, "future_sessions": 1,
    "amount_minor": 4500, "balance_minor": -4500, "owed_minor": 4500, "paid_minor": 0, "total_minor": 4500,
    "threshold_minor": 0, "refunded_minor": 0, "receipt_revision": 1, "items": [],
    **dict.fromkeys(
        (
            "client_name", "name", "reason", "invoice_number", "receipt_number", "payment_id", "pay_url", "link",
            "gateway_payment_id", "gateway_dispute_id",
        ),
        HOSTILE,
    ),
}  # fmt: skip
HEADERS = {
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Reply-To", "MIME-Version", "Content-Type",
    "Content-Transfer-Encoding",
}  # fmt: skip


def test_no_text_begins_a_header(notifications: ServiceUnderTest, mailbox: Sandbox) -> None:
    studio, eve = f"Studio{HOSTILE}", f"Eve{HOSTILE}"
    notifications.take(
        BusinessRegistered(business_id="b2", name=studio, currency="USD", time_zone="UTC", reply_to_email="o@x.de"),
        ClientRegistered(business_id="b2", client_id="eve", name=eve, email="eve@example.com"),
    )
    with notifications.runtime.database.write() as session:
        every = [
            NewEmail("b2", studio, kind, kind, "eve", "eve@example.com", FACTS, is_asked_for=True) for kind in KINDS
        ]
        assert len(queue(session, every)) == len(KINDS)
    while send_due(notifications):
        pass
    mails = inbox(mailbox)
    assert len({mail["Message-ID"] for mail in mails}) == len(KINDS)
    for mail in mails:
        assert set(mail.keys()) <= HEADERS, mail["Subject"]
        assert (mail["To"], mail["Reply-To"]) == ("eve@example.com", "o@x.de")
        assert "Bcc: eve@x.de" in mail["From"], "it stands there as text"
        assert [name.lower() for part in mail.walk() for name in part.keys()].count("bcc") == 0  # noqa: SIM118
