"""The unmatched tray: money that arrived and belongs to nobody yet, whose it may be, and giving it to them."""

from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from common.errors import Conflict, NotFound, Refused, Unavailable
from common.ids import new_id
from portal import edge
from portal.domain import arrived
from portal.edge import STAFF, screen
from portal.peers import Remit
from portal.screens.asked import asked
from portal.usecases import attempts, reading
from portal.usecases.picking import picked

screens = Blueprint("tray", __name__)

WAITING_SHOWN = 20


@screens.get("/unmatched")
@screen(*STAFF)
def show_all() -> ResponseReturnValue:
    remit = edge.remit()
    state = "assigned" if request.args.get("state") == "assigned" else "open"
    found = remit.payments.unmatched({**asked(paged=True), "state": state})
    return render_template(
        "tray.html",
        lines=found["items"],
        next_cursor=found["next_cursor"],
        state=state,
        waiting=edge.piece(lambda: remit.payments.waiting({"limit": WAITING_SHOWN})),
        attempt=new_id(),
        words=arrived,
    )


@screens.get("/unmatched/<unmatched_id>")
@screen(*STAFF)
def show(unmatched_id: str) -> ResponseReturnValue:
    return _page(edge.remit().payments.unmatched_one(unmatched_id))


@screens.post("/unmatched/<unmatched_id>/assign")
@screen(*STAFF)
def assign(unmatched_id: str) -> ResponseReturnValue:
    """`choice` is a suggestion: the client's id, a blank, and the invoice's number if it has one. Else the client field
    and the invoice say."""
    remit = edge.remit()
    line = remit.payments.unmatched_one(unmatched_id)
    try:
        body = _body(remit, line)
        key = attempts.key(remit, request.form.get("attempt", ""), {"id": unmatched_id, **body})
        remit.payments.assign(unmatched_id, body, key)
    except (NotFound, Unavailable):
        raise
    except Refused as refused:
        if refused.code == "already_assigned":
            line = remit.payments.unmatched_one(unmatched_id)
        status = 409 if isinstance(refused, Conflict) else 422
        return _page(line, problem=refused.detail, errors=reading.beside(refused, {"amount_minor": "amount"})), status
    return edge.done("tray.show_all", "money_assigned")


@screens.post("/unmatched/forget-payer")
@screen(*STAFF)
def forget() -> ResponseReturnValue:
    """Let a payer's money wait again until somebody says whose it is."""
    edge.remit().payments.forget_payer(request.form.get("gateway", ""), request.form.get("payer_id", ""))
    return edge.done("tray.show_all", "payer_forgotten")


def _body(remit: Remit, line: dict[str, Any]) -> dict[str, Any]:
    """What is asked of payments. Raises Invalid with the field."""
    form = reading.Form(request.form)
    client_id, _, invoice_number = form.get("choice").partition(" ")
    if not client_id:
        client_id = picked(remit, form.get("client_id"), form.get("client"))["id"]
        invoice_number = form.get("invoice_number")
    body: dict[str, Any] = {"client_id": client_id}
    if invoice_number:
        body["invoice_number"] = invoice_number
    currency = str(remit.billing.business()["currency"])
    if line["currency"] != currency:
        body["amount_minor"] = form.read("amount", reading.money(currency))
    form.check("Nothing was recorded. Say what it came to.")
    if form.get("remember"):
        body["remember_payer"] = True
    return body


def _page(line: dict[str, Any], **more: Any) -> str:
    shown: dict[str, Any] = {"problem": None, "errors": {}, **more}
    return render_template("tray_line.html", line=line, form=request.form, attempt=new_id(), words=arrived, **shown)
