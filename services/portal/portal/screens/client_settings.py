"""Of one client: saved cards, availability, automated invoicing, and corrections of the balance."""

from typing import Any

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from common.errors import Conflict, Invalid, Refused
from common.ids import new_id
from portal import edge
from portal.domain import closing
from portal.edge import ADMINISTRATOR, STAFF, screen
from portal.screens.clients import page, status_of
from portal.usecases import attempts, paying, reading, saved_cards

screens = Blueprint("client_settings", __name__)

FREQUENCIES = [
    ("off", "No automated invoices"), ("weekly", "Every week"), ("biweekly", "Every two weeks"),
    ("monthly", "Every month"),
]  # fmt: skip
SAID_OF = {
    "now": "client_inactive", "on": "inactive_date_set", "back": "client_active", "never": "inactive_date_removed"
}  # fmt: skip
DELIVERIES = [("sent", "Send them by e-mail at once"), ("draft", "Leave them as drafts, to look at first")]


# --- saved cards ---


@screens.get("/clients/<client_id>/cards")
@screen(*STAFF)
def cards(client_id: str) -> ResponseReturnValue:
    remit = edge.remit()
    desk = paying.card_desk(remit)
    held = edge.piece(lambda: remit.stripe.saved_cards(client_id)) if desk.is_open else []
    if desk.is_open:
        edge.takes_cards()
    return page("client_cards.html", client_id, desk=desk, cards=held, attempt=new_id())


@screens.post("/clients/<client_id>/cards")
@screen(*STAFF)
def save_card(client_id: str) -> ResponseReturnValue:
    """For pay.js: begin to save the card that is typed next."""
    edge.for_script_only()
    begun = saved_cards.start(edge.remit(), client_id, request.form.get("attempt", ""))
    return {
        **begun,
        "return_path": url_for("client_settings.cards", client_id=client_id),
        "done_path": url_for("client_settings.cards", client_id=client_id, said="card_saved"),
    }


@screens.post("/clients/<client_id>/cards/remove")
@screen(*STAFF)
def remove_card(client_id: str) -> ResponseReturnValue:
    edge.remit().stripe.remove_card(client_id, request.form.get("card", ""))
    return edge.done("client_settings.cards", "card_removed", client_id=client_id)


# --- availability ---


@screens.get("/clients/<client_id>/availability")
@screen(*STAFF)
def availability(client_id: str) -> ResponseReturnValue:
    return _availability(client_id)


@screens.post("/clients/<client_id>/availability")
@screen(*STAFF)
def change_availability(client_id: str) -> ResponseReturnValue:
    """`what` is now, on (from a day), never (that day is taken away) or back."""
    remit, form = edge.remit(), request.form
    try:
        changes = _change(reading.Form(form))
        remit.billing.change_client(client_id, changes)
    except (Invalid, Conflict) as refused:
        return _availability(client_id, refused), status_of(refused)
    return edge.done("client_settings.availability", SAID_OF[form["what"]], client_id=client_id)


def _change(form: reading.Form) -> dict[str, Any]:
    """What the form wants of the client's availability. Raises Invalid."""
    match form.get("what"):
        case "now":
            return {"status": "inactive", "inactive_on": None}
        case "on":
            day = form.read("inactive_on", reading.day)
            form.check()
            return {"inactive_on": str(day)}
        case "back":
            return {"status": "active", "inactive_on": None}
        case "never":
            return {"inactive_on": None}
    raise Invalid("form_incomplete", "Choose what is to happen to this client.")


def _availability(client_id: str, refused: Refused | None = None) -> str:
    check = edge.remit().billing.closing_check(client_id)
    return page(
        "client_availability.html", client_id, check=check, obstacles=closing.obstacles(check),
        **_refusal(refused),
        typed_day=request.form.get("inactive_on", ""),
    )  # fmt: skip


# --- automated invoicing ---


@screens.get("/clients/<client_id>/invoicing")
@screen(*STAFF)
def invoicing(client_id: str) -> ResponseReturnValue:
    return _invoicing(client_id, edge.remit().billing.invoicing(client_id))


@screens.post("/clients/<client_id>/invoicing")
@screen(*STAFF)
def change_invoicing(client_id: str) -> ResponseReturnValue:
    said = {name: request.form.get(name, "") for name in ("frequency", "delivery", "starts_on")}
    try:
        edge.remit().billing.set_invoicing(client_id, {**said, "starts_on": said["starts_on"] or None})
    except (Invalid, Conflict) as refused:
        return _invoicing(client_id, said, refused), status_of(refused)
    return edge.done("client_settings.invoicing", "saved", client_id=client_id)


def _invoicing(client_id: str, held: dict[str, Any], refused: Refused | None = None) -> str:
    return page(
        "client_invoicing.html", client_id, held=held, frequencies=FREQUENCIES, deliveries=DELIVERIES,
        **_refusal(refused),
    )  # fmt: skip


# --- corrections ---


@screens.get("/clients/<client_id>/adjust")
@screen(*ADMINISTRATOR)
def adjust(client_id: str) -> ResponseReturnValue:
    return page("client_adjust.html", client_id, form={}, errors={}, refused_words=None, attempt=new_id())


@screens.post("/clients/<client_id>/adjust")
@screen(*ADMINISTRATOR)
def correct(client_id: str) -> ResponseReturnValue:
    remit, form = edge.remit(), request.form
    attempt = form.get("attempt", "")
    try:
        body = _correction(reading.Form(form), remit.billing.business()["currency"])
        remit.billing.adjust(client_id, body, attempts.key(remit, attempt, {"client_id": client_id, **body}))
    except (Invalid, Conflict) as refused:
        return page("client_adjust.html", client_id, form=form, attempt=attempt, **_refusal(refused)), status_of(
            refused
        )
    return edge.done("clients.explain", "balance_corrected", client_id=client_id)


def _correction(form: reading.Form, currency: str) -> dict[str, Any]:
    """What the form says is to be corrected, as billing takes it. Raises Invalid."""
    if form.get("kind") not in ("credit", "debit"):
        form.note("kind", "Choose in whose favour it is.")
    said = {
        "kind": form.get("kind"),
        "amount_minor": form.read("amount", reading.money(currency)),
        "reason": form.read("reason", reading.line("why")),
    }
    form.check()
    return said


def _refusal(refused: Refused | None) -> dict[str, Any]:
    """What a page shows of a form that was refused."""
    if refused is None:
        return {"errors": {}, "refused_words": None}
    return {"errors": reading.beside(refused), "refused_words": reading.detail_of(refused)}
