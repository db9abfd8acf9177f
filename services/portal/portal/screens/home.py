"""A client's own page: balance in words, paying, pending invoices, the last payments with their receipts."""

from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from common.ids import new_id
from portal import edge
from portal.client import Remit
from portal.domain import outcomes
from portal.edge import CLIENT, screen
from portal.usecases import paying, sessions

screens = Blueprint("home", __name__)

PAYMENTS_SHOWN = 10


@screens.get("/home")
@screen(*CLIENT)
def show() -> ResponseReturnValue:
    remit, client_id = edge.remit(), _client_id()
    client = remit.client(client_id)
    if client["status"] == "inactive":
        with edge.runtime().database.write() as session:
            sessions.end_all(session, edge.person())
        return redirect(url_for("signing_in.ask"))
    edge.takes_cards()
    return render_template(
        "home.html",
        business=remit.business(),
        client=client,
        balance=remit.balance(client_id),
        invoices=remit.pending_invoices(client_id, paying.INVOICES_SHOWN),
        payments=remit.last_payments(client_id, PAYMENTS_SHOWN),
        desk=paying.card_desk(remit),
        by_paypal=paying.takes_paypal(remit),
        attempt=new_id(),
    )


@screens.post("/home/pay")
@screen(*CLIENT)
def begin() -> ResponseReturnValue:
    """For pay.js: begin the payment that the form describes."""
    edge.for_script_only()
    remit, client_id, form = edge.remit(), _client_id(), request.form
    due = paying.what_is_due(remit, client_id, form.get("invoice", ""), form.get("amount", ""))
    begun, is_paid = paying.begin(remit, client_id, due, form.get("attempt", ""))
    return for_script(begun, due, is_paid, url_for("home.paid"))


@screens.get("/home/paid")
@screen(*CLIENT)
def paid() -> ResponseReturnValue:
    """Where a payment ends. What became of it is asked of Stripe, whatever the address says."""
    remit = edge.remit()
    state = state_of(remit, request.args.get("payment_intent", ""))
    balance = remit.balance(_client_id())
    if edge.wants_json():
        return {**state, "balance": balance["in_words"]}
    return render_template("paid.html", business=remit.business(), balance=balance, state=state)


@screens.get("/payments/<payment_id>/receipt.pdf")
@screen(*CLIENT, *edge.STAFF)
def receipt(payment_id: str) -> ResponseReturnValue:
    found = edge.remit().receipt_pdf(payment_id)
    headers = {"Content-Disposition": found.headers.get("Content-Disposition", "inline")}
    return Response(found.content, content_type="application/pdf", headers=headers)


def for_script(begun: dict[str, Any], due: paying.Due, is_paid: bool, path: str) -> ResponseReturnValue:
    """What pay.js needs to let the card be typed, or where to go when it is paid already."""
    glue = "&" if "?" in path else "?"
    return_path = f"{path}{glue}payment_intent={begun['payment_intent_id']}"
    if is_paid:
        return {"go_to": return_path}
    return {
        "client_secret": begun["client_secret"],
        "publishable_key": begun["publishable_key"],
        "money": due.money,
        "return_path": return_path,
    }


def state_of(remit: Remit, intent_id: str) -> dict[str, Any]:
    """What became of a payment: the gateway asked, and the payment's record once it is there."""
    status = str(remit.sync(intent_id)["status"])
    payment = remit.payment_of(intent_id) if status == "succeeded" else None
    money = paying.Due(payment["amount_minor"], payment["currency"]).money if payment else "The payment"
    to_payer = remit.actor is not None and remit.actor["type"] == "client"
    outcome = outcomes.on_page(status, money, to_payer=to_payer)
    return {
        "tone": outcome.tone,
        "title": outcome.title,
        "detail": outcome.detail,
        # Once it is recorded, its receipt is there, and the balance follows within moments.
        "is_final": outcome.is_final and (status != "succeeded" or payment is not None),
        "receipt": receipt_of(payment),
    }


def receipt_of(payment: dict[str, Any] | None) -> dict[str, Any] | None:
    """Where a payment's receipt is."""
    if payment is None:
        return None
    return {"number": payment["receipt_number"], "url": url_for("home.receipt", payment_id=payment["id"])}


def _client_id() -> str:
    client_id = edge.person().client_id
    assert client_id is not None  # the role says so
    return client_id
