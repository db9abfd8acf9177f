"""Mails: one for each fact, with its state; sent over real SMTP to the sandbox."""

from datetime import date
from typing import Any, get_args

import pytest
import requests

from common.events.billing import BalanceBelowThreshold, ClientRegistered, ClientUpdated
from common.events.notifications import EmailFailed, EmailSent
from common.events.payments import PaymentRecorded, PaymentRefunded, PaymentVoided, ReceiptRequested
from common.inbox import Delivery
from common.testing import ServiceUnderTest
from notifications.domain.kinds import KINDS, KindName
from sandbox.box import Sandbox
from services.notifications.tests.support import PDF, B, emails, inbox, operate, send_due

FACTS: dict[str, Any] = {
    "business_id": "b1",
    "client_id": "ada",
    "currency": "USD",
    "method": "cash",
    "receipt_number": 7,
}


def recorded(payment_id: str = "p1", **more: Any) -> PaymentRecorded:
    facts = {**FACTS, "receipt_revision": 1, "source": "manual", "received_on": date(2026, 3, 1), "amount_minor": 4500}
    return PaymentRecorded(payment_id=payment_id, **{**facts, **more})


def test_a_payment_is_one_mail_with_its_receipt(notifications: ServiceUnderTest, mailbox: Sandbox) -> None:
    with notifications.emits(EmailSent):
        notifications.take(recorded())
        notifications.take(recorded())  # the same fact under another event id
        assert [send_due(notifications), send_due(notifications)] == [1, 0]
    (mail,) = inbox(mailbox)
    (kept,) = emails(notifications)
    assert (kept["status"], kept["to"], kept["attempts"]) == ("sent", "ada@example.com", 1)
    assert mail["Message-ID"] == kept["message_id"]
    assert (mail["To"], mail["Reply-To"], mail["Bcc"]) == ("ada@example.com", "o@x.de", None)
    assert "Receipt 7" in mail["Subject"]
    assert "$45.00" in mail.get_body(("plain",)).get_content()
    assert "陳美玲 &lt;b&gt;" in mail.get_body(("html",)).get_content()
    (attachment,) = mail.iter_attachments()
    assert (attachment.get_filename(), attachment.get_content()) == ("receipt-7.pdf", PDF)


def test_each_revision_is_a_mail_of_its_own(notifications: ServiceUnderTest, mailbox: Sandbox) -> None:
    refund = PaymentRefunded(
        payment_id="p1", receipt_revision=2, amount_minor=500, refund_id="r1", refunded_on=date(2026, 3, 2),
        refunded_total_minor=500, reason="x", **FACTS,
    )  # fmt: skip
    void = PaymentVoided(
        payment_id="p2", receipt_revision=2, amount_minor=900, voided_on=date(2026, 3, 2), reason="x", **FACTS
    )
    notifications.take(recorded(), refund, recorded("p2"), void, refund.model_copy(update={"event_id": "again"}))
    assert send_due(notifications) == 4
    assert len({mail["Message-ID"] for mail in inbox(mailbox)}) == 4


def test_who_has_no_address_or_wants_no_mail_is_suppressed(notifications: ServiceUnderTest) -> None:
    notifications.take(recorded("p1", client_id="mute"))
    body = {
        "from_name": "The Studio", "reply_to": "desk@x.de",
        "receipts_enabled": False, "low_balance_enabled": True, "reminders_enabled": True,
    }  # fmt: skip
    assert notifications.call("PUT", f"{B}/email-settings", body).json == body
    assert notifications.call("GET", f"{B}/email-settings").json == body
    notifications.take(recorded("p2"))
    assert [mail["reason"] for mail in emails(notifications, "status=suppressed")] == [
        "this kind of mail is switched off", "the client has no e-mail address",
    ]  # fmt: skip
    assert send_due(notifications) == 0
    # Asked for by hand, it goes out all the same.
    notifications.take(
        ReceiptRequested(
            business_id="b1", payment_id="p2", client_id="ada", receipt_number=7, receipt_revision=1, request_id="q1"
        )
    )
    assert send_due(notifications) == 1


def test_a_low_balance_is_told_once_per_crossing(notifications: ServiceUnderTest, mailbox: Sandbox) -> None:
    event = BalanceBelowThreshold(
        business_id="b1", client_id="ada", balance_minor=-500, threshold_minor=3000, currency="USD", entry_source="x"
    )
    notifications.take(event, event)
    assert send_due(notifications) == 1
    (mail,) = inbox(mailbox)
    assert "owes $5.00" in mail["Subject"]
    assert "below $30.00" in mail.get_body(("plain",)).get_content()


