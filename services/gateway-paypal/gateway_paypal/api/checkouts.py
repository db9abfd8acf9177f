"""Checkouts: sending a payer to PayPal, taking what they approved, and comparing with PayPal."""

from datetime import timedelta
from typing import Any

from flask_openapi3 import APIBlueprint, Tag
from pydantic import Field

from common import clock
from common.errors import NotFound
from common.gateway.api import ReconcileBody, marked, request_key
from common.gateway.calls import plainly
from common.web.app import ANY_JSON, B, caller, endpoint, runtime, session
from common.web.fields import AmountMinor, Body, BusinessPath, Currency, Id, OptionalLine
from gateway_paypal.client import GATEWAY
from gateway_paypal.models import Checkout
from gateway_paypal.usecases import checkouts, reconcile
from gateway_paypal.usecases.checkouts import Wanted

api = APIBlueprint("paypal_checkouts", __name__, abp_tags=[Tag(name="Checkouts")], abp_security=[{"bearer": []}])

Url = Field(
    max_length=900, pattern=r"^https?://[^\s]+$", description="Where the payer comes back to, with ?checkout_id="
)


class CheckoutPath(BusinessPath):
    checkout_id: Id


class CheckoutBody(Body):
    client_id: Id
    amount_minor: AmountMinor
    currency: Currency | None = None
    invoice_number: OptionalLine = Field(default=None, max_length=50)
    return_url: str = Url
    cancel_url: str = Url


@api.post(f"{B}/paypal/checkouts", responses={201: ANY_JSON})
@endpoint("gateway:charge", in_stages=True)
def start_checkout(path: BusinessPath, body: CheckoutBody) -> tuple[Any, int]:
    """Begin a payment: where the browser goes, and with which fields"""
    caller().require_client(body.client_id)
    wanted = Wanted(**body.model_dump())
    key = request_key()
    answer, is_repeat = checkouts.start(runtime(), path.business_id, wanted, caller(), key)
    return marked(answer, is_repeat), 201


@api.get(f"{B}/paypal/checkouts/<string:checkout_id>")
@endpoint("gateway:charge")
def get_checkout(path: CheckoutPath) -> dict[str, Any]:
    """What became of a payment that was begun here: waiting, pending, paid or failed"""
    return checkouts.as_json(_own(checkouts.find(session(), path.business_id, path.checkout_id)))


@api.post(f"{B}/paypal/checkouts/<string:checkout_id>/capture")
@endpoint("gateway:charge", in_stages=True)
def capture_checkout(path: CheckoutPath) -> dict[str, Any]:
    """Take what the payer approved at PayPal; once, however often it is asked"""
    with runtime().database.read() as reading:
        _own(checkouts.find(reading, path.business_id, path.checkout_id))
    return checkouts.capture(runtime(), path.business_id, path.checkout_id)


@api.post(f"{B}/reconcile")
@endpoint("gateway:settings", in_stages=True)
def reconcile_payments(path: BusinessPath, body: ReconcileBody) -> dict[str, Any]:
    """Compare PayPal with us since a time, heal what was missed, and say what differs"""
    caller().require_staff("business")
    since = clock.now() - timedelta(hours=body.since_hours)
    with plainly(GATEWAY):
        return reconcile.reconcile(runtime(), path.business_id, since)


def _own(checkout: Checkout) -> Checkout:
    if caller().client_id not in (None, checkout.client_id):
        raise NotFound("not_found", "There is no such PayPal payment under way.")
    return checkout
