"""Registering at PayPal: a webhook for Orders v2, so that nobody has to copy its id."""

from typing import Any

from sqlalchemy.orm import Session

from common.gateway.calls import Refused, Unknown
from common.jobs import Call, GiveUp, TryLater
from common.runtime import Runtime
from gateway_paypal.models import Account
from gateway_paypal.usecases import accounts

NO_WAY_BACK = "PayPal cannot reach this system; set CALLBACK_BASE_URL to its public https:// address"
EVENTS = [
    "CHECKOUT.ORDER.APPROVED", "PAYMENT.CAPTURE.COMPLETED", "PAYMENT.CAPTURE.PENDING", "PAYMENT.CAPTURE.DENIED",
    "PAYMENT.CAPTURE.REFUNDED", "PAYMENT.CAPTURE.REVERSED", "CUSTOMER.DISPUTE.CREATED", "CUSTOMER.DISPUTE.RESOLVED",
]  # fmt: skip


def register(runtime: Runtime, call: Call) -> str | None:
    """The job's call: the id of a webhook of ours; one that is there already is made anew: it may hear too little."""
    settings: Any = runtime.settings
    with runtime.database.read() as session:
        paypal = accounts.open_account(runtime, session, call.business_id).called()
    url = settings.webhook_url(call.business_id)
    try:
        paypal.check()
        if not settings.callbacks_reach_us:
            return None
        for webhook in paypal.webhooks():
            if webhook["url"] == url:
                paypal.delete_webhook(webhook["id"])
        return str(paypal.create_webhook(url, EVENTS)["id"])
    except Refused as error:
        raise GiveUp(error.message) from error
    except Unknown as error:
        raise TryLater(f"PayPal does not answer: {error}") from error


def done(session: Session, call: Call, webhook_id: str | None) -> None:
    account = session.get_one(Account, call.business_id)
    account.webhook_id, account.webhook_state = webhook_id, "ready" if webhook_id else "failed"
    account.webhook_reason = None if webhook_id else NO_WAY_BACK
    session.flush()


def failed(session: Session, call: Call, reason: str) -> None:
    account = session.get_one(Account, call.business_id)
    account.webhook_state, account.webhook_reason = "failed", reason[:2000]
    session.flush()
