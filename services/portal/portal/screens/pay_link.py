"""The page behind a pay link: an amount for one client, for whoever was sent the link. No sign-in.

The link is its own attempt: while it asks for the same it begins one payment, however often it is opened.
"""

import hashlib
from dataclasses import replace

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from common import pay_link
from common.auth import read_jwks
from common.errors import Invalid, NotFound, Refused
from common.pay_link import PayLink
from portal import edge
from portal.edge import runtime, screen
from portal.peers import Remit
from portal.screens.home import for_script, state_of
from portal.usecases import paying

screens = Blueprint("pay_link", __name__)


@screens.get("/pay")
@screen()
def show() -> ResponseReturnValue:
    query = request.query_string.decode()
    link, remit = opened(query)
    business, client = remit.billing.business(), remit.billing.client(link.client_id)
    problem = None
    due = None
    try:
        due = due_of(remit, link)
    except Refused as refused:
        problem = refused.detail
    edge.takes_cards()
    return render_template(
        "pay.html", business=business, client=client, due=due, problem=problem, query=query,
        desk=paying.card_desk(remit), by_paypal=paying.takes_paypal(remit),
    )  # fmt: skip


@screens.post("/pay")
@screen()
def begin() -> ResponseReturnValue:
    """For pay.js: begin what the link asks for, or take up what it began."""
    edge.for_script_only()
    query = request.form.get("link", "")
    link, remit = opened(query)
    due = due_of(remit, link)
    begun, is_paid = paying.begin(remit, link.client_id, due, hashlib.sha256(query.encode()).hexdigest())
    return for_script(begun, due, is_paid, url_for("pay_link.paid", link=query))


@screens.get("/pay/done")
@screen()
def paid() -> ResponseReturnValue:
    """Where the payment ends: asked of Stripe, whatever the address says. No balance: the link may be anybody's."""
    query = request.args.get("link", "")
    _, remit = opened(query)
    state = {**state_of(remit, request.args.get("payment_intent", "")), "receipt": None}
    if edge.wants_json():
        return state
    return render_template("paid.html", business=remit.billing.business(), balance=None, state=state, query=query)


def opened(query: str) -> tuple[PayLink, Remit]:
    """The link, and the others' APIs as its client. Raises NotFound for one that cannot be used."""
    try:
        link = pay_link.verify(query, read_jwks(runtime().jwks))
    except pay_link.LinkBroken as broken:
        words = f"This link cannot be used: {broken}. Ask the business for a new one."
        raise NotFound("link_broken", words) from None
    return link, Remit(
        runtime(), link.business_id, {"type": "client", "id": link.client_id, "name": "Pay link"}, edge.known()
    )


def due_of(remit: Remit, link: PayLink) -> paying.Due:
    """What the link asks for: its own amount, or what is left to pay of its invoice where that is less. Raises Invalid
    when that is nothing, and for a part of an invoice when so much is no longer left: it may be this part that was
    paid, and the rest is not what the link was sent for."""
    if link.invoice_number is None:
        return paying.Due(link.amount_minor, str(remit.billing.business()["currency"]))
    invoice = remit.billing.invoice(link.invoice_number)
    left = paying.of_invoice(invoice)
    if left.amount_minor < link.amount_minor < invoice["total_minor"]:
        words = f"Invoice {left.invoice_number} has been paid in part since this link was sent. Ask for a new one."
        raise Invalid("invoice_partly_paid", words)
    return replace(left, amount_minor=min(link.amount_minor, left.amount_minor))
