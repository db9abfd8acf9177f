"""A business's own words in its mails: checked when they are taken, escaped when they are used."""

from typing import Any, get_args

import pytest

from common.testing import ServiceUnderTest
from notifications.api.texts import TextKind
from notifications.domain import own_words
from notifications.domain.kinds import KINDS
from sandbox.box import Sandbox
from services.notifications.tests.support import B, html_of, inbox, send_due, text_of
from services.notifications.tests.test_emails import recorded

RECEIPT = f"{B}/email-texts/receipt"
PREVIEW = f"{B}/emails/preview"
OWN = {"intro": "Good to see you, {client}!", "closing": "Yours\r\n<b>Maria</b> of {business}"}


def test_the_words_of_each_kind_are_kept(notifications: ServiceUnderTest) -> None:
    assert set(get_args(TextKind)) == set(own_words.TAKING)
    before = notifications.call("GET", f"{B}/email-texts").json["items"]
    assert [item["kind"] for item in before] == list(own_words.TAKING)
    assert {(item["intro"], item["closing"]) for item in before} == {(None, None)}
    saved = notifications.call("PUT", RECEIPT, OWN)
    assert saved.json == {"kind": "receipt", **OWN, "closing": "Yours\n<b>Maria</b> of {business}"}
    assert notifications.call("GET", RECEIPT).json == saved.json
    assert saved.json in notifications.call("GET", f"{B}/email-texts").json["items"]
    assert notifications.call("PUT", RECEIPT, {"intro": "  "}).json == {
        "kind": "receipt", "intro": None, "closing": None,
    }  # fmt: skip


def test_a_mail_says_them_escaped(notifications: ServiceUnderTest, mailbox: Sandbox) -> None:
    notifications.call("PUT", RECEIPT, OWN)
    notifications.take(recorded())
    send_due(notifications)
    (mail,) = inbox(mailbox)
    text, html = text_of(mail).replace("\r\n", "\n"), html_of(mail)
    assert "Dear 陳美玲 <b>,\n\nGood to see you, 陳美玲 <b>!\n\nWe received $45.00" in text
    assert "Yours\n<b>Maria</b> of Studio" in text
    assert "<p>Good to see you, 陳美玲 &lt;b&gt;!</p>" in html
    assert "<p>Yours<br>&lt;b&gt;Maria&lt;/b&gt; of Studio" in html
    assert mail["Bcc"] is None


def test_a_name_cannot_bring_a_placeholder() -> None:
    filled = own_words.OwnWords("{client} and {business}").filled("{business}", "Studio")
    assert filled.intro == "{business} and Studio"


@pytest.mark.parametrize("field", ["intro", "closing"])
@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("Dear {name}", "{name} is not known here; use {client} and {business}"),
        ("Dear {}", "is not known"),
        ("a { stands alone", "a brace stands alone"),
        ("{{client}}", "a brace stands alone"),
        ("pay with 4242 4242 4242 4242", "looks like a card number"),
        ("a\x00b", "control characters"),
        ("x" * 1001, "1000 characters"),
        (5, "string"),
    ],
)
@pytest.mark.parametrize(("method", "path"), [("PUT", RECEIPT), ("POST", PREVIEW)])
def test_what_may_not_stand_there_is_refused(
    notifications: ServiceUnderTest, method: str, path: str, field: str, words: Any, why: str
) -> None:
    body = {"kind": "receipt"} if method == "POST" else {}
    refused = notifications.call(method, path, {**body, field: words})
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json["errors"]] == [field]
    assert why in refused.json["errors"][0]["message"]
    assert notifications.call("GET", RECEIPT).json[field] is None


@pytest.mark.parametrize("kind", [*sorted(set(KINDS) - set(own_words.TAKING)), "odd"])
def test_other_mails_take_none(notifications: ServiceUnderTest, kind: str) -> None:
    assert notifications.call("PUT", f"{B}/email-texts/{kind}", OWN).status_code == 404
    refused = notifications.call("POST", PREVIEW, {"kind": kind, "intro": "Hello"})
    assert refused.status_code == 422


@pytest.mark.parametrize("kind", own_words.TAKING)
def test_words_are_tried_before_they_are_saved(notifications: ServiceUnderTest, kind: str) -> None:
    plain = notifications.call("POST", PREVIEW, {"kind": kind}).json
    tried = notifications.call("POST", PREVIEW, {"kind": kind, "intro": "Hi {client}.", "closing": "Bye."}).json
    assert tried["subject"] == plain["subject"]
    assert "\n\nHi Ada Example.\n\n" in tried["text"]
    assert "\n\nBye.\n\n" in tried["text"]
    first = tried["text"].split("Hi Ada Example.\n\n")[1][0]
    assert first == first.upper()
    assert notifications.call("GET", f"{B}/email-texts/{kind}").json["intro"] is None
    notifications.call("PUT", f"{B}/email-texts/{kind}", {"intro": "Saved."})
    assert "Saved." in notifications.call("POST", PREVIEW, {"kind": kind}).json["text"]
    assert notifications.call("POST", PREVIEW, {"kind": kind, "intro": None}).json == plain


def test_clients_never_reach_them(notifications: ServiceUnderTest) -> None:
    client = {"type": "client", "id": "ada", "name": "Ada"}
    for method, path in (("GET", f"{B}/email-texts"), ("GET", RECEIPT), ("PUT", RECEIPT)):
        token = notifications.token("notifications:read notifications:write", "b1", client)
        answer = notifications.app.test_client().open(
            path, method=method, json={}, headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code == 404
