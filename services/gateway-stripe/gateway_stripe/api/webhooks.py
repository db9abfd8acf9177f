"""Stripe's callback. Open: who sent it is told by its signature."""

from flask import request
from flask_openapi3 import APIBlueprint, RawModel, Tag
from pydantic import BaseModel
from werkzeug.exceptions import RequestEntityTooLarge

from common import logs
from common.gateway.notices import NotTaken
from common.web.app import runtime
from common.web.fields import Id
from common.web.problems import problem
from gateway_stripe.usecases import notices

api = APIBlueprint("stripe_webhooks", __name__, abp_tags=[Tag(name="Callbacks")])

log = logs.get("webhooks")


class WebhookPath(BaseModel):
    business_id: Id


class WebhookRaw(RawModel):
    """The event, signed."""

    mimetypes: list[str] = ["application/json"]


@api.post("/webhooks/stripe/<string:business_id>")
def take_notice(path: WebhookPath, raw: WebhookRaw) -> object:
    """Stripe's events"""
    request.max_content_length = notices.MAX_BODY_BYTES
    try:
        body = request.get_data(cache=False)  # the bytes as they came: the signature is theirs
    except RequestEntityTooLarge:
        return _refused(path.business_id, b"", notices.TOO_LARGE, 413)
    try:
        with runtime().database.write() as session:
            notices.receive(runtime(), session, path.business_id, body, _signature())
    except NotTaken as error:
        return _refused(path.business_id, body, str(error), 400)
    return {"received": True}


def _signature() -> str:
    return request.headers.get("Stripe-Signature", "")


def _refused(business_id: str, body: bytes, reason: str, status: int) -> object:
    log.warning("callback refused", business_id=business_id, reason=reason)
    with runtime().database.write() as session:
        notices.keep_refused(session, business_id, body, _signature(), reason)
    return problem(status, "callback_refused", "The callback was not taken", reason)
