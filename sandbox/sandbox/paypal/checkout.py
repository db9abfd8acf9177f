"""The page on which a payer approves an order."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.paypal import orders
from sandbox.paypal.engine import Engine
from sandbox.paypal.errors import PaypalError
from sandbox.paypal.here import address, go, is_url, notice, page
from sandbox.paypal.money import worded
from sandbox.paypal.store import Body
from sandbox.paypal.transactions import payer


def create_checkout(engine: Engine) -> Blueprint:
    """/checkoutnow?token=…"""
    blueprint = Blueprint("checkout", __name__)

    @blueprint.get("/checkoutnow")
    def show() -> Response:
        order = engine.store.find(orders.KIND, request.args.get("token", ""))
        if order is None:
            return _unknown()
        if order["status"] == "COMPLETED":
            return notice("This order is paid already", "There is nothing left to do.", back=order["return_url"])
        amount = f"{worded(order['amount_minor'], order['currency'])} {order['currency']}"
        return page("paypal_checkout.html", order=order, amount=amount)

    @blueprint.post("/checkoutnow")
    def answered() -> AnyResponse:
        order = engine.store.find(orders.KIND, request.values.get("token", ""))
        if order is None:
            return _unknown()
        return _cancel(order) if request.form.get("action") == "cancel" else _approve(engine, order["id"])

    return blueprint


def _unknown() -> Response:
    return notice("This order is not known", "The link is wrong, or the sandbox has forgotten everything.", 404)


def _cancel(order: Body) -> AnyResponse:
    url = order["cancel_url"]
    return go(url, token=order["id"]) if is_url(url) else notice("Canceled", "Nothing was approved.")


def _approve(engine: Engine, key: str) -> AnyResponse:
    form = request.form
    who = payer(form.get("email", "").strip(), form.get("first_name", ""), form.get("last_name", ""))
    try:
        with engine.call(address()) as call:
            order = orders.order_of(call, key)
            if order is None:
                return _unknown()
            order = orders.approve(call, order, who, form.get("pay_with", ""))
    except PaypalError as error:
        return notice("Not possible", str(error), error.status)
    url = order["return_url"]
    if not is_url(url):
        return notice("You have agreed", "The merchant takes the money now. You may close this page.")
    return go(url, token=order["id"], PayerID=who.id)
