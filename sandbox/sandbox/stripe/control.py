"""The control API: what banks, clocks and people at the dashboard do; for tests, without keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, request

from sandbox import problems
from sandbox.stripe import disputes, endpoints, refunds, webhooks
from sandbox.stripe.attempt import bank_decided
from sandbox.stripe.bodies import visible
from sandbox.stripe.call import Call
from sandbox.stripe.engine import Engine
from sandbox.stripe.errors import StripeError
from sandbox.stripe.intents import close
from sandbox.stripe.keys import world_named
from sandbox.stripe.secure import answered
from sandbox.stripe.store import Body, Filter

MOST = 100_000
# kind of object, what was asked → what is shown
Act = Callable[[Call, Body, dict[str, Any]], Any]


def create_control(engine: Engine) -> Blueprint:
    """Everything under /stripe/_control."""
    blueprint = Blueprint("control", __name__, url_prefix="/_control")
    _lists(blueprint, engine)

    @blueprint.post("/<what>")
    def make(what: str) -> Response:
        if what == "keys":
            return jsonify(_expire_key(engine, _text(_json(), "expire")))
        act = {"disputes": _dispute, "refunds": _refund}.get(what)
        if act is None:
            raise problems.not_found("action")
        wanted = _json()
        return _act(engine, wanted.get("charge") or _text(wanted, "payment_intent"), act, wanted)

    @blueprint.post("/<what>/<key>/<action>")
    def act_on(what: str, key: str, action: str) -> Response:
        act = ACTIONS.get((what, action))
        if act is None:
            raise problems.not_found("action")
        return _act(engine, key, act, _json(), what.removesuffix("s"))

    @blueprint.delete("/data")
    def forget() -> Response:
        with engine.store.transaction():
            engine.store.clear()
        return Response(status=204)

    return blueprint


def _lists(blueprint: Blueprint, engine: Engine) -> None:
    @blueprint.get("/charges")
    def captured() -> Response:
        wanted = Filter(equal={"status": "succeeded"})
        found = [
            visible(charge) | {"account": world_named(engine.store.world_of(charge["id"]) or "").account}
            for charge in engine.store.page(None, "charge", wanted, limit=MOST)
        ]
        return jsonify(data=found, total=len(found))

    @blueprint.get("/deliveries")
    def deliveries() -> Response:
        rows = engine.store.rows(
            "SELECT d.event, json_extract(o.body, '$.type'), d.endpoint, d.state, d.attempts, d.answer, d.due"
            " FROM delivery d LEFT JOIN object o ON o.id = d.event ORDER BY d.seq DESC LIMIT ?", MOST,
        )  # fmt: skip
        names = ("event", "type", "endpoint", "state", "attempts", "answer", "due")
        found = [dict(zip(names, row, strict=True)) for row in rows]
        return jsonify(data=found, total=len(found))


def _act(engine: Engine, key: str, act: Act, wanted: dict[str, Any], kind: str | None = None) -> Response:
    """The action on an object, in the world that holds it; kind: what the object has to be."""
    world = engine.store.world_of(key)
    try:
        with engine.call(world_named(world or "")) as call:
            body = engine.store.find(world or "", key, kind)
            if body is None:
                raise problems.not_found(kind or "object")
            return jsonify(visible(act(call, body, wanted)))
    except StripeError as error:
        status = 422 if error.status == 400 else error.status
        raise problems.Problem(status, error.error.get("code", "refused"), "Refused", str(error)) from error


def _json() -> dict[str, Any]:
    wanted = request.get_json(force=True) if request.get_data() else {}
    if not isinstance(wanted, dict):
        raise problems.invalid("The body must be a JSON object.")
    return wanted


def _text(wanted: dict[str, Any], name: str) -> str:
    if not isinstance(wanted.get(name), str):
        raise problems.invalid(f"{name} must be a text")
    return str(wanted[name])


def _amount(wanted: dict[str, Any]) -> int | None:
    amount = wanted.get("amount")
    if amount is not None and type(amount) is not int:
        raise problems.invalid("amount must be a whole number of minor units")
    return amount


def _expire_key(engine: Engine, key: str) -> dict[str, Any]:
    engine.store.run("INSERT OR IGNORE INTO expired_key (key) VALUES (?)", key)
    return {"expired": True}


def _charge(call: Call, body: Body) -> Body:
    """The charge itself, or the latest of a payment intent."""
    return body if body["object"] == "charge" else call.get("charge", body.get("latest_charge") or "")


def _dispute(call: Call, body: Body, wanted: dict[str, Any]) -> Body:
    return disputes.open_dispute(
        call, _charge(call, body), wanted.get("reason", "fraudulent"), amount=_amount(wanted),
        inquiry=wanted.get("inquiry", False), withdraw=wanted.get("withdraw", True),
    )  # fmt: skip


def _refund(call: Call, body: Body, wanted: dict[str, Any]) -> Body:
    charge = _charge(call, body)
    return refunds.refund(call, charge, _amount(wanted), wanted.get("reason"), wanted.get("metadata", {}))


def _fail_refund(call: Call, body: Body, _wanted: dict[str, Any]) -> Body:
    refunds.refund_fails(call, body["id"])
    return call.get("refund", body["id"])


def _complete(call: Call, body: Body, wanted: dict[str, Any]) -> Body:
    bank_decided(call, body["id"], wanted.get("outcome"))
    return call.get("payment_intent", body["id"])


def _authenticate(call: Call, body: Body, wanted: dict[str, Any]) -> Body:
    return answered(call, body, passed=wanted.get("outcome", "succeeded") == "succeeded")


def _expire_intent(call: Call, body: Body, _wanted: dict[str, Any]) -> Body:
    return body if body["status"] in ("succeeded", "canceled") else close(call, body, "expired")


def _expire_card(call: Call, body: Body, _wanted: dict[str, Any]) -> Body:
    body["card"].update(exp_month=1, exp_year=2020)
    call.save(body)
    call.emit("payment_method.automatically_updated", body)
    return body


def _roll(call: Call, body: Body, wanted: dict[str, Any]) -> Body:
    return body | {"secret": endpoints.roll(call, body, wanted.get("overlap_seconds", 24 * 3600))}


def _resend(call: Call, body: Body, _wanted: dict[str, Any]) -> Body:
    for endpoint in webhooks.endpoints_of(call.engine, call.world):
        if webhooks.wants(endpoint, body["type"]):
            webhooks.enqueue(call, body, endpoint, faulty=False)
    return body


ACTIONS: dict[tuple[str, str], Act] = {
    ("disputes", "withdraw"): lambda call, body, _wanted: disputes.withdraw_funds(call, body),
    ("disputes", "reinstate"): lambda call, body, _wanted: disputes.reinstate_funds(call, body),
    ("disputes", "close"): lambda call, body, wanted: disputes.close_dispute(call, body, wanted.get("status", "lost")),
    ("refunds", "fail"): _fail_refund,
    ("payment_intents", "complete"): _complete,
    ("payment_intents", "authenticate"): _authenticate,
    ("payment_intents", "expire"): _expire_intent,
    ("setup_intents", "authenticate"): _authenticate,
    ("payment_methods", "expire"): _expire_card,
    ("webhook_endpoints", "roll"): _roll,
    ("events", "resend"): _resend,
}
