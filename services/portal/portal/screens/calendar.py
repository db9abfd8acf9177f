"""The calendar: sessions by week, day or month, adding one through the pre-pay gate, and what became of one."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from common import clock
from common.errors import Conflict, Invalid, NotFound, Refused
from common.ids import new_id
from common.money import describe_balance
from portal import edge
from portal.domain import calendar, gate
from portal.edge import STAFF, screen
from portal.peers import Remit
from portal.usecases import booking, reading
from portal.usecases.picking import filtered
from portal.usecases.reading import Form

screens = Blueprint("calendar", __name__)

SESSIONS_SHOWN = SERVICES_OFFERED = 200  # as many as one call answers
STATUSES = ("scheduled", "completed", "missed", "cancelled")
OUTCOMES = {"complete": "session_completed", "miss": "session_missed", "cancel": "session_cancelled"}
KEPT = ("view", "from", "client_id", "service_id", "status")


@screens.get("/calendar")
@screen(*STAFF)
def show() -> ResponseReturnValue:
    return _calendar(request.args)


@screens.get("/calendar.csv")
@screen(*STAFF)
def export() -> ResponseReturnValue:
    remit = edge.remit()
    client = filtered(remit, request.args.get("client_id", ""), request.args.get("client", ""))
    query = _query(_pages(remit, request.args), client, request.args)
    return edge.passed_on(remit.billing.sessions_csv(query))


@screens.get("/calendar/add")
@screen(*STAFF)
def add() -> ResponseReturnValue:
    remit, typed = edge.remit(), request.args
    client = filtered(remit, typed.get("client_id", ""), typed.get("client", ""))
    answer = None
    if client is not None and typed.get("service_id"):
        answer = booking.ask(remit, client["id"], typed["service_id"], None, None)
    return _form(typed, client=client, answer=answer)


@screens.post("/calendar/add")
@screen(*STAFF)
def take() -> ResponseReturnValue:
    """Add the session, or without scripts say whether it could be."""
    remit, form = edge.remit(), Form(request.form)
    is_check = form.get("do") == "check"
    client = None
    try:
        wanted = booking.read(remit, form, is_to_be_added=not is_check)
        client = wanted.client
        if is_check:
            answer = booking.ask(remit, client["id"], wanted.service_id, wanted.price_minor, wanted.at)
            return _form(form.typed, client=client, answer=answer)
        if wanted.weeks > 1:
            return _weekly(form, wanted)
        assert wanted.at is not None  # it was read to be added
        added = booking.add(remit, wanted, wanted.at, form.get("attempt"))
    except (Invalid, Conflict) as refused:
        shut = gate.refused(refused)
        words = shut.refusal if shut else reading.detail_of(refused)
        errors = booking.refusal_beside(refused)
        page = _form(form.typed, client=client, answer=shut, problem=words, errors=errors)
        return page, 409 if isinstance(refused, Conflict) else 422
    return edge.done("calendar.one", "session_added", session_id=added["id"])


@screens.get("/calendar/gate")
@screen(*STAFF)
def ask() -> ResponseReturnValue:
    """For gate.js: the panel beside the form, as the page itself would show it."""
    form = Form(request.args)
    client_id, service_id = form.get("client_id"), form.get("service_id")
    remit = edge.remit()
    price_minor = form.read_or_none("price", reading.money(remit.billing.business()["currency"]))
    answer = None
    if client_id and service_id and not form.wrong:
        answer = booking.ask(remit, client_id, service_id, price_minor, booking.moment_or_none(remit, form))
    words = form.wrong[0].message if form.wrong else None
    panel = render_template("_gate.html", answer=answer, client={"id": client_id}, words=words)
    return {"panel": panel, "eligible": answer is not None and answer.tone == "good"}


@screens.get("/calendar/sessions/<session_id>")
@screen(*STAFF)
def one(session_id: str) -> ResponseReturnValue:
    return _session(session_id)


@screens.post("/calendar/sessions/<session_id>/<how>")
@screen(*STAFF)
def settle(session_id: str, how: str) -> ResponseReturnValue:
    """Complete, miss or cancel; from the calendar, back to where one was in it."""
    if how not in OUTCOMES:
        raise NotFound("not_found", "There is no such page.")
    try:
        edge.remit().billing.settle_session(session_id, how)
    except Conflict as refused:
        return _session(session_id, problem=refused), 409
    if request.form.get("back") == "calendar":
        kept = {name: request.form[name] for name in KEPT if request.form.get(name)}
        return edge.done("calendar.show", OUTCOMES[how], **kept)
    return edge.done("calendar.one", OUTCOMES[how], session_id=session_id)


def _weekly(form: Form, wanted: booking.Booking) -> str:
    """Add several, and list what became of each. Raises what the first was refused with."""
    found, refusal = booking.add_weekly(edge.remit(), wanted, form.get("attempt"))
    if refusal is not None and found[0].session is None:
        raise refusal
    return render_template(
        "sessions_added.html",
        occurrences=found,
        client=wanted.client,
        answer=gate.refused(refusal) if refusal else None,
        can_try_again=refusal is not None,
        typed=form.typed,
        time_zone=edge.remit().billing.business()["time_zone"],
    )


def _calendar(typed: Mapping[str, str]) -> ResponseReturnValue:
    remit = edge.remit()
    business = remit.billing.business()
    pages = _pages(remit, typed)
    client, errors = None, {}
    try:
        client = filtered(remit, typed.get("client_id", ""), typed.get("client", ""))
    except Invalid as wrong:
        errors = reading.beside(wrong)
    query = _query(pages, client, typed)
    found = remit.billing.sessions({**query, "limit": SESSIONS_SHOWN, "cursor": typed.get("cursor")})
    is_all = not found["next_cursor"] and not typed.get("cursor")
    page = render_template(
        "calendar.html",
        pages=pages,
        views=calendar.VIEWS,
        days=calendar.by_day(pages, found["items"], business["time_zone"], clock.now(), with_empty=is_all),
        is_all=is_all,
        next_cursor=found["next_cursor"],
        today=clock.today(business["time_zone"]),
        client=client,
        services=edge.piece(lambda: _services(remit)),
        statuses=STATUSES,
        typed=typed,
        kept={"view": pages.view, "from": pages.first.isoformat(), **_filters(client, typed)},
        errors=errors,
    )
    return (page, 422) if errors else page


def _pages(remit: Remit, typed: Mapping[str, str]) -> calendar.Pages:
    """The days to show; today's when the address names none."""
    today = clock.today(remit.billing.business()["time_zone"])
    view: calendar.View = next((view for view in calendar.VIEWS if view == typed.get("view")), "week")
    day = calendar.day_named(typed.get("from") or typed.get("week") or "") or today
    try:
        return calendar.pages_of(view, day)
    except ValueError:
        return calendar.pages_of(view, today)


