"""Saved cards: save one with the client's consent, list, remove."""

from typing import Any

from flask_openapi3 import APIBlueprint, Tag
from pydantic import Field

from common.web.app import ANY_JSON, B, caller, endpoint, runtime
from common.web.fields import Body, BusinessPath, Id
from gateway_stripe.usecases import cards

api = APIBlueprint("stripe_cards", __name__, abp_tags=[Tag(name="Saved cards")], abp_security=[{"bearer": []}])


class ClientPath(BusinessPath):
    client_id: Id


class CardPath(ClientPath):
    payment_method_id: str = Field(min_length=1, max_length=100)


class SetupBody(Body):
    client_id: Id


@api.post(f"{B}/stripe/setup-intents", responses={201: ANY_JSON})
@endpoint("gateway:charge", in_stages=True)
def start_saving(path: BusinessPath, body: SetupBody) -> tuple[dict[str, Any], int]:
    """Begin to save a card without charging it"""
    caller().require_client(body.client_id)
    return cards.start_saving(runtime(), path.business_id, body.client_id, caller()), 201


@api.get(f"{B}/clients/<string:client_id>/payment-methods")
@endpoint("gateway:read", in_stages=True)
def list_cards(path: ClientPath) -> dict[str, Any]:
    """A client's saved cards, the newest first"""
    caller().require_client(path.client_id)
    return {"items": cards.saved(runtime(), path.business_id, path.client_id), "next_cursor": None}


@api.delete(f"{B}/clients/<string:client_id>/payment-methods/<string:payment_method_id>")
@endpoint("gateway:charge", in_stages=True)
def remove_card(path: CardPath) -> dict[str, Any]:
    """Remove a saved card"""
    caller().require_client(path.client_id)
    cards.remove(runtime(), path.business_id, path.client_id, path.payment_method_id)
    return {"removed": path.payment_method_id}
