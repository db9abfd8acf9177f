"""PayPal's callbacks. Open: each is kept and answered at once; whether PayPal sent it is found out afterwards."""

from flask import Response, request
from flask_openapi3 import APIBlueprint, RawModel, Tag
from pydantic import BaseModel
from werkzeug.exceptions import RequestEntityTooLarge

from common import logs
from common.web.app import runtime
from common.web.fields import Id
from common.web.problems import problem
from gateway_paypal.usecases import notices

api = APIBlueprint("paypal_callbacks", __name__, abp_tags=[Tag(name="Callbacks")])

log = logs.get("callbacks")


class CallbackPath(BaseModel):
    business_id: Id


class IpnRaw(RawModel):
    """The message, in any encoding."""

    mimetypes: list[str] = ["application/x-www-form-urlencoded"]


class WebhookRaw(RawModel):
    """The event, signed."""

    mimetypes: list[str] = ["application/json"]


@api.post("/ipn/paypal/<string:business_id>")
def take_ipn(path: CallbackPath, raw: IpnRaw) -> object:
    """PayPal's Instant Payment Notifications: 200 with nothing, once it is kept"""
    body = _body()
    if body is None:
        return _too_large(path.business_id)
    with runtime().database.write() as session:
        is_kept = notices.receive_ipn(session, path.business_id, body)
    return Response(status=200) if is_kept else _nobody(path.business_id)


@api.post("/webhooks/paypal/<string:business_id>")
def take_webhook(path: CallbackPath, raw: WebhookRaw) -> object:
    """PayPal's webhooks of Orders v2"""
    body = _body()
    if body is None:
        return _too_large(path.business_id)
    with runtime().database.write() as session:
        is_kept = notices.receive_webhook(session, path.business_id, request.headers, body)
    return Response(status=200) if is_kept else _nobody(path.business_id)


def _body() -> bytes | None:
    """The bytes as they came: they are verified byte for byte. None when there are too many."""
    request.max_content_length = notices.MAX_BODY_BYTES
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge:
        return None


def _too_large(business_id: str) -> object:
    log.warning("callback refused", business_id=business_id, reason=notices.TOO_LARGE)
    with runtime().database.write() as session:
        notices.keep_too_large(session, business_id)
    return problem(413, "callback_refused", "The callback was not taken", notices.TOO_LARGE)


def _nobody(business_id: str) -> object:
    log.warning("callback refused", business_id=business_id, reason="no PayPal account is set up")
    return problem(404, "not_found", "Not found", "There is no PayPal account for this business.")
