"""Mails to the business: a client who is about to become inactive."""

from datetime import date
from typing import Any

import pytest

from common.events.billing import BusinessRegistered, ClientDeactivationDue, ClientRegistered
from common.testing import ServiceUnderTest
from sandbox.box import Sandbox
from services.notifications.tests.support import B, emails, html_of, inbox, send_due, text_of


@pytest.fixture(autouse=True)
def eve(notifications: ServiceUnderTest) -> None:
    """A client whose name would be markup, in two businesses; the second has no address."""
    notifications.take(
        BusinessRegistered(business_id="b2", name="Mute Studio", currency="USD", time_zone="UTC"),
        ClientRegistered(business_id="b1", client_id="eve", name="<b>Eve</b>\r\nBcc: x@x.de"),
        ClientRegistered(business_id="b2", client_id="eve", name="Eve", email="eve@example.com"),
    )


def leaving(**more: Any) -> ClientDeactivationDue:
    facts = {
        "business_id": "b1", "client_id": "eve", "inactive_on": date(2026, 3, 16), "balance_minor": -1500,
        "currency": "USD", "future_sessions": 2, "pending_invoices": 1,
    }  # fmt: skip
    return ClientDeactivationDue(**{**facts, **more})


def test_the_business_is_told_what_is_still_open(notifications: ServiceUnderTest, mailbox: Sandbox) -> None:
    notifications.take(leaving())
    assert send_due(notifications) == 1
    (mail,) = inbox(mailbox)
    assert (mail["To"], mail["Bcc"]) == ("o@x.de", None)
    assert mail["Subject"] == "<b>Eve</b> Bcc: x@x.de becomes inactive on 16 March 2026"
    for shown in (text_of(mail), html_of(mail)):
        for words in ("16 March 2026", "Their account owes $15.00.", "2 future sessions and 1 pending invoice."):
            assert words in shown
    assert "<b>Eve</b>" in text_of(mail)
    assert "&lt;b&gt;Eve&lt;/b&gt;" in html_of(mail)
    assert "<b>" not in html_of(mail)
    assert list(mail.iter_attachments()) == []


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"balance_minor": 3000}, "Their account has $30.00 left."),
        ({"balance_minor": 0}, "Their account is settled."),
        ({"future_sessions": 0}, "In the way stand no future sessions and 1 pending invoice."),
        ({"future_sessions": 1, "pending_invoices": 0}, "In the way stand 1 future session and no pending invoices."),
        ({"future_sessions": 0, "pending_invoices": 0}, "No future sessions and no pending invoices stand in the way."),
    ],
)
def test_what_is_open_is_said_in_words(
    notifications: ServiceUnderTest, mailbox: Sandbox, facts: dict[str, int], words: str
) -> None:
    notifications.take(leaving(**facts))
    send_due(notifications)
    (mail,) = inbox(mailbox)
    assert words in text_of(mail)
    assert words in html_of(mail)


def test_each_client_and_date_is_one_mail(notifications: ServiceUnderTest) -> None:
    notifications.take(leaving(), leaving(), leaving(client_id="ada"))
    notifications.take(leaving(), leaving(inactive_on=date(2026, 4, 16)))
    assert {mail["about"] for mail in emails(notifications)} == {
        "deactivation-due:eve:2026-03-16", "deactivation-due:ada:2026-03-16", "deactivation-due:eve:2026-04-16",
    }  # fmt: skip
    assert send_due(notifications) == 3


def test_a_business_without_an_address_is_not_told(notifications: ServiceUnderTest) -> None:
    off = {"receipts_enabled": False, "low_balance_enabled": False, "reminders_enabled": False}
    assert notifications.call("PUT", f"{B}/email-settings", off).status_code == 200
    notifications.take(leaving(), leaving(business_id="b2"))
    (kept,) = notifications.call("GET", "/v1/businesses/b2/emails?kind=deactivation_due").json["items"]
    assert (kept["status"], kept["to"], kept["reason"]) == ("suppressed", None, "the business has no e-mail address")
    answer = notifications.call("POST", f"/v1/businesses/b2/emails/{kept['id']}/resend")
    assert (answer.status_code, answer.json["code"]) == (409, "no_address")
    assert "Give the business one" in answer.json["detail"]
    assert [mail["status"] for mail in emails(notifications)] == ["queued"]
