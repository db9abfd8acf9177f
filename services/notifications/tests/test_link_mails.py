"""Mails with a link that opens something: invitations and new passwords. It is kept no longer than it is needed."""

from datetime import timedelta
from typing import Any

import pytest
import requests
from sqlalchemy import select

from common import clock
from common.events.notifications import EmailFailed, EmailSent
from common.testing import ServiceUnderTest
from notifications.models import Email
from sandbox.box import Sandbox
from services.notifications.tests.support import B, emails, html_of, inbox, operate, send_due, text_of

SUBJECTS = {"invitation": "Your invitation to Studio", "password_reset": "A new password for Studio"}


def body(notifications: ServiceUnderTest, kind: str = "invitation", **more: Any) -> dict[str, Any]:
    link = f"{notifications.runtime.settings.portal}/welcome?signature=s3cret"
    good_until = (clock.now() + timedelta(hours=1)).isoformat()
    return {"kind": kind, "to": "New@x.de", "name": "Nina <b>", "link": link, "good_until": good_until, **more}


def facts_of(notifications: ServiceUnderTest) -> str:
    with notifications.runtime.database.read() as session:
        return str(session.scalars(select(Email.facts)).one())


@pytest.mark.parametrize("kind", SUBJECTS)
def test_a_link_is_mailed_and_then_kept_nowhere(notifications: ServiceUnderTest, mailbox: Sandbox, kind: str) -> None:
    asked = notifications.call("POST", f"{B}/emails", body(notifications, kind))
    assert asked.status_code == 201
    assert (asked.json["to"], asked.json["client_id"]) == ("New@x.de", None)
    assert "s3cret" not in asked.text
    with notifications.emits(EmailSent) as told:
        assert send_due(notifications) == 1
    (mail,) = inbox(mailbox)
    assert mail["To"] == "New@x.de"
    assert mail["Subject"].startswith(SUBJECTS[kind])
    assert "signature=s3cret" in text_of(mail)
    assert "Nina &lt;b&gt;" in html_of(mail)
    assert "(UTC)" in text_of(mail)
    assert "s3cret" not in facts_of(notifications)
    assert "s3cret" not in told[0].model_dump_json()
    (kept,) = emails(notifications)
    assert "s3cret" not in notifications.call("GET", f"{B}/emails/{kept['id']}").text
    again = notifications.call("POST", f"{B}/emails/{kept['id']}/resend")
    assert (again.status_code, again.json["code"]) == (409, "link_erased")


def test_a_link_that_nobody_took_is_erased_as_well(notifications: ServiceUnderTest, mailbox: Sandbox) -> None:
    requests.put(f"{mailbox.web_url}/faults", json={"mail": {"fail_next": 1, "code": 550}}, timeout=5)
    notifications.call("POST", f"{B}/emails", body(notifications))
    with notifications.emits(EmailFailed):
        send_due(notifications)
    assert "s3cret" not in facts_of(notifications)
    (failed,) = emails(notifications)
    assert "550" in failed["reason"]
    before = len(notifications.emitted())
    operate(notifications, failed["id"])  # as all that failed may be, at once
    send_due(notifications)
    assert emails(notifications) == [failed]
    assert len(notifications.emitted()) == before
    assert inbox(mailbox) == []


def test_a_link_that_is_over_is_not_mailed(
    notifications: ServiceUnderTest, mailbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    notifications.call("POST", f"{B}/emails", body(notifications))
    later = clock.now() + timedelta(hours=2)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert send_due(notifications) == 1
    assert inbox(mailbox) == []
    (kept,) = emails(notifications)
    assert (kept["status"], kept["reason"]) == ("failed", "its link was over before the mail could be sent")


@pytest.mark.parametrize(
    "wrong",
    [
        {"link": "javascript:alert(1)"}, {"link": "https://elsewhere.example/welcome"}, {"link": None}, {"to": None},
        {"name": None}, {"good_until": None}, {"good_until": "2026-03-01"}, {"to": "a@x.de\nBcc: y@x.de"},
    ],
)  # fmt: skip
def test_what_such_a_mail_must_say(notifications: ServiceUnderTest, wrong: dict[str, Any]) -> None:
    assert notifications.call("POST", f"{B}/emails", {**body(notifications), **wrong}).status_code == 422
    assert emails(notifications) == []


def test_it_may_be_about_a_client(notifications: ServiceUnderTest) -> None:
    asked = notifications.call("POST", f"{B}/emails", body(notifications, client_id="ada"))
    assert (asked.json["client_id"], asked.json["to"]) == ("ada", "New@x.de")
    assert notifications.call("POST", f"{B}/emails", body(notifications, client_id="nobody")).status_code in (404, 503)


def test_other_kinds_still_name_their_client(notifications: ServiceUnderTest) -> None:
    receipt = {"kind": "receipt", "to": "a@x.de", "payment_id": "p1", "receipt_number": 7, "receipt_revision": 1}
    assert notifications.call("POST", f"{B}/emails", receipt).status_code == 422
