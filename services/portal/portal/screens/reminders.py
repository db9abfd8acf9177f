"""Settings, Reminders: when clients are reminded of what they owe, and when invoices are due."""

from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from common import clock
from common.errors import Conflict, Invalid, Refused
from portal import edge
from portal.domain import reminding
from portal.edge import ADMINISTRATOR, screen
from portal.usecases import reading
from portal.usecases.reading import Form

screens = Blueprint("reminders", __name__)

MOST_DAYS = 365
NAMES = {
    "owed_every_days": "every", "owed_minimum_minor": "minimum", "deactivation_days_ahead": "ahead",
    "invoice_offsets_days": "after", "invoicing.invoice_due_days": "due_days", "invoice_due_days": "due_days",
}  # fmt: skip


@screens.get("/settings/reminders")
@screen(*ADMINISTRATOR)
def show() -> ResponseReturnValue:
    return _page()


@screens.post("/settings/reminders")
@screen(*ADMINISTRATOR)
def save() -> ResponseReturnValue:
    billing, form = edge.remit().billing, Form(request.form)
    try:
        billing.set_reminders(_schedule(form, billing.business()["currency"]))
    except (Invalid, Conflict) as refused:
        return _page(refused, "reminders"), 422
    return edge.done("reminders.show", "saved")


@screens.post("/settings/reminders/invoices")
@screen(*ADMINISTRATOR)
def save_invoicing() -> ResponseReturnValue:
    form = Form(request.form)
    try:
        due_days = form.read("due_days", reading.whole_number(0, MOST_DAYS))
        form.check()
        invoicing = {"invoice_due_days": due_days, "apply_credit_automatically": "apply_credit" in form.typed}
        edge.remit().billing.change_business({"invoicing": invoicing})
    except (Invalid, Conflict) as refused:
        return _page(refused, "invoicing"), 422
    return edge.done("reminders.show", "saved")


def _schedule(form: Form, currency: str) -> dict[str, Any]:
    """The schedule that the form describes. Raises Invalid."""
    before = form.read("before", reminding.days(reminding.MOST_BEFORE)) or []
    after = form.read("after", reminding.days(reminding.MOST_AFTER)) or []
    offsets = [-days for days in reversed(before)] + ([0] if "on_the_day" in form.typed else []) + after
    if len(offsets) > reminding.MOST_REMINDERS:
        form.note("after", f"At most {reminding.MOST_REMINDERS} reminders for one invoice.")
    wanted = {
        "invoice_offsets_days": offsets,
        "owed_every_days": form.read_or_none("every", reading.whole_number(1, MOST_DAYS)),
        "owed_minimum_minor": form.read("minimum", reading.money(currency)),
        "deactivation_days_ahead": form.read("ahead", reading.whole_number(1, MOST_DAYS)),
    }
    form.check()
    return wanted


def _page(refused: Refused | None = None, which: str = "") -> str:
    """`which` of the two forms was refused: it shows what was typed, the other one what is saved."""
    billing = edge.remit().billing
    business, schedule = billing.business_now(), billing.reminders()
    errors = reading.beside(refused, NAMES) if refused else {}
    today = clock.today(business["time_zone"])
    return render_template(
        "reminders.html",
        currency=business["currency"],
        invoicing=business["invoicing"],
        schedule=schedule,
        held=reminding.typed_of(schedule),
        in_words=reminding.in_words(schedule, today, business["invoicing"]["invoice_due_days"]),
        typed=request.form if which == "reminders" else None,
        typed_invoicing=request.form if which == "invoicing" else None,
        errors=errors,
        problem_words=reading.detail_of(refused) if refused else None,
        which=which,
    )
