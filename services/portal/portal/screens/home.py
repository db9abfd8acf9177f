"""A client's own pages: balance in words, paying, invoices, payments with their receipts, sessions, saved cards."""

from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from common import clock
from common.ids import new_id
from portal import edge
from portal.domain import outcomes
from portal.edge import CLIENT, STAFF, screen
from portal.peers import Remit
from portal.screens.asked import NEWEST_PAYMENT, asked, file_kind
from portal.usecases import paying, saved_cards

screens = Blueprint("home", __name__)

PAYMENTS_SHOWN = 10


@screens.get("/home")
@screen(*CLIENT, tells_standing=True)
def show() -> ResponseReturnValue:
    remit, client_id = edge.remit(), _client_id()
    overview = remit.billing.overview(client_id)
    edge.keep_out_former(overview["client"])
    desk = paying.card_desk(remit)
    if desk.for_clients:
        edge.takes_cards()
    return render_template(
        "home.html",
        **overview,
        payments=edge.piece(lambda: remit.payments.last(client_id, PAYMENTS_SHOWN)),
        desk=desk,
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
    balance = remit.billing.balance(_client_id())
    if edge.wants_json():
        return {**state, "balance": balance["in_words"]}
    return render_template("paid.html", balance=balance, state=state)


@screens.get("/home/payments")
@screen(*CLIENT)
def payments() -> ResponseReturnValue:
    """What was paid, and the statement of any days."""
    query = {"sort": NEWEST_PAYMENT, **asked("from", "to", "sort", paged=True), "client_id": _client_id()}
    found = edge.piece(lambda: edge.remit().payments.history(query))
    return render_template("home_payments.html", payments=found, query=asked("from", "to"), sort=query["sort"])


@screens.get("/home/payments.csv")
@screen(*CLIENT)
def payments_csv() -> ResponseReturnValue:
    return edge.passed_on(edge.remit().payments.csv({**asked("from", "to", "sort"), "client_id": _client_id()}))


@screens.get("/home/invoices")
@screen(*CLIENT)
def invoices() -> ResponseReturnValue:
    query = {**asked("status", paged=True), "client_id": _client_id()}
    found = edge.remit().billing.invoices(query)
    return render_template("home_invoices.html", invoices=found, query=asked("status"))


@screens.get("/home/sessions")
@screen(*CLIENT)
def sessions() -> ResponseReturnValue:
    """Those to come, the next first; or, asked for, those that were, the last first."""
    are_past = request.args.get("when") == "past"
    today = str(clock.today(edge.remit().billing.business()["time_zone"]))
    query = {"to": today, "sort": "-starts_at"} if are_past else {"from": today, "status": "scheduled"}
    found = edge.remit().billing.sessions({**query, **asked(paged=True), "client_id": _client_id()})
    return render_template("home_sessions.html", sessions=found, are_past=are_past)


@screens.get("/home/statement.<kind>")
@screen(*CLIENT)
def statement(kind: str) -> ResponseReturnValue:
    remit = edge.remit()
    return edge.passed_on(remit.billing.statement_file(_client_id(), file_kind(kind), asked("from", "to")))


@screens.get("/payments/<payment_id>/receipt.pdf")
@screen(*CLIENT, *STAFF)
def receipt(payment_id: str) -> ResponseReturnValue:
    """Whose it may be is payments' to say: it knows who asks."""
    return edge.passed_on(edge.remit().payments.receipt_pdf(payment_id))


@screens.get("/home/invoices/<reference>.pdf")
@screen(*CLIENT)
def invoice(reference: str) -> ResponseReturnValue:
    """Whose it may be is billing's to say."""
    return edge.passed_on(edge.remit().billing.invoice_pdf(reference))


# --- saved cards ---


@screens.get("/home/cards")
@screen(*CLIENT)
def cards() -> ResponseReturnValue:
    """The cards that are saved; another can be, where clients may begin payments."""
    remit = edge.remit()
    desk = paying.card_desk(remit)
    held = edge.piece(lambda: remit.stripe.saved_cards(_client_id())) if desk.is_open else []
    if desk.for_clients:
        edge.takes_cards()
    return render_template("home_cards.html", desk=desk, cards=held, attempt=new_id())


@screens.post("/home/cards")
@screen(*CLIENT)
def save_card() -> ResponseReturnValue:
    """For pay.js: begin to save the card that is typed next."""
    edge.for_script_only()
    begun = saved_cards.start(edge.remit(), _client_id(), request.form.get("attempt", ""))
    return {**begun, "return_path": url_for("home.cards"), "done_path": url_for("home.cards", said="card_saved")}


@screens.post("/home/cards/remove")
@screen(*CLIENT)
def remove_card() -> ResponseReturnValue:
    edge.remit().stripe.remove_card(_client_id(), request.form.get("card", ""))
    return edge.done("home.cards", "card_removed")


# --- what paying pages share ---


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
    status = str(remit.stripe.sync(intent_id)["status"])
    payment = remit.payments.of_gateway(intent_id) if status == "succeeded" else None
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