def test_a_client_not_heard_of_yet_is_waited_for(notifications: ServiceUnderTest) -> None:
    early = recorded("p1", client_id="late")
    notifications.runtime.consumer.consume([Delivery(early.to_wire("payments"))])
    assert emails(notifications) == []
    notifications.take(ClientUpdated(business_id="b1", client_id="late", name="Late", email="l@x.de", sequence=2))
    notifications.take(ClientRegistered(business_id="b1", client_id="late", name="Old", email="old@x.de", sequence=1))
    from common import inbox as inbox_

    with notifications.runtime.database.write() as session:
        assert inbox_.replay(session, early.event_id)
    assert notifications.runtime.consumer.retry_due() == 1
    assert [mail["to"] for mail in emails(notifications)] == ["l@x.de"]


@pytest.mark.parametrize(("code", "status"), [(451, "queued"), (421, "queued"), (550, "failed")])
def test_what_the_mail_server_says_is_shown(
    notifications: ServiceUnderTest, mailbox: Sandbox, code: int, status: str
) -> None:
    fault = {"mail": {"fail_next": 1, "code": code}}
    assert requests.put(f"{mailbox.web_url}/faults", json=fault, timeout=5).ok
    notifications.take(recorded())
    assert send_due(notifications) == 1
    (kept,) = emails(notifications)
    assert (kept["status"], kept["attempts"]) == (status, 1)
    assert str(code) in kept["reason"]
    if status == "failed":
        assert EmailFailed in [type(event) for event in notifications.emitted()]
        assert notifications.call("POST", f"{B}/emails/{kept['id']}/resend").status_code == 202
        assert send_due(notifications) == 1
        assert emails(notifications)[0]["status"] == "sent"
        (mail,) = inbox(mailbox)
        assert mail["Message-ID"] == kept["message_id"]


def test_what_an_operator_has_tried_again_may_be_resent_as_well(
    notifications: ServiceUnderTest, mailbox: Sandbox
) -> None:
    fault = {"mail": {"fail_next": 2, "code": 550}}
    requests.put(f"{mailbox.web_url}/faults", json=fault, timeout=5)
    notifications.take(recorded())
    send_due(notifications)
    (kept,) = emails(notifications)
    operate(notifications, kept["id"])
    assert notifications.call("POST", f"{B}/emails/{kept['id']}/resend").status_code == 202
    assert notifications.call("POST", f"{B}/emails/{kept['id']}/resend").json["code"] == "already_queued"
    assert send_due(notifications) == 1
    assert emails(notifications)[0]["status"] == "failed"

    requests.put(f"{mailbox.web_url}/faults", json={"mail": {"fail_next": 1, "code": 451}}, timeout=5)
    operate(notifications, kept["id"])
    send_due(notifications)
    assert emails(notifications)[0]["status"] == "queued"  # it is put off, and no longer ended


def test_resending_and_looking(notifications: ServiceUnderTest, mailbox: Sandbox) -> None:
    notifications.take(recorded(), recorded("p2", client_id="mute"))
    queued = emails(notifications, "to=ADA@example.com&kind=receipt&status=queued&client_id=ada")
    assert len(queued) == 1
    assert notifications.call("POST", f"{B}/emails/{queued[0]['id']}/resend").json["code"] == "already_queued"
    send_due(notifications)
    assert notifications.call("POST", f"{B}/emails/{queued[0]['id']}/resend").status_code == 202
    send_due(notifications)
    assert {mail["Message-ID"] for mail in inbox(mailbox)} == {queued[0]["message_id"]}
    mute = emails(notifications, "client_id=mute")[0]["id"]
    assert notifications.call("POST", f"{B}/emails/{mute}/resend").json["code"] == "no_address"
    assert notifications.call("GET", f"{B}/emails/{mute}").json["status"] == "suppressed"
    assert notifications.call("GET", f"{B}/emails/unknown").status_code == 404


def test_a_receipt_for_another_address_is_asked_for_here(notifications: ServiceUnderTest, mailbox: Sandbox) -> None:
    body = {
        "kind": "receipt",
        "to": "boss@x.de",
        "payment_id": "p1",
        "client_id": "ada",
        "receipt_number": 7,
        "receipt_revision": 1,
    }
    assert notifications.call("POST", f"{B}/emails", body).status_code == 201
    send_due(notifications)
    assert inbox(mailbox)[0]["To"] == "boss@x.de"
    assert notifications.call("POST", f"{B}/emails", {**body, "to": "a@x.de\nBcc: y@x.de"}).status_code == 422


def test_the_api_names_every_kind() -> None:
    assert set(get_args(KindName)) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_preview_shows_a_mail(notifications: ServiceUnderTest, kind: str) -> None:
    shown = notifications.call("POST", f"{B}/emails/preview", {"kind": kind}).json
    assert ("$45.00" if kind == "unmatched" else "Ada Example") in shown["text"]
    assert "\n" not in shown["subject"]
    assert shown["html"].startswith("<!doctype html>")
