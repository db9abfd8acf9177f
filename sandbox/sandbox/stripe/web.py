"""The part of the sandbox's web application under /stripe: the API, Stripe.js, and the bank's page."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlencode

from flask import Blueprint, Response, make_response, redirect, render_template, request, send_from_directory
from werkzeug.wrappers import Response as AnyResponse

from sandbox import problems
from sandbox.cut import cut_connection
from sandbox.stripe import (
    account,
    api,
    balance,
    charges,
    customers,
    disputes,
    endpoints,
    events,
    intents,
    payment_methods,
    refunds,
    secure,
    setup_intents,
)
from sandbox.stripe.bodies import new_id
from sandbox.stripe.control import create_control
from sandbox.stripe.engine import Engine
from sandbox.stripe.errors import StripeError
from sandbox.stripe.keys import world_named
from sandbox.stripe.params import decode
from sandbox.stripe.store import Body
from sandbox.stripe.webhooks import API_VERSION

# Importing them registers their operations.
PARTS = (account, balance, charges, customers, disputes, endpoints, events, intents, payment_methods, refunds, secure,
         setup_intents)  # fmt: skip
SCRIPTS = Path(__file__).parent / "js"
# The bank's page sends the client back to the shop, wherever that is.
BANK_POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; form-action http: https:; base-uri 'none';"
    " frame-ancestors 'none'"
)


def create_stripe(engine: Engine) -> Blueprint:
    """Everything under /stripe."""
    blueprint = Blueprint("stripe", __name__, url_prefix="/stripe")
    blueprint.register_blueprint(create_control(engine))

    @blueprint.route("/v1/<path:path>", methods=["GET", "POST", "DELETE"], provide_automatic_options=False)
    def ask(path: str) -> Response:
        return _ask(engine, path)

    @blueprint.route("/v1/<path:_path>", methods=["OPTIONS"])
    def may_ask(_path: str) -> Response:
        response = _open_to_pages(Response(status=204))
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, DELETE"
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, Idempotency-Key"
        return response

    @blueprint.get("/js/v3/")
    def script() -> Response:
        return send_from_directory(SCRIPTS, "stripe.js", mimetype="text/javascript")

    @blueprint.get("/3ds/<intent_id>")
    def bank(intent_id: str) -> Response:
        intent = _intent(engine, intent_id)
        response = make_response(render_template("stripe_bank.html", intent=intent))
        response.headers["Content-Security-Policy"] = BANK_POLICY
        return response

    @blueprint.post("/3ds/<intent_id>")
    def bank_answered(intent_id: str) -> AnyResponse:
        return _bank_answered(engine, _intent(engine, intent_id))

    return blueprint


def _ask(engine: Engine, path: str) -> Response:
    request_id = new_id("req", 14)
    try:
        raw = decode((request.form if request.method == "POST" else request.args).items(multi=True))
    except StripeError as error:
        return _response(api.Answer(error.status, json.dumps(error.body)), request_id)
    key = _key() or str(raw.get("key", ""))
    raw.pop("key", None)
    asked = api.Asked(
        request.method, path.rstrip("/"), key, raw, request.headers.get("Idempotency-Key") or None, request_id,
        f"{request.host_url.rstrip('/')}/stripe",
    )  # fmt: skip
    done = api.answer(engine, asked)
    if done.cut:
        cut_connection()
    return _response(done, request_id)


def _key() -> str:
    """The key from the Authorization header: as a bearer token, or as the name of basic authentication."""
    found = request.authorization
    if found is None:
        return ""
    return found.token or "" if found.type == "bearer" else found.username or ""


def _response(done: api.Answer, request_id: str) -> Response:
    response = _open_to_pages(Response(done.body, status=done.status, content_type="application/json"))
    response.headers["Request-Id"] = request_id
    response.headers["Stripe-Version"] = request.headers.get("Stripe-Version", API_VERSION)
    if request.headers.get("Idempotency-Key"):
        response.headers["Idempotency-Key"] = request.headers["Idempotency-Key"]
    if done.replayed is not None:
        response.headers["Idempotent-Replayed"] = "true"
        response.headers["Original-Request"] = done.replayed
    return response


def _open_to_pages(response: Response) -> Response:
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Expose-Headers"] = "Request-Id, Idempotent-Replayed"
    return response


def _intent(engine: Engine, intent_id: str) -> Body:
    """The intent whose secret the request shows."""
    world = engine.store.world_of(intent_id)
    intent = engine.store.find(world, intent_id) if world is not None else None
    if intent is None or intent.get("client_secret") != request.values.get("client_secret"):
        raise problems.not_found("payment")
    return intent


def _bank_answered(engine: Engine, intent: Body) -> AnyResponse:
    world = engine.store.world_of(intent["id"]) or ""
    passed = request.form.get("outcome") == "succeeded"
    with engine.call(world_named(world)) as call:
        intent = call.get(intent["object"], intent["id"])
        if intent["status"] == "requires_action":
            secure.answered(call, intent, passed=passed)
    name = intent["object"]
    status = "succeeded" if intent["status"] == "succeeded" else "failed"
    back = urlencode({name: intent["id"], f"{name}_client_secret": intent["client_secret"], "redirect_status": status})
    url = str(intent["_return_url"])
    return redirect(f"{url}{'&' if '?' in url else '?'}{back}", 303)
