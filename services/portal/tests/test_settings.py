"""Settings: session control, reminders, and e-mail texts. Counts of calls have the business in them, which is
remembered afterwards."""

from typing import Any

import pytest

from portal.domain import prepaying
from services.portal.tests.others import BUSINESS, Others
from services.portal.tests.support import Portal, Visitor

CONTROL = {"prepayment_required": True, "threshold_minor": 3000, "reserve_scheduled": True}
INVOICING = {"apply_credit_automatically": False, "invoice_due_days": 14}
SCHEDULE = {
    "invoice_offsets_days": [-3, 0, 7], "owed_every_days": 30, "owed_minimum_minor": 500, "deactivation_days_ahead": 7,
}  # fmt: skip
TYPED = {"before": "3", "on_the_day": "yes", "after": "14, 7 7", "every": "", "minimum": "5", "ahead": "10"}
MAILS = {
    "from_name": "Maria", "reply_to": None, "receipts_enabled": True, "low_balance_enabled": False,
    "reminders_enabled": True,
}  # fmt: skip
MAIL = {
    "id": "m1", "kind": "receipt", "about": "receipt:p1:1", "client_id": "c1", "to": "ada@home.example",
    "subject": "Receipt 7", "status": "failed", "reason": "550 no such box", "attempts": 1, "message_id": "<m1@x>",
    "created_at": "2026-11-25T08:00:00+00:00", "sent_at": None,
}  # fmt: skip
SHOWN = {
    "kind": "receipt", "subject": "Receipt 12 & more", "text": "Dear Ada <b>,",
    "html": "<!doctype html><p>Dear Ada</p>",
}  # fmt: skip
C, R, M = "/settings/session-control", "/settings/reminders", "/settings/e-mails"
JSON = {"Accept": "application/json"}


@pytest.fixture
def maria(portal: Portal, others: Others) -> Visitor:
    business = {**BUSINESS, "reply_to_email": None, "session_control": CONTROL, "invoicing": INVOICING}
    others.tell("GET", "", 200, business)
    others.tell("PATCH", "", 200, business)
    others.tell("GET", "/reminders", 200, SCHEDULE)
    others.tell("PUT", "/reminders", 200, SCHEDULE)
    others.tell("GET", "/email-settings", 200, MAILS)
    others.tell("PUT", "/email-settings", 200, MAILS)
    texts = [{"kind": "receipt", "intro": "Hello {client}", "closing": None}]
    others.tell("GET", "/email-texts", 200, {"items": texts})
    others.tell("PUT", "/email-texts/receipt", 200, texts[0])
    others.tell("POST", "/emails/preview", 200, SHOWN)
    others.tell("GET", "/emails", 200, {"items": [MAIL], "next_cursor": "abc"})
    others.tell("POST", "/emails/m1/resend", 202, MAIL)
    return portal.administrator()


def writes(others: Others) -> list[Any]:
    return [asked for asked in others.asked if asked["method"] in ("PUT", "PATCH")]


# --- session control ---


def test_the_rule_is_shown_with_an_example(maria: Visitor) -> None:
    page = maria.get(C)
    assert 'calls;desc="1"' in page.headers["Server-Timing"]
    assert 'value="30.00"' in page.text
    assert "She needs $40.00 left." in page.text
    assert 'href="/clients"' in page.text


def test_the_rule_is_saved(maria: Visitor, others: Others) -> None:
    saved = maria.post(C, {"threshold": "0", "prepayment_required": "yes"}, page=C)
    assert saved.location == f"{C}?said=saved"
    (asked,) = writes(others)
    assert asked["body"] == {
        "session_control": {"prepayment_required": True, "threshold_minor": 0, "reserve_scheduled": False}
    }  # fmt: skip
    assert asked["claims"]["actor"]["name"] == "Maria Harmony"


@pytest.mark.parametrize("typed", ["", "-1", "1.234", "much"])
def test_a_threshold_that_is_none(maria: Visitor, others: Others, typed: str) -> None:
    refused = maria.post(C, {"threshold": typed, "reserve_scheduled": "yes"}, page=C)
    assert refused.status_code == 422
    assert 'id="threshold-wrong"' in refused.text
    assert f'value="{typed}"' in refused.text
    assert writes(others) == []


