"""Registering at Stripe: whose the keys are, and a webhook with a secret of its own that nobody has to copy."""

from typing import Any

from sqlalchemy.orm import Session

from common.gateway.calls import Refused, Unknown
from common.ids import new_id
from common.jobs import Call, GiveUp, TryLater
from common.runtime import Runtime
from gateway_stripe.domain import translate
from gateway_stripe.models import Keys
from gateway_stripe.usecases import accounts

NO_WAY_BACK = (
    "Stripe cannot reach this system, so its events are asked for every 20 s;"
    " set CALLBACK_BASE_URL to its public https:// address"
)
EVENTS = sorted([*translate.ABOUT, *translate.HEARD])


def register(runtime: Runtime, call: Call) -> dict[str, Any]:
    """The job's call: the account of the keys, and a new webhook in place of ours that were there."""
    mode = call.payload["mode"]
    settings: Any = runtime.settings
    with runtime.database.read() as session:
        stripe = accounts.stripe_of(runtime, session.get_one(Keys, (call.business_id, mode)))
    try:
        found: dict[str, Any] = {"account_id": stripe.account()["id"], "webhook_id": None, "secret": None}
        if settings.callbacks_reach_us:
            url = f"{settings.callback_base_url.rstrip('/')}/webhooks/stripe/{call.business_id}"
            old = [webhook for webhook in stripe.webhooks() if webhook["url"] == url]
            # A new one each time, as its secret is shown once; one that a crash left behind is among the old.
            made = stripe.create_webhook(url, EVENTS, f"remit-webhook-{new_id()}")
            for webhook in old:
                stripe.delete_webhook(webhook["id"])
            found |= {"webhook_id": made["id"], "secret": made["secret"]}
    except Refused as error:
        raise GiveUp(error.message) from error
    except Unknown as error:
        raise TryLater(f"Stripe does not answer: {error}") from error
    if found["secret"]:
        place = accounts.place(call.business_id, mode, "webhook_secret")
        found["sealed"] = runtime.sealer.seal(found.pop("secret"), place)
    return found


def done(session: Session, call: Call, found: dict[str, Any]) -> None:
    """Note whose the keys are; the former webhook's secret stays good for what is on its way."""
    keys = session.get_one(Keys, (call.business_id, call.payload["mode"]))
    keys.account_id, keys.webhook_id = found["account_id"], found["webhook_id"]
    if found.get("sealed"):
        keys.previous_webhook_secret, keys.webhook_secret = keys.webhook_secret, found["sealed"]
    keys.state = "ready"
    keys.reason = None if found["webhook_id"] else NO_WAY_BACK
    session.flush()


def failed(session: Session, call: Call, reason: str) -> None:
    keys = session.get_one(Keys, (call.business_id, call.payload["mode"]))
    keys.state, keys.reason = "failed", reason[:2000]
    session.flush()
