"""The catalogue of services: what can be booked, at which price, for how long."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from common.errors import Conflict, FieldError, Invalid
from common.ids import new_id
from portal import edge
from portal.edge import ADMINISTRATOR, screen
from portal.usecases import attempts, reading
from portal.usecases.reading import Form

screens = Blueprint("catalog", __name__)

NAMES = {"price_minor": "price", "duration_minutes": "minutes"}
MAX_MINUTES = 24 * 60
SORTS = ("name", "-name", "price", "-price", "minutes", "-minutes")
WHICH = {"all": None, "": "true", "off": "false"}


@screens.get("/services")
@screen(*ADMINISTRATOR)
def show_all() -> ResponseReturnValue:
    typed = request.args
    found = edge.remit().billing.services({**_query(typed), "cursor": typed.get("cursor")})
    sort = _sort(typed) or "name"
    return render_template(
        "catalog.html", services=found["items"], next_cursor=found["next_cursor"], typed=typed, sort=sort
    )


@screens.get("/services.csv")
@screen(*ADMINISTRATOR)
def export() -> ResponseReturnValue:
    return edge.passed_on(edge.remit().billing.services_csv(_query(request.args)))


@screens.get("/services/add")
@screen(*ADMINISTRATOR)
def add() -> ResponseReturnValue:
    return _form(None, {})


@screens.post("/services/add")
@screen(*ADMINISTRATOR)
def take() -> ResponseReturnValue:
    remit, form = edge.remit(), Form(request.form)
    try:
        body = _read(form)
        remit.billing.add_service(body, attempts.key(remit, form.get("attempt"), body))
    except (Invalid, Conflict) as refused:
        return _form(None, form.typed, refused), 409 if isinstance(refused, Conflict) else 422
    return edge.done("catalog.show_all", "service_added")


@screens.get("/services/<service_id>")
@screen(*ADMINISTRATOR)
def show(service_id: str) -> ResponseReturnValue:
    return _form(edge.remit().billing.service(service_id), {})


@screens.post("/services/<service_id>")
@screen(*ADMINISTRATOR)
def change(service_id: str) -> ResponseReturnValue:
    remit, form = edge.remit(), Form(request.form)
    try:
        remit.billing.change_service(service_id, {**_read(form), "active": "active" in form.typed})
    except (Invalid, Conflict) as refused:
        page = _form(remit.billing.service(service_id), form.typed, refused)
        return page, 409 if isinstance(refused, Conflict) else 422
    return edge.done("catalog.show_all", "service_changed", show=request.args.get("show"))


def _query(typed: Mapping[str, str]) -> dict[str, Any]:
    return {"active": WHICH.get(typed.get("show", ""), "true"), "q": typed.get("q", "")[:200], "sort": _sort(typed)}


def _sort(typed: Mapping[str, str]) -> str | None:
    return next((sort for sort in SORTS if sort == typed.get("sort")), None)


def _read(form: Form) -> dict[str, Any]:
    currency = edge.remit().billing.business()["currency"]
    body = {
        "name": form.read("name", reading.line("what it is called")),
        "price_minor": form.read("price", reading.money(currency)),
        "duration_minutes": form.read("minutes", _minutes),
    }
    form.check()
    return body


def _minutes(typed: str) -> int:
    if not (typed.isascii() and typed.isdigit() and 1 <= int(typed[:6]) <= MAX_MINUTES):
        raise ValueError(f"Say how many minutes it takes: a whole number from 1 to {MAX_MINUTES}.")
    return int(typed)


def _form(
    service: dict[str, Any] | None, typed: Mapping[str, str], refused: Invalid | Conflict | None = None
) -> str:  # fmt: skip
    """The form of a service, or of a new one; with what was typed when that was refused."""
    problem, errors = None, {}
    if refused is not None:
        problem = reading.detail_of(refused)
        if refused.code == "service_name_taken":
            refused.errors = [FieldError("name", refused.detail)]
        errors = reading.beside(refused, NAMES)
    return render_template(
        "service.html",
        service=service,
        typed=typed,
        problem=problem,
        errors=errors,
        attempt=typed.get("attempt") or new_id(),
    )
