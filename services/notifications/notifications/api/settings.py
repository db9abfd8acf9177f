"""How a business's mails look, and which are sent."""

from typing import Any

from flask_openapi3 import APIBlueprint, Tag
from pydantic import StrictBool

from common.directory import Directory
from common.web.app import B, caller, endpoint, runtime, session
from common.web.fields import Body, BusinessPath, OptionalEmail, OptionalLine
from notifications.models import EmailSettings

api = APIBlueprint("email_settings", __name__, abp_tags=[Tag(name="Settings")], abp_security=[{"bearer": []}])


class SettingsBody(Body):
    from_name: OptionalLine = None
    reply_to: OptionalEmail = None
    receipts_enabled: StrictBool = True
    low_balance_enabled: StrictBool = True
    reminders_enabled: StrictBool = True


def _as_json(settings: EmailSettings | None) -> dict[str, Any]:
    return {name: getattr(settings or SettingsBody(), name) for name in SettingsBody.model_fields}


@api.get(f"{B}/email-settings", responses={200: SettingsBody})
@endpoint("notifications:read")
def get_settings(path: BusinessPath) -> dict[str, Any]:
    """The business's mail settings"""
    caller().require_staff("mail")
    Directory(runtime(), session(), path.business_id).business()
    return _as_json(session().get(EmailSettings, path.business_id))


@api.put(f"{B}/email-settings", responses={200: SettingsBody})
@endpoint("notifications:write")
def put_settings(path: BusinessPath, body: SettingsBody) -> dict[str, Any]:
    """Set all of the business's mail settings; what is left out takes its default"""
    caller().require_staff("mail")
    Directory(runtime(), session(), path.business_id).business()
    settings = session().merge(EmailSettings(business_id=path.business_id, **body.model_dump()))
    session().flush()
    return _as_json(settings)
