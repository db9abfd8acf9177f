"""Mails about money that banks and gateways move: receipts to the client, and what the business must know."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from common.events import Event
from common.events.payments import (
    PaymentDisputed,
    PaymentFundsReinstated,
    PaymentFundsWithdrawn,
    PaymentRefundReversed,
    PaymentUnmatched,
)
from common.testing import ServiceUnderTest
from sandbox.box import Sandbox
from services.notifications.tests.support import B, Peers, emails, html_of, inbox, send_due, text_of

FACTS: dict[str, Any] = {
    "business_id": "b1", "client_id": "ada", "payment_id": "p1", "currency": "USD", "method": "card",
    "receipt_number": 7, "amount_minor": 4500,
}  # fmt: skip


def reversed_refund() -> Event:
    return PaymentRefundReversed(
        **FACTS, receipt_revision=3, refund_id="r1", reversed_on=date(2026, 3, 2), refunded_total_minor=0, reason="x"
    )


def withdrawn() -> Event:
    return PaymentFundsWithdrawn(
        **FACTS, receipt_revision=4, movement_id="txn_1", moved_on=date(2026, 3, 3), withdrawn_total_minor=4500
    )


def reinstated() -> Event:
    return PaymentFundsReinstated(
        **FACTS, receipt_revision=5, movement_id="txn_2", moved_on=date(2026, 3, 4), withdrawn_total_minor=0
    )


def unmatched(**more: Any) -> PaymentUnmatched:
    facts = {
        "business_id": "b1", "unmatched_id": "u1", "gateway": "paypal", "gateway_payment_id": "<b>9AB</b>",
        "amount_minor": 4500, "currency": "EUR", "reason": "the gateway does not say whose it is",
        "happened_at": datetime(2026, 3, 14, 15, tzinfo=UTC),
    }  # fmt: skip
    return PaymentUnmatched(**{**facts, **more})


def disputed(**more: Any) -> PaymentDisputed:
    facts = {
        "business_id": "b1", "client_id": "ada", "payment_id": "p1", "gateway_dispute_id": "dp_1",
        "amount_minor": 4500, "currency": "USD", "reason": "fraudulent",
    }  # fmt: skip
    return PaymentDisputed(**{**facts, **more})


@pytest.mark.parametrize(
    ("event", "subject", "words", "revision"),
    [
        (reversed_refund(), ": refund came back", "the refund of $45.00 (card) came back on 2 March 2026", 3),
        (
            withdrawn(),
            ": payment disputed",
            "was taken back by the bank on 3 March 2026 because the payment is disputed",
            4,
        ),
        (reinstated(), ": disputed money came back", "came back on 4 March 2026", 5),
    ],
    ids=["refund reversed", "withdrawn", "reinstated"],
)
def test_each_movement_is_a_receipt_of_its_own(
    notifications: ServiceUnderTest, mailbox: Sandbox, peers: Peers, event: Event, subject: str, words: str,
    revision: int,
) -> None:  # fmt: skip
    notifications.take(event, event.model_copy(update={"event_id": "the-same-fact"}))
    assert send_due(notifications) == 1
    (mail,) = inbox(mailbox)
    assert mail["To"] == "ada@example.com"
    assert mail["Subject"].endswith(subject)
    assert words in " ".join(text_of(mail).split())
    assert "$45.00" in html_of(mail)
    assert peers.asked == [f"{B}/payments/p1/receipt.pdf?revision={revision}"]


def test_the_business_is_told_of_money_that_nobody_is_known_to_have_paid(
    notifications: ServiceUnderTest, mailbox: Sandbox
) -> None:
    notifications.take(unmatched(), unmatched())
    assert send_due(notifications) == 1
    (mail,) = inbox(mailbox)
    assert (mail["To"], mail["Subject"]) == ("o@x.de", "€45.00 arrived and is nobody's payment yet")
    for shown in (text_of(mail), html_of(mail)):
        for words in ("€45.00", "PayPal", "14 March 2026", "the gateway does not say whose it is"):
            assert words in shown
    assert "<b>9AB</b>" in text_of(mail)
    assert "&lt;b&gt;9AB" in html_of(mail)
    (kept,) = emails(notifications, "kind=unmatched")
    assert (kept["client_id"], kept["about"]) == (None, "unmatched:u1")


def test_the_business_is_told_of_a_dispute(notifications: ServiceUnderTest, mailbox: Sandbox) -> None:
    off = {"receipts_enabled": False, "low_balance_enabled": False, "reminders_enabled": False}
    assert notifications.call("PUT", f"{B}/email-settings", off).status_code == 200
    notifications.take(disputed(), disputed())
    assert send_due(notifications) == 1
    (mail,) = inbox(mailbox)
    assert (mail["To"], mail["Subject"]) == ("o@x.de", "陳美玲 <b> disputes a payment of $45.00")
    for words in ("$45.00", "fraudulent", "dp_1"):
        assert words in text_of(mail)
    assert "陳美玲 &lt;b&gt;" in html_of(mail)
    assert list(mail.iter_attachments()) == []
