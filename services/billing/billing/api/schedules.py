"""What happens by the clock: a client's automated invoicing, a business's reminders."""

from typing import Annotated, Any, Literal

from flask_openapi3 import APIBlueprint, Tag
from pydantic import Field, StrictInt

from billing.api.clients import ClientPath
from billing.usecases import businesses, invoicing, reminders
from billing.usecases.deactivations import DAYS_AHEAD, MOST_DAYS_AHEAD
from common.money import MAX_AMOUNT_MINOR
from common.web.app import B, caller, endpoint, session
from common.web.fields import Body, BusinessPath, Day

api = APIBlueprint("schedules", __name__, abp_tags=[Tag(name="Schedules")], abp_security=[{"bearer": []}])


class InvoicingBody(Body):
    frequency: Literal["off", "weekly", "biweekly", "monthly"]
    delivery: Literal["draft", "sent"] = Field(default="sent", description="Left as a draft, or issued and e-mailed")
    starts_on: Day | None = Field(default=None, description="The first day; one period from today unless told")


class RemindersBody(Body):
    """Nothing is sent until offsets or a period are set."""

    invoice_offsets_days: list[Annotated[StrictInt, Field(ge=-60, le=365)]] = Field(
        default=[], max_length=20, description="Days after an invoice's due date; before it when negative"
    )
    owed_every_days: StrictInt | None = Field(
        default=None, ge=1, le=365, description="How often who owes beyond invoices is told. None: never"
    )
    owed_minimum_minor: StrictInt = Field(default=1, ge=1, le=MAX_AMOUNT_MINOR)
    deactivation_days_ahead: StrictInt = Field(default=DAYS_AHEAD, ge=1, le=MOST_DAYS_AHEAD)


@api.get(f"{B}/clients/<string:client_id>/invoicing")
@endpoint("billing:read")
def get_invoicing(path: ClientPath) -> dict[str, Any]:
    """A client's automated invoicing"""
    caller().require_staff("client")
    return invoicing.settings_of(session(), path.business_id, path.client_id)


@api.put(f"{B}/clients/<string:client_id>/invoicing")
@endpoint("billing:write")
def put_invoicing(path: ClientPath, body: InvoicingBody) -> dict[str, Any]:
    """Set a client's automated invoicing: what was completed or missed before each day is invoiced on it"""
    caller().require_staff("client")
    business = businesses.find(session(), path.business_id)
    return invoicing.set_up(session(), business, path.client_id, body.frequency, body.delivery, body.starts_on)


@api.get(f"{B}/reminders")
@endpoint("billing:read")
def get_reminders(path: BusinessPath) -> dict[str, Any]:
    """The business's reminder schedule"""
    caller().require_staff("business")
    businesses.find(session(), path.business_id)
    return reminders.settings_of(session(), path.business_id)


@api.put(f"{B}/reminders")
@endpoint("billing:write")
def put_reminders(path: BusinessPath, body: RemindersBody) -> dict[str, Any]:
    """Set all of the business's reminder schedule; what is left out takes its default"""
    caller().require_staff("business")
    business = businesses.find(session(), path.business_id)
    return reminders.set_up(session(), business, body.model_dump())