def _filters(client: dict[str, Any] | None, typed: Mapping[str, str]) -> dict[str, Any]:
    status = typed.get("status")
    return {
        "client_id": client["id"] if client else None,
        "service_id": typed.get("service_id"),
        "status": status if status in STATUSES else None,
    }


def _query(pages: calendar.Pages, client: dict[str, Any] | None, typed: Mapping[str, str]) -> dict[str, Any]:
    days: dict[str, date] = {"from": pages.first, "to": pages.last}
    return {**{name: day.isoformat() for name, day in days.items()}, **_filters(client, typed)}


def _form(
    typed: Mapping[str, str], *, client: dict[str, Any] | None, answer: gate.Gate | None, problem: str | None = None,
    errors: dict[str, str] | None = None,
) -> str:  # fmt: skip
    remit = edge.remit()
    services = [service for service in _services(remit) if service["active"]]
    return render_template(
        "session_add.html",
        typed=typed,
        client=client,
        services=services,
        answer=answer,
        problem=problem,
        errors=errors or {},
        weeks_most=booking.WEEKS_MOST,
        attempt=typed.get("attempt") or new_id(),
    )


def _services(remit: Remit) -> list[dict[str, Any]]:
    return list(remit.billing.services({"limit": SERVICES_OFFERED})["items"])


def _session(session_id: str, problem: Refused | None = None) -> str:
    remit = edge.remit()
    found = remit.billing.session(session_id)
    times = calendar.times_of(found, remit.billing.business()["time_zone"])
    overview = edge.piece(lambda: remit.billing.overview(found["client_id"]))
    after_charge = None
    if not isinstance(overview, edge.Missing):
        after_charge = describe_balance(
            overview["balance"]["balance_minor"] - found["price_minor"], found["currency"]
        )  # fmt: skip
    return render_template(
        "session.html",
        session=found,
        times=times,
        has_begun=times[0] <= clock.now(),
        next_week=times[0].date() + timedelta(weeks=1),
        overview=overview,
        after_charge=after_charge,
        problem=problem,
    )