def test_the_example_follows_what_is_typed(maria: Visitor, others: Others) -> None:
    typed = {"threshold": "60", "prepayment_required": "yes"}
    panel = maria.post(f"{C}/example", typed, page=C, headers=JSON).json["panel"]
    assert "She needs $60.00 left." in panel
    assert "She needs $60.00 left." in maria.post(f"{C}/example", typed, page=C).text
    wrong = maria.post(f"{C}/example", {**typed, "threshold": "x"}, page=C, headers=JSON).json["panel"]
    assert "Type the threshold as an amount" in wrong
    assert writes(others) == []


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ((False, 3000, True), ["whatever their balance is"]),
        ((True, 0, False), ["with a balance of zero it can be added", "owe for the later ones"]),
        ((True, 3001, False), ["She needs $30.01 left. With $15.00", "$15.01 is missing"]),
        ((True, 3000, True), ["She needs $40.00 left", "she needs $80.00 in all"]),
        ((True, 6000, True), ["She needs $60.00 left", "she needs $100.00 in all"]),
    ],
)
def test_examples_are_of_the_values(rule: tuple[bool, int, bool], words: list[str]) -> None:
    said = " ".join(prepaying.example(*rule, "USD"))
    assert [found for found in words if found not in said] == []


# --- reminders ---


def test_the_schedule_is_shown(maria: Visitor) -> None:
    page = maria.get(R)
    assert 'calls;desc="2"' in page.headers["Server-Timing"]
    for field, value in (("before", "3"), ("after", "7"), ("every", "30"), ("minimum", "5.00"), ("due_days", "14")):
        assert f'name="{field}" type="text" value="{value}"' in page.text
    assert "As long as it is not paid" in page.text


def test_the_schedule_is_saved(maria: Visitor, others: Others) -> None:
    assert maria.post(R, TYPED, page=R).location == f"{R}?said=saved"
    assert others.last("/reminders")["body"] == {
        "invoice_offsets_days": [-3, 0, 7, 14], "owed_every_days": None, "owed_minimum_minor": 500,
        "deactivation_days_ahead": 10,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("before", "61"), ("before", "-3"), ("after", "0"), ("after", "soon"), ("after", "366"), ("every", "0"),
        ("every", "366"), ("minimum", "0"), ("minimum", ""), ("ahead", ""), ("ahead", "1.5"),
        ("after", ",".join(map(str, range(1, 22)))),
    ],
)  # fmt: skip
def test_a_schedule_that_is_wrong(maria: Visitor, others: Others, field: str, typed: str) -> None:
    refused = maria.post(R, {**TYPED, field: typed}, page=R)
    assert refused.status_code == 422
    assert f'id="{field}-wrong"' in refused.text
    assert f'name="{field}" type="text" value="{typed}"' in refused.text
    assert 'name="ahead" type="text" value="10"' in refused.text or field == "ahead"
    assert writes(others) == []


def test_when_invoices_are_due(maria: Visitor, others: Others) -> None:
    path = f"{R}/invoices"
    assert maria.post(path, {"due_days": "30", "apply_credit": "yes"}, page=R).location == f"{R}?said=saved"
    (asked,) = writes(others)
    assert asked["body"] == {"invoicing": {"invoice_due_days": 30, "apply_credit_automatically": True}}
    refused = maria.post(path, {"due_days": "400"}, page=R)
    assert refused.status_code == 422
    assert 'id="due_days-wrong"' in refused.text
    assert 'name="before" type="text" value="3"' in refused.text  # the other form shows what is saved
    assert len(writes(others)) == 1


# --- e-mails ---


def test_each_kind_of_mail_is_listed(maria: Visitor) -> None:
    page = maria.get(M)
    assert 'calls;desc="3"' in page.headers["Server-Timing"]
    for words in ("Receipt", "New password", "your words", "as it comes", "switched off", 'value="Maria"'):
        assert words in page.text


def test_mail_settings_are_saved(maria: Visitor, others: Others) -> None:
    typed = {"from_name": " ", "reply_to": "desk@x.example", "reminders_enabled": "yes"}
    assert maria.post(M, typed, page=M).location == f"{M}?said=saved"
    assert others.last("/email-settings")["body"] == {
        "from_name": None, "reply_to": "desk@x.example", "receipts_enabled": False, "low_balance_enabled": False,
        "reminders_enabled": True,
    }  # fmt: skip
    errors = [{"field": "reply_to", "message": "this is not an e-mail address"}]
    others.tell("PUT", "/email-settings", 422, {"code": "validation_failed", "detail": "x", "errors": errors})
    refused = maria.post(M, {**typed, "reply_to": "desk"}, page=M)
    assert refused.status_code == 422
    assert 'id="reply_to-wrong">This is not an e-mail address.' in refused.text
    assert 'value="desk"' in refused.text


def test_one_kind_is_shown_as_it_reads(maria: Visitor, others: Others) -> None:
    page = maria.get(f"{M}/receipt")
    assert 'calls;desc="3"' in page.headers["Server-Timing"]
    assert "Hello {client}</textarea>" in page.text
    assert "Receipt 12 &amp; more" in page.text
    assert "Dear Ada &lt;b&gt;," in page.text
    assert others.last("/emails/preview")["body"] == {"kind": "receipt"}
    takes_none = maria.get(f"{M}/dispute")
    assert takes_none.status_code == 200
    assert "<textarea" not in takes_none.text
    assert maria.get(f"{M}/odd").status_code == 404


