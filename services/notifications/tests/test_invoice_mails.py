"""Mails that ask for money: an invoice that somebody wants sent, a reminder of one, a reminder of a balance."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from common import clock
from common.events import Event
from common.events.billing import BalanceEmailRequested, ClientRegistered, InvoiceEmailRequested, ReminderDue
from common.jobs import JobRow
from common.testing import ServiceUnderTest
from sandbox.box import Sandbox
from services.notifications.tests.support import PDF, B, Peers, emails, html_of, inbox, send_due, text_of

PAY_URL = "https://portal.example/pay?business=b1&client=eve&amount_minor=6000&invoice=INV-000012"
ESCAPED_URL = PAY_URL.replace("&", "&amp;")


@pytest.fixture(autouse=True)
def eve(notifications: ServiceUnderTest) -> None:
    """A client whose name would be markup."""
    notifications.take(ClientRegistered(business_id="b1", client_id="eve", name="<b>Eve</b>", email="eve@example.com"))


def invoice(**more: Any) -> InvoiceEmailRequested:
    facts = {
        "business_id": "b1", "client_id": "eve", "invoice_id": "i1", "invoice_number": "INV-000012",
        "total_minor": 9000, "paid_minor": 3000, "currency": "USD", "due_on": date(2026, 3, 16),
        "request_id": "q1", "pay_url": PAY_URL,
    }  # fmt: skip
    return InvoiceEmailRequested(**{**facts, **more})


def invoice_reminder(days_overdue: int | None = 7, **more: Any) -> ReminderDue:
    facts = {
        "business_id": "b1", "client_id": "eve", "kind": "invoice", "reminder": "invoice:i1:7", "owed_minor": 6000,
        "currency": "USD", "invoice_id": "i1", "invoice_number": "INV-000012", "due_on": date(2026, 3, 16),
        "days_overdue": days_overdue, "pay_url": PAY_URL,
    }  # fmt: skip
    return ReminderDue(**{**facts, **more})


def balance_reminder(**more: Any) -> ReminderDue:
    facts = {
        "business_id": "b1", "client_id": "eve", "kind": "balance", "reminder": "balance:eve:2026-03-01",
        "owed_minor": 1500, "currency": "USD", "pay_url": PAY_URL,
    }  # fmt: skip
    return ReminderDue(**{**facts, **more})


def test_an_invoice_is_mailed_with_its_pdf_and_the_way_to_pay(
    notifications: ServiceUnderTest, mailbox: Sandbox, peers: Peers
) -> None:
    notifications.take(invoice())
    assert send_due(notifications) == 1
    (mail,) = inbox(mailbox)
    assert (mail["To"], mail["Subject"]) == ("eve@example.com", "Invoice INV-000012 from Studio Bcc: x: $60.00 to pay")
    for shown in (text_of(mail), html_of(mail)):
        for words in ("INV-000012", "$90.00", "$30.00", "$60.00", "16 March 2026"):
            assert words in shown
    assert "<b>Eve</b>" in text_of(mail)
    assert PAY_URL in text_of(mail)
    assert "&lt;b&gt;Eve&lt;/b&gt;" in html_of(mail)
    assert "<b>" not in html_of(mail)
    assert f'href="{ESCAPED_URL}"' in html_of(mail)
    assert f">{ESCAPED_URL}</a>" in html_of(mail)
    (attachment,) = mail.iter_attachments()
    assert (attachment.get_filename(), attachment.get_content()) == ("INV-000012.pdf", PDF)
    assert attachment.get_content_type() == "application/pdf"
    assert peers.asked == [f"{B}/invoices/INV-000012.pdf"]


def test_each_request_is_one_mail(notifications: ServiceUnderTest, mailbox: Sandbox) -> None:
    notifications.take(invoice(), invoice())  # one request under two event ids
    notifications.take(invoice())
    notifications.take(invoice(request_id="q2"))
    assert [mail["about"] for mail in emails(notifications, "kind=invoice")] == ["invoice:i1:q2", "invoice:i1:q1"]
    assert send_due(notifications) == 2
    assert len(inbox(mailbox)) == 2


def test_a_paid_invoice_asks_for_nothing(notifications: ServiceUnderTest, mailbox: Sandbox) -> None:
    notifications.take(invoice(paid_minor=9000, due_on=None))
    send_due(notifications)
    (mail,) = inbox(mailbox)
    assert mail["Subject"].endswith(": paid")
    for shown in (text_of(mail), html_of(mail)):
        assert "Still to pay" in shown
        assert "Due on" not in shown
        assert "portal.example" not in shown


def test_an_invoice_has_no_switch_but_needs_an_address(notifications: ServiceUnderTest) -> None:
    off = {"receipts_enabled": False, "low_balance_enabled": False, "reminders_enabled": False}
    assert notifications.call("PUT", f"{B}/email-settings", off).status_code == 200
    notifications.take(invoice(), invoice(client_id="mute", invoice_id="i2"))
    (kept,) = emails(notifications, "status=suppressed")
    assert (kept["about"], kept["reason"]) == ("invoice:i2:q1", "the client has no e-mail address")
    answer = notifications.call("POST", f"{B}/emails/{kept['id']}/resend")
    assert (answer.status_code, answer.json["code"]) == (409, "no_address")
    assert "Give the client one" in answer.json["detail"]
    assert send_due(notifications) == 1


def test_a_reminder_of_an_invoice_carries_it(notifications: ServiceUnderTest, mailbox: Sandbox, peers: Peers) -> None:
    notifications.take(invoice_reminder())
    assert send_due(notifications) == 1
    (mail,) = inbox(mailbox)
    assert mail["Subject"] == "Invoice INV-000012 from Studio Bcc: x is 7 days overdue"
    for shown in (text_of(mail), html_of(mail)):
        for words in ("INV-000012", "is 7 days overdue", "$60.00", "16 March 2026", "attached"):
            assert words in shown
    assert "<b>Eve</b>" in text_of(mail)
    assert PAY_URL in text_of(mail)
    assert "&lt;b&gt;Eve&lt;/b&gt;" in html_of(mail)
    assert "<b>" not in html_of(mail)
    assert f'href="{ESCAPED_URL}"' in html_of(mail)
    (attachment,) = mail.iter_attachments()
    assert (attachment.get_filename(), attachment.get_content()) == ("INV-000012.pdf", PDF)
    assert peers.asked == [f"{B}/invoices/INV-000012.pdf"]


def test_a_reminder_of_a_balance_needs_no_document(
    notifications: ServiceUnderTest, mailbox: Sandbox, peers: Peers
) -> None:
    notifications.take(balance_reminder())
    assert send_due(notifications) == 1
    (mail,) = inbox(mailbox)
    assert mail["Subject"] == "Reminder: $15.00 to pay to Studio Bcc: x"
    for shown in (text_of(mail), html_of(mail)):
        assert "$15.00" in shown
        assert "account" not in shown  # which owes more where invoices are open
        assert "nvoice" not in shown.replace(PAY_URL, "").replace(ESCAPED_URL, "")
    assert PAY_URL in text_of(mail)
    assert "&lt;b&gt;Eve&lt;/b&gt;" in html_of(mail)
    assert f'href="{ESCAPED_URL}"' in html_of(mail)
    assert (list(mail.iter_attachments()), peers.asked) == ([], [])


@pytest.mark.parametrize(
    ("days_overdue", "words"),
    [
        (-3, "is due in 3 days"), (-1, "is due in 1 day"), (0, "is due today"), (1, "is 1 day overdue"),
        (None, "is not paid yet"),
    ],
)  # fmt: skip
def test_a_reminder_says_how_late_it_is(notifications: ServiceUnderTest, days_overdue: int | None, words: str) -> None:
    due_on = None if days_overdue is None else date(2026, 3, 16)
    notifications.take(invoice_reminder(days_overdue, due_on=due_on))
    assert emails(notifications)[0]["subject"] == f"Invoice INV-000012 from Studio Bcc: x {words}"


def test_each_reminder_is_one_mail(notifications: ServiceUnderTest, mailbox: Sandbox) -> None:
    notifications.take(invoice_reminder(), invoice_reminder(), balance_reminder())
    notifications.take(balance_reminder(), invoice_reminder())
    notifications.take(invoice_reminder(reminder="invoice:i1:14"))
    assert {mail["about"] for mail in emails(notifications, "kind=reminder")} == {
        "reminder:invoice:i1:7", "reminder:invoice:i1:14", "reminder:balance:eve:2026-03-01",
    }  # fmt: skip
    assert send_due(notifications) == 3
    assert len(inbox(mailbox)) == 3


def test_reminders_can_be_switched_off(notifications: ServiceUnderTest) -> None:
    notifications.take(balance_reminder(client_id="mute", reminder="balance:mute:2026-03-01"))
    assert notifications.call("PUT", f"{B}/email-settings", {"reminders_enabled": False}).status_code == 200
    notifications.take(invoice_reminder())
    assert [mail["reason"] for mail in emails(notifications, "kind=reminder&status=suppressed")] == [
        "this kind of mail is switched off", "the client has no e-mail address",
    ]  # fmt: skip
    assert send_due(notifications) == 0


def test_what_is_owed_is_mailed_when_somebody_asks_for_it(
    notifications: ServiceUnderTest, mailbox: Sandbox, peers: Peers
) -> None:
    assert notifications.call("PUT", f"{B}/email-settings", {"reminders_enabled": False}).status_code == 200
    facts = {"business_id": "b1", "owed_minor": 1500, "currency": "USD", "pay_url": PAY_URL}
    first = BalanceEmailRequested(**facts, client_id="eve", request_id="q1")
    notifications.take(first, BalanceEmailRequested(**facts, client_id="eve", request_id="q1"))
    notifications.take(first, BalanceEmailRequested(**facts, client_id="mute", request_id="q2"))
    (kept,) = emails(notifications, "status=suppressed")
    assert (kept["about"], kept["reason"]) == ("balance-due:q2", "the client has no e-mail address")
    assert send_due(notifications) == 1
    (mail,) = inbox(mailbox)
    assert (mail["To"], mail["Subject"]) == ("eve@example.com", "$15.00 to pay to Studio Bcc: x")
    assert "owes $15.00" in text_of(mail)
    assert PAY_URL in text_of(mail)
    assert "&lt;b&gt;Eve&lt;/b&gt;" in html_of(mail)
    assert f'href="{ESCAPED_URL}"' in html_of(mail)
    assert (list(mail.iter_attachments()), peers.asked) == ([], [])


@pytest.mark.parametrize("event", [invoice(), invoice_reminder()], ids=["invoice", "reminder"])
@pytest.mark.parametrize(("status", "words"), [(503, "billing_unavailable"), (404, "billing answered 404")])
def test_without_its_pdf_a_mail_waits(
    notifications: ServiceUnderTest, mailbox: Sandbox, peers: Peers, event: Event, status: int, words: str
) -> None:
    peers.status = status
    notifications.take(event)
    assert send_due(notifications) == 1
    (kept,) = emails(notifications)
    assert (kept["status"], kept["attempts"]) == ("queued", 1)
    assert words in kept["reason"]
    assert inbox(mailbox) == []
    peers.status = 200
    with notifications.runtime.database.write() as session:
        session.execute(update(JobRow).values(next_at=clock.now() - timedelta(seconds=1)))
    assert send_due(notifications) == 1
    assert emails(notifications)[0]["status"] == "sent"
    assert len(inbox(mailbox)) == 1
