"""Pay Assist: staff find a client, and take a payment from a typed or a saved card. Who did it is the actor."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from common.errors import Invalid, Refused, Unavailable
from common.ids import new_id
from portal import edge
from portal.domain import outcomes
from portal.edge import STAFF, screen
from portal.peers import Remit
from portal.screens.home import for_script, state_of
from portal.usecases import paying

screens = Blueprint("assist", __name__)

CLIENTS_SHOWN = 20


@screens.get("/assist")
@screen(*STAFF)
def find() -> ResponseReturnValue:
    words = request.args.get("q", "").strip()[:200]
    remit = edge.remit()
    found = remit.billing.clients_like(words, CLIENTS_SHOWN) if words else []
    return render_template("assist.html", q=words, clients=found)


@screens.get("/assist/<client_id>")
@screen(*STAFF)
def show(client_id: str) -> ResponseReturnValue:
    return _page(client_id)


@screens.post("/assist/<client_id>/pay")
@screen(*STAFF)
def begin(client_id: str) -> ResponseReturnValue:
    """For pay.js: begin the payment that the form describes. As a telephone order there is nothing to begin before its
    card is typed."""
    edge.for_script_only()
    remit, form = edge.remit(), request.form
    due = paying.what_is_due(remit, client_id, form.get("invoice", ""), form.get("amount", ""))
    desk = paying.card_desk(remit)
    if desk.by_telephone:
        return {
            "publishable_key": desk.publishable_key,
            "money": due.money,
            "amount_minor": due.amount_minor,
            "currency": due.currency.lower(),
            "order_path": url_for("assist.take_order", client_id=client_id),
        }
    begun, is_paid = paying.begin(
        remit, client_id, due, form.get("attempt", ""), by_staff=True, save_card="save_card" in form
    )
    return for_script(begun, due, is_paid, url_for("assist.paid", client_id=client_id))


@screens.post("/assist/<client_id>/charge")
@screen(*STAFF)
def charge(client_id: str) -> ResponseReturnValue:
    """One click: charge a saved card, and show what became of it."""
    remit, form = edge.remit(), request.form
    attempt = form.get("attempt", "")
    client = remit.billing.client(client_id)
    card_id = form.get("card", "")
    if not card_id:  # the gateway would take the newest
        return _page(client_id, problem="Choose the card to charge."), 422
    try:
        due = paying.what_is_due(remit, client_id, form.get("invoice", ""), form.get("amount", ""))
    except Invalid as wrong:
        return _page(client_id, problem=wrong.detail), 422
    answer, outcome = _charged(client["name"], due, lambda: paying.charge(remit, client_id, due, card_id, attempt))
    again = {"attempt": attempt, "card": card_id} if answer["status"] == "unknown" else None
    look = None
    if answer["status"] in ("succeeded", "processing"):  # the balance follows; the page looks there for it
        look = url_for("assist.paid", client_id=client_id, payment_intent=answer["payment_intent_id"])
    return _page(client_id, outcome=outcome, again=again, look=look, finish_url=answer.get("authenticate_url"))


@screens.post("/assist/<client_id>/order")
@screen(*STAFF)
def take_order(client_id: str) -> ResponseReturnValue:
    """For pay.js: charge the card that was typed, as a mail or telephone order, and say what became of it."""
    edge.for_script_only()
    remit, form = edge.remit(), request.form
    due = paying.what_is_due(remit, client_id, form.get("invoice", ""), form.get("amount", ""))
    if str(due.amount_minor) != form.get("amount_minor"):
        raise Invalid(
            "amount_changed", f"It is {due.money} by now. Go back, and look at it again. Nothing was charged."
        )
    answer, outcome = _charged(
        remit.billing.client(client_id)["name"], due,
        lambda: paying.take_order(
            remit, client_id, due, form.get("payment_method", ""), form.get("attempt", ""),
            save_card="save_card" in form,
        ),
    )  # fmt: skip
    if answer["status"] in ("succeeded", "processing"):
        return {"go_to": url_for("assist.paid", client_id=client_id, payment_intent=answer["payment_intent_id"])}
    return {
        "words": f"{outcome.title}. {outcome.detail}",
        "is_final": outcome.is_final,
        "finish_url": answer.get("authenticate_url"),
    }


@screens.get("/assist/<client_id>/paid")
@screen(*STAFF)
def paid(client_id: str) -> ResponseReturnValue:
    """Where a payment with a typed card ends: asked of Stripe, whatever the address says."""
    remit = edge.remit()
    state = state_of(remit, request.args.get("payment_intent", ""))
    balance = remit.billing.balance(client_id)
    if edge.wants_json():
        return {**state, "balance": balance["in_words"]}
    client = remit.billing.client(client_id)
    return render_template("paid.html", balance=balance, state=state, client=client)


def _charged(
    name: str, due: paying.Due, charge: Callable[[], dict[str, Any]]
) -> tuple[dict[str, Any], outcomes.Outcome]:
    """What became of a charge, and in words."""
    try:
        answer = charge()
    except Unavailable as silence:  # it may have been charged: the same attempt finds out
        answer = {"status": "unknown", "detail": silence.detail}
    detail, decline_code = answer.get("detail", ""), answer.get("decline_code", "")
    return answer, outcomes.one_click(answer["status"], due.money, name, detail, decline_code)


def _page(client_id: str, **more: Any) -> str:
    remit = edge.remit()
    edge.takes_cards()
    desk = paying.card_desk(remit)
    shown: dict[str, Any] = {"outcome": None, "again": None, "problem": None, "look": None, "finish_url": None, **more}
    return render_template(
        "assist_client.html",
        **remit.billing.overview(client_id),
        desk=desk,
        cards=_saved_cards(remit, client_id) if desk.is_open else [],
        attempt=new_id(),
        form=request.form,
        **shown,
    )


def _saved_cards(remit: Remit, client_id: str) -> list[dict[str, Any]]:
    try:
        return remit.stripe.saved_cards(client_id)
    except Refused:  # the page is of use without them
        return []
