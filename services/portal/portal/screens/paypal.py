"""Paying by PayPal: the payer leaves for PayPal's page and comes back; what became of it is asked of the gateway,
whatever the address says. For clients who are signed in, and for whoever was sent a pay link."""

import hashlib
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import edge
from portal.domain import outcomes
from portal.edge import CLIENT, screen
from portal.peers import Remit
from portal.screens import pay_link
from portal.screens.home import receipt_of
from portal.usecases import paying

screens = Blueprint("paypal", __name__)


@screens.post("/home/paypal")
@screen(*CLIENT)
def leave() -> ResponseReturnValue:
    """Begin what the form describes, and send the browser to PayPal."""
    remit, client_id, form = edge.remit(), _client_id(), request.form
    due = paying.what_is_due(remit, client_id, form.get("invoice", ""), form.get("amount", ""))
    begun = paying.begin_paypal(
        remit, client_id, due, form.get("attempt", ""), _public("paypal.back"), _public("paypal.cancelled")
    )
    return _leaving(remit, due, begun, url_for("paypal.back", checkout_id=begun["checkout_id"]))


@screens.get("/home/paypal/back")
@screen(*CLIENT)
def back() -> ResponseReturnValue:
    remit = edge.remit()
    state = _state(remit)
    balance = remit.billing.balance(_client_id())
    if edge.wants_json():
        return {**state, "balance": balance["in_words"]}
    return render_template("paid.html", business=remit.billing.business(), balance=balance, state=state)


@screens.get("/home/paypal/cancelled")
@screen(*CLIENT)
def cancelled() -> ResponseReturnValue:
    return render_template("paid.html", business=edge.remit().billing.business(), balance=None, state=_cancelled())


@screens.post("/pay/paypal")
@screen()
def leave_by_link() -> ResponseReturnValue:
    query = request.form.get("link", "")
    link, remit = pay_link.opened(query)
    due = pay_link.due_of(remit, link)
    attempt = hashlib.sha256(query.encode()).hexdigest()
    begun = paying.begin_paypal(
        remit, link.client_id, due, attempt, _public("paypal.back_by_link", link=query),
        _public("paypal.cancelled_by_link", link=query),
    )  # fmt: skip
    return _leaving(remit, due, begun, url_for("paypal.back_by_link", link=query, checkout_id=begun["checkout_id"]))


@screens.get("/pay/paypal/back")
@screen()
def back_by_link() -> ResponseReturnValue:
    """No balance and no receipt: the link may be anybody's."""
    query = request.args.get("link", "")
    _, remit = pay_link.opened(query)
    state = {**_state(remit), "receipt": None}
    if edge.wants_json():
        return state
    return render_template("paid.html", business=remit.billing.business(), balance=None, state=state, query=query)


@screens.get("/pay/paypal/cancelled")
@screen()
def cancelled_by_link() -> ResponseReturnValue:
    query = request.args.get("link", "")
    _, remit = pay_link.opened(query)
    business = remit.billing.business()
    return render_template("paid.html", business=business, balance=None, state=_cancelled(), query=query)


def _leaving(remit: Remit, due: paying.Due, begun: dict[str, Any], back_path: str) -> ResponseReturnValue:
    if begun["is_over"]:
        return redirect(back_path)
    edge.leaves_for(begun["action_url"])
    return render_template("leave.html", business=remit.billing.business(), due=due, begun=begun)


def _state(remit: Remit) -> dict[str, Any]:
    """What became of the checkout that the address names: asked, and its payment's record once it is there."""
    found = remit.paypal.checkout(request.args.get("checkout_id", ""))
    txn_id = found["gateway_payment_id"]
    payment = remit.payments.of_gateway(txn_id, "paypal") if found["status"] == "paid" and txn_id else None
    outcome = outcomes.by_paypal(found["status"], paying.Due(found["amount_minor"], found["currency"]).money)
    return {
        "tone": outcome.tone,
        "title": outcome.title,
        "detail": outcome.detail,
        "is_final": outcome.is_final and (found["status"] != "paid" or payment is not None),
        "receipt": receipt_of(payment),
    }


def _cancelled() -> dict[str, Any]:
    outcome = outcomes.by_paypal("cancelled", "")
    return {
        "tone": outcome.tone, "title": outcome.title, "detail": outcome.detail, "is_final": True, "receipt": None
    }  # fmt: skip


def _public(view: str, **values: Any) -> str:
    """A page's address as PayPal sends people to it."""
    settings: Any = edge.runtime().settings
    return f"{settings.portal}{url_for(view, **values)}"


def _client_id() -> str:
    client_id = edge.person().client_id
    assert client_id is not None  # the role says so
    return client_id