def test_own_words_are_saved_or_refused(maria: Visitor, others: Others) -> None:
    words = {"intro": "Hi {client}", "closing": "Bye"}
    assert maria.post(f"{M}/receipt", words, page=M).location == f"{M}/receipt?said=texts_saved"
    assert others.last("/email-texts/receipt")["body"] == words
    errors = [{"field": "intro", "message": "{name} is not known here"}]
    others.tell("PUT", "/email-texts/receipt", 422, {"code": "validation_failed", "detail": "x", "errors": errors})
    refused = maria.post(f"{M}/receipt", {"intro": "Hi {name}", "closing": "Bye"}, page=M)
    assert refused.status_code == 422
    assert 'id="intro-wrong">{name} is not known here.' in refused.text
    assert "Hi {name}</textarea>" in refused.text
    assert maria.post(f"{M}/odd", words, page=M).status_code == 404


def test_words_are_tried_before_they_are_saved(maria: Visitor, others: Others) -> None:
    words = {"intro": "Hi {client}", "closing": ""}
    tried = maria.post(f"{M}/receipt/preview", words, page=M, headers=JSON)
    assert "Dear Ada &lt;b&gt;," in tried.json["panel"]
    assert others.last("/emails/preview")["body"] == {"kind": "receipt", **words}
    assert "Hi {client}</textarea>" in maria.post(f"{M}/receipt/preview", words, page=M).text
    errors = [{"field": "intro", "message": "{name} is not known <here>"}]
    others.tell("POST", "/emails/preview", 422, {"code": "validation_failed", "detail": "x", "errors": errors})
    wrong = maria.post(f"{M}/receipt/preview", words, page=M, headers=JSON)
    assert "{name} is not known &lt;here&gt;." in wrong.json["panel"]
    assert maria.post(f"{M}/receipt/preview", words, page=M).status_code == 422
    assert writes(others) == []


def test_a_mail_as_a_page_can_do_nothing(maria: Visitor, others: Others) -> None:
    shown = maria.post(f"{M}/receipt/page", {"intro": "Hi", "closing": ""}, page=M)
    assert shown.text == SHOWN["html"]
    policy = shown.headers["Content-Security-Policy"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
    assert others.last("/emails/preview")["body"] == {"kind": "receipt", "intro": "Hi", "closing": ""}
    maria.post(f"{M}/dispute/page", {}, page=M)
    assert others.last("/emails/preview")["body"] == {"kind": "dispute"}


def test_sent_mails_are_found_and_sent_again(maria: Visitor, others: Others) -> None:
    page = maria.get(f"{M}/sent?to=ada@home.example&kind=receipt&status=failed&cursor=x")
    assert 'calls;desc="2"' in page.headers["Server-Timing"]
    assert others.last("/emails")["query"] == {
        "to": "ada@home.example", "kind": "receipt", "status": "failed", "cursor": "x",
    }  # fmt: skip
    for words in ("ada@home.example", "550 no such box", "failed", "Send again", "cursor=abc", "25 Nov 2026, 08:00"):
        assert words in page.text
    again = maria.post(f"{M}/sent/m1/resend?status=failed", {}, page=M)
    assert again.location == f"{M}/sent?said=email_again&status=failed"
    assert maria.get(f"{M}/sent?kind=odd&status=odd").status_code == 200
    assert others.last("/emails")["query"] == {}


@pytest.mark.parametrize("changes", [{"status": "queued"}, {"to": None}, {"kind": "invitation"}])
def test_what_cannot_be_sent_again(maria: Visitor, others: Others, changes: dict[str, Any]) -> None:
    others.tell("GET", "/emails", 200, {"items": [{**MAIL, **changes}], "next_cursor": None})
    assert "Send again" not in maria.get(f"{M}/sent").text


def test_no_mails(maria: Visitor, others: Others) -> None:
    others.tell("GET", "/emails", 200, {"items": [], "next_cursor": None})
    assert "Nothing was sent yet" in maria.get(f"{M}/sent").text
    assert "No e-mail fits" in maria.get(f"{M}/sent?status=sent").text


def test_settings_are_the_administrators(maria: Visitor, portal: Portal, others: Others) -> None:
    sam, ada = portal.staff(), portal.client()
    for path in (C, R, M, f"{M}/sent", f"{M}/receipt"):
        assert sam.get(path).status_code == 404
        assert ada.get(path).status_code == 404
    for path in (C, f"{C}/example", R, f"{R}/invoices", M, f"{M}/receipt", f"{M}/receipt/preview",
                 f"{M}/receipt/page", f"{M}/sent/m1/resend"):  # fmt: skip
        assert sam.post(path, {}, page="/calendar").status_code == 404
    assert writes(others) == []
