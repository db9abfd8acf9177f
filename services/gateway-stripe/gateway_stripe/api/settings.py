"""A business's Stripe keys and settings. Keys go in and never come out."""

from typing import Any, Literal

from flask_openapi3 import APIBlueprint, Tag
from pydantic import Field, StrictBool

from common.directory import Directory
from common.errors import FieldError, Invalid
from common.web.app import B, caller, endpoint, runtime, session
from common.web.fields import Body, BusinessPath, Currency
from gateway_stripe.usecases import accounts, test_transaction

api = APIBlueprint("stripe_settings", __name__, abp_tags=[Tag(name="Settings")], abp_security=[{"bearer": []}])

Key = Field(default=None, max_length=300, description="Left out: what was saved stays")
Switch = Field(default=None, description="Left out: what was saved stays; off at first")


class SettingsBody(Body):
    mode: Literal["test", "live"]
    currency: Currency | None = Field(default=None, description="The business's; another is refused")
    allow_client_initiated_payments: StrictBool | None = Switch
    mail_and_telephone_orders: StrictBool | None = Switch
    test_publishable_key: str | None = Key
    test_secret_key: str | None = Key
    live_publishable_key: str | None = Key
    live_secret_key: str | None = Key


@api.get(f"{B}/stripe")
@endpoint("gateway:read")
def get_settings(path: BusinessPath) -> dict[str, Any]:
    """The business's Stripe settings; of secret keys only the last four characters"""
    caller().require_staff("business")
    business = Directory(runtime(), session(), path.business_id).business()
    return {"currency": business.currency, **accounts.settings_of(runtime(), session(), path.business_id)}


@api.put(f"{B}/stripe")
@endpoint("gateway:settings")
def put_settings(path: BusinessPath, body: SettingsBody) -> dict[str, Any]:
    """Save keys and settings. New keys are registered at Stripe at once; `…_webhook.state` says how far that is"""
    caller().require_staff("business")
    business = Directory(runtime(), session(), path.business_id).business()
    if body.currency not in (None, business.currency):
        message = f"this business keeps its books in {business.currency}"
        raise Invalid("currency_mismatch", f"{message}.", [FieldError("currency", message)])
    accounts.save(runtime(), session(), path.business_id, body.model_dump())
    return {"currency": business.currency, **accounts.settings_of(runtime(), session(), path.business_id)}


@api.post(f"{B}/stripe/test-transaction")
@endpoint("gateway:settings", in_stages=True)
def send_test(path: BusinessPath) -> dict[str, Any]:
    """Prove the test keys: a charge in test mode, and its callback back through the bus

    Each step says what it saw; a red one says what to do, and whom to ask.
    """
    caller().require_staff("business")
    with runtime().database.read() as reading:
        currency = Directory(runtime(), reading, path.business_id).business().currency
    return test_transaction.run(runtime(), path.business_id, currency)
