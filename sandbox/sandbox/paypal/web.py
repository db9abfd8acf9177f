"""The part of the sandbox's web application under /paypal: API, pages, the check of IPNs, certificates."""

from __future__ import annotations

from flask import Blueprint, Response, request

from sandbox.cut import cut_connection
from sandbox.paypal import api, captures, orders, reporting, webhooks
from sandbox.paypal.checkout import create_checkout
from sandbox.paypal.control import create_control
from sandbox.paypal.engine import Engine
from sandbox.paypal.errors import missing
from sandbox.paypal.here import address
from sandbox.paypal.marks import new_id
from sandbox.paypal.merchant import create_merchant
from sandbox.paypal.webscr import create_webscr

# Importing them registers their operations.
PARTS = (captures, orders, reporting, webhooks)
METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]


def create_paypal(engine: Engine) -> Blueprint:
    """Everything under /paypal."""
    blueprint = Blueprint("paypal", __name__, url_prefix="/paypal")
    for create in (create_control, create_webscr, create_checkout, create_merchant):
        blueprint.register_blueprint(create(engine))

    @blueprint.post("/v1/oauth2/token")
    def token() -> Response:
        given = request.authorization
        name, secret = (given.username or "", given.password or "") if given and given.type == "basic" else ("", "")
        return _response(api.token(engine, name, secret, request.form.get("grant_type", "")))

    @blueprint.get("/v1/notifications/certs/<key>")
    def certificate(key: str) -> Response:
        if key != engine.certificate.id:
            error = missing("certificate", key)
            return Response(str(error), status=404, content_type="text/plain")
        return Response(engine.certificate.pem, content_type="application/x-pem-file")

    @blueprint.route("/v1/<path:path>", methods=METHODS, defaults={"version": "v1"})
    @blueprint.route("/v2/<path:path>", methods=METHODS, defaults={"version": "v2"})
    def ask(version: str, path: str) -> Response:
        given = request.authorization
        asked = api.Asked(
            request.method, f"/{version}/{path.rstrip('/')}",
            (given.token or "") if given is not None and given.type == "bearer" else "",
            request.get_data(), request.args, request.headers.get("PayPal-Request-Id", ""), address(),
        )  # fmt: skip
        return _response(api.answer(engine, asked))

    return blueprint


def _response(done: api.Answer) -> Response:
    if done.cut:
        cut_connection()
    response = Response(done.body, status=done.status, content_type="application/json")
    response.headers["Paypal-Debug-Id"] = new_id(13).lower()
    return response
