"""Payments by card: on the page, by staff, by one click; and asking Stripe what became of one."""

from datetime import timedelta
from typing import Any, Literal

from flask_openapi3 import APIBlueprint, Tag
from pydantic import Field, StrictBool

from common import clock
from common.errors import NotFound
from common.gateway.api import ReconcileBody, marked, request_key
from common.gateway.calls import plainly
from common.web.app import ANY_JSON, B, caller, endpoint, runtime
from common.web.fields import AmountMinor, Body, BusinessPath, Currency, Id, Line, OptionalLine
from gateway_stripe.client import GATEWAY
from gateway_stripe.usecases import intents, reconcile
from gateway_stripe.usecases.intents import Wanted

api = APIBlueprint("stripe_payments", __name__, abp_tags=[Tag(name="Payments by card")], abp_security=[{"bearer": []}])


class IntentPath(BusinessPath):
    intent_id: str = Field(min_length=1, max_length=100)


class IntentBody(Body):
    client_id: Id
    amount_minor: AmountMinor
    currency: Currency | None = None
    invoice_number: OptionalLine = Field(default=None, max_length=50)
    initiated_by: Literal["client", "staff"] = "staff"
    save_card: StrictBool = False


class ChargeBody(Body):
    client_id: Id
    amount_minor: AmountMinor
    currency: Currency | None = None
    payment_method_id: OptionalLine = Field(
        default=None, max_length=100, description="The newest saved card unless told"
    )
    invoice_number: OptionalLine = Field(default=None, max_length=50)


class OrderBody(Body):
    client_id: Id
    amount_minor: AmountMinor
    currency: Currency | None = None
    payment_method_id: Line = Field(
        min_length=1, max_length=100, description="Of the card that was typed into Stripe's own field"
    )
    invoice_number: OptionalLine = Field(default=None, max_length=50)
    save_card: StrictBool = False


@api.post(f"{B}/stripe/payment-intents", responses={201: ANY_JSON})
@endpoint("gateway:charge", in_stages=True)
def start_payment(path: BusinessPath, body: IntentBody) -> tuple[Any, int]:
    """Begin a card payment; the card is typed into Stripe's own field in the browser"""
    caller().require_client(body.client_id)
    is_client = caller().client_id is not None or body.initiated_by == "client"
    wanted = Wanted(
        client_id=body.client_id, amount_minor=body.amount_minor, source="client" if is_client else "pay_assist",
        currency=body.currency, invoice_number=body.invoice_number, save_card=body.save_card,
    )  # fmt: skip
    answer, is_repeat = intents.start(runtime(), path.business_id, wanted, caller(), request_key())
    return marked(answer, is_repeat), 201


@api.post(f"{B}/stripe/charges", responses={201: ANY_JSON})
@endpoint("gateway:charge", in_stages=True)
def charge_card(path: BusinessPath, body: ChargeBody) -> tuple[Any, int]:
    """Charge a saved card by one click; a decline is an answer, not an error"""
    caller().require_staff("client")
    wanted = Wanted(
        client_id=body.client_id, amount_minor=body.amount_minor, source="saved_card", currency=body.currency,
        invoice_number=body.invoice_number, payment_method_id=body.payment_method_id,
    )  # fmt: skip
    answer, is_repeat = intents.charge_saved_card(runtime(), path.business_id, wanted, caller(), request_key())
    return marked(answer, is_repeat), 201


@api.post(f"{B}/stripe/mail-and-telephone-orders", responses={201: ANY_JSON})
@endpoint("gateway:charge", in_stages=True)
def take_order(path: BusinessPath, body: OrderBody) -> tuple[Any, int]:
    """Charge a card typed by staff for a client who is not there (MOTO); a decline is an answer, not an error"""
    caller().require_staff("client")
    wanted = Wanted(
        client_id=body.client_id, amount_minor=body.amount_minor, source="pay_assist", currency=body.currency,
        invoice_number=body.invoice_number, save_card=body.save_card, payment_method_id=body.payment_method_id,
    )  # fmt: skip
    answer, is_repeat = intents.take_order(runtime(), path.business_id, wanted, caller(), request_key())
    return marked(answer, is_repeat), 201


@api.post(f"{B}/stripe/payment-intents/<string:intent_id>/sync")
@endpoint("gateway:charge", in_stages=True)
def sync_payment(path: IntentPath) -> dict[str, Any]:
    """Ask Stripe now what became of a payment, instead of waiting for its callback"""
    own = caller().client_id
    if own is not None:
        with runtime().database.read() as session:
            if intents.client_of(session, path.business_id, path.intent_id) != own:
                raise NotFound("not_found", "There is no such payment under way.")
    return intents.sync(runtime(), path.business_id, path.intent_id)


@api.post(f"{B}/reconcile")
@endpoint("gateway:settings", in_stages=True)
def reconcile_payments(path: BusinessPath, body: ReconcileBody) -> dict[str, Any]:
    """Compare Stripe with us since a time, heal what was missed, and say what differs"""
    caller().require_staff("business")
    since = clock.now() - timedelta(hours=body.since_hours)
    with plainly(GATEWAY):
        return reconcile.reconcile(runtime(), path.business_id, since)
