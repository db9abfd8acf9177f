"""Settings, Session Control: whether sessions must be paid ahead, and how much of it."""

from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from common.errors import Conflict, Invalid, Refused
from portal import edge
from portal.domain import prepaying
from portal.edge import ADMINISTRATOR, screen
from portal.usecases import reading
from portal.usecases.reading import Form

screens = Blueprint("session_control", __name__)

NAMES = {"session_control.threshold_minor": "threshold", "threshold_minor": "threshold"}


@screens.get("/settings/session-control")
@screen(*ADMINISTRATOR)
def show() -> ResponseReturnValue:
    business = edge.remit().billing.business_now()
    return _page(business["session_control"], business["currency"])


@screens.post("/settings/session-control")
@screen(*ADMINISTRATOR)
def save() -> ResponseReturnValue:
    billing = edge.remit().billing
    currency = billing.business()["currency"]
    form = Form(request.form)
    wanted = _read(form, currency)
    try:
        form.check()
        billing.change_business({"session_control": wanted})
    except (Invalid, Conflict) as refused:
        return _page(wanted, currency, refused), 422
    return edge.done("session_control.show", "saved")


@screens.post("/settings/session-control/example")
@screen(*ADMINISTRATOR)
def show_example() -> ResponseReturnValue:
    """What the rule means that the form describes, before it is saved."""
    currency = edge.remit().billing.business()["currency"]
    form = Form(request.form)
    wanted = _read(form, currency)
    if edge.wants_json():
        return {"panel": render_template("_example.html", example=_example(wanted, currency))}
    return _page(wanted, currency)


def _read(form: Form, currency: str) -> dict[str, Any]:
    """What the form says; a threshold that is wrong is noted, and None."""
    return {
        "prepayment_required": "prepayment_required" in form.typed,
        "threshold_minor": form.read("threshold", reading.no_less_than_nothing(currency)),
        "reserve_scheduled": "reserve_scheduled" in form.typed,
    }


def _example(control: dict[str, Any], currency: str) -> list[str]:
    if control["threshold_minor"] is None:
        return ["Type the threshold as an amount, such as 30.00, and here stands what it means."]
    is_on, is_reserving = control["prepayment_required"], control["reserve_scheduled"]
    return prepaying.example(is_on, control["threshold_minor"], is_reserving, currency)


def _page(control: dict[str, Any], currency: str, refused: Refused | None = None) -> str:
    return render_template(
        "session_control.html",
        control=control,
        currency=currency,
        typed_threshold=request.form.get("threshold", "") if request.method == "POST" else None,
        example=_example(control, currency),
        errors=reading.beside(refused, NAMES) if refused else {},
        problem_words=reading.detail_of(refused) if refused else None,
    )
