"""A business's PayPal settings. The secret goes in and never comes out."""

from typing import Annotated, Any, Literal

from flask_openapi3 import APIBlueprint, Tag
from pydantic import AfterValidator, Field, StrictBool

from common.directory import Directory
from common.text import clean_line
from common.web.app import B, caller, endpoint, runtime, session
from common.web.fields import Body, BusinessPath, Email
from gateway_paypal.usecases import accounts, instructions, test_notification

api = APIBlueprint("paypal_settings", __name__, abp_tags=[Tag(name="Settings")], abp_security=[{"bearer": []}])

CleanLine = Annotated[str, AfterValidator(clean_line)]
STAYS = "Left out: what was saved stays"


class SettingsBody(Body):
    mode: Literal["sandbox", "live"]
    checkout: Literal["standard", "orders"] | None = Field(
        default=None, description="orders at first; PayPal is retiring standard"
    )
    business_email: Email = Field(description="The PayPal account that is paid")
    merchant_id: CleanLine | None = Field(default=None, max_length=20, description=f"Its merchant id. {STAYS}")
    allow_client_initiated_payments: StrictBool | None = Field(default=None, description=f"{STAYS}; off at first")
    client_id: CleanLine | None = Field(default=None, max_length=200, pattern=r"^\S+$", description=STAYS)
    client_secret: str | None = Field(default=None, max_length=200, pattern=r"^\S+$", description=STAYS)


@api.get(f"{B}/paypal")
@endpoint("gateway:read")
def get_settings(path: BusinessPath) -> dict[str, Any]:
    """The business's PayPal settings; of the secret only the last four characters"""
    caller().require_staff("business")
    Directory(runtime(), session(), path.business_id).business()
    return accounts.settings_of(runtime(), session(), path.business_id)


@api.put(f"{B}/paypal")
@endpoint("gateway:settings")
def put_settings(path: BusinessPath, body: SettingsBody) -> dict[str, Any]:
    """Save the settings. New credentials have a webhook registered at PayPal; `webhook.state` says how far that is"""
    caller().require_staff("business")
    Directory(runtime(), session(), path.business_id).business()
    accounts.save(runtime(), session(), path.business_id, body.model_dump())
    return accounts.settings_of(runtime(), session(), path.business_id)


@api.get(f"{B}/paypal/ipn-instructions")
@endpoint("gateway:read")
def get_instructions(path: BusinessPath) -> dict[str, Any]:
    """What to set at PayPal so that its messages come here"""
    caller().require_staff("business")
    found: Any = runtime().settings
    return instructions.steps(found, path.business_id)


@api.post(f"{B}/paypal/test-notification")
@endpoint("gateway:settings", in_stages=True)
def send_test(path: BusinessPath) -> dict[str, Any]:
    """Prove the settings: a message of our own through the notify URL, PayPal's verification and the bus

    Each step says what it saw; a red one says what to do, and whom to ask.
    """
    caller().require_staff("business")
    return test_notification.run(runtime(), path.business_id)
