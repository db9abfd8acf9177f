"""Balances: who owes and who has credit, how old the debts are; and runs that charge or mail those who owe."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from common.errors import Conflict, Invalid
from common.ids import new_id
from common.money import MoneyError, parse_major, to_decimal
from portal import edge
from portal.domain.runs import Kind, summary
from portal.edge import STAFF, screen
from portal.peers.asking import Query
from portal.usecases import paying, reading, runs

screens = Blueprint("balances", __name__)

SORTS = ("balance", "-balance", "name", "-name")
STATUSES = ("active", "inactive", "prospect")
AGES = {"0-30": "Up to 30 days", "31-60": "31 to 60 days", "61-90": "61 to 90 days", "over-90": "More than 90 days"}


@screens.get("/balances")
@screen(*STAFF)
def show_all() -> ResponseReturnValue:
    return _page()


@screens.get("/balances.csv")
@screen(*STAFF)
def csv() -> ResponseReturnValue:
    remit = edge.remit()
    return edge.passed_on(remit.billing.balances_csv(_filters(request.args, remit.billing.business()["currency"])))


@screens.post("/balances")
@screen(*STAFF)
def choose() -> ResponseReturnValue:
    """Whom, and what with them: makes a run, which begins on its own page. Nothing is charged or sent here."""
    remit, form, person = edge.remit(), request.form, edge.person()
    kind: Kind = "email" if form.get("what") == "email" else "charge"
    currency = remit.billing.business()["currency"]
    try:
        if form.get("whom") == "all":
            owed_minor = _all_who_owe(_filters(request.args, currency))
        else:
            owed_minor = runs.chosen(form.getlist("owing" if form.get("whom") == "page" else "client"))
        if "what" not in form:
            raise Conflict("nothing_chosen", "Choose what to do: an e-mail, or a charge.")
        if not owed_minor:
            raise Conflict("nobody_chosen", "Nobody is chosen who owes anything. Tick the clients first.")
    except (Conflict, Invalid) as refused:
        return _page(refused.detail)
    with edge.runtime().database.write() as session:
        run_id = runs.begin(session, person, kind, owed_minor, currency, form.get("attempt", ""))
    return redirect(url_for("balances.run", run_id=run_id), 303)


@screens.get("/balances/runs/<run_id>")
@screen(*STAFF)
def run(run_id: str) -> ResponseReturnValue:
    """The confirmation of a run, its progress, and what became of each client."""
    remit = edge.remit()
    with edge.runtime().database.read() as session:
        found = runs.find(session, remit.business_id, run_id)
        lines = runs.lines(session, found)
    return render_template(
        "balance_run.html",
        run=found,
        lines=lines,
        total_minor=sum(line.amount_minor for line in lines),
        currency=lines[0].currency,
        summary=summary(lines),
        left=sum(line.is_open for line in lines),
        clients=edge.piece(lambda: remit.billing.clients_of([line.client_id for line in lines])),
        takes_cards=found.kind != "charge" or paying.card_desk(remit).is_open,
    )


@screens.post("/balances/runs/<run_id>/leave")
@screen(*STAFF)
def leave(run_id: str) -> ResponseReturnValue:
    """Leave out the rest of a run."""
    with edge.runtime().database.write() as session:
        runs.leave(session, runs.find(session, edge.remit().business_id, run_id))
    return edge.done("balances.run", "rest_left_out", run_id=run_id)


@screens.post("/balances/runs/<run_id>/<client_id>")
@screen(*STAFF)
def step(run_id: str, client_id: str) -> ResponseReturnValue:
    """One client of a run. For run.js; without it, a button of the page."""
    remit, database = edge.remit(), edge.runtime().database
    line = runs.step(remit, database, run_id, client_id)
    if not edge.wants_json():
        return redirect(url_for("balances.run", run_id=run_id), 303)
    with database.read() as session:
        lines = runs.lines(session, runs.find(session, remit.business_id, run_id))
    return {
        "state": line.state,
        "tone": line.tone,
        "word": line.word,
        "detail": line.detail,
        "is_open": line.is_open,
        "summary": summary(lines),
    }


def _page(problem: str | None = None) -> ResponseReturnValue:
    remit, args = edge.remit(), request.args
    currency = remit.billing.business()["currency"]
    wrong: dict[str, str] = {}
    found: dict[str, Any] | None = None
    try:
        found = remit.billing.balances({**_filters(args, currency), "cursor": args.get("cursor")})
    except Invalid as refused:
        problem, wrong = refused.detail, reading.beside(refused)
    with edge.runtime().database.read() as session:
        unfinished = runs.unfinished(session, remit.business_id)
    page = render_template(
        "balances.html",
        found=found,
        ageing=edge.piece(lambda: _ages(remit.billing.ageing())),
        unfinished=unfinished,
        sort=_sort(args),
        args=args,
        currency=currency,
        said_wrong=problem,
        wrong=wrong,
        ticked=set(request.form.getlist("client")),
        most=runs.MOST_CLIENTS,
        attempt=new_id(),
    )
    return page, 422 if problem else 200


def _filters(args: Mapping[str, str], currency: str) -> Query:
    """The API's filters. Raises Invalid when an amount is none."""
    form = reading.Form(args)
    below_minor = form.read_or_none("below", _balance_in(currency))
    above_minor = form.read_or_none("above", _balance_in(currency))
    form.check("Look at the amounts that are marked.")
    if args.get("who") == "owes":
        below_minor = min(below_minor or 0, 0)
    if args.get("who") == "credit":
        above_minor = max(above_minor or 0, 0)
    status = args.get("status")
    return {
        "q": args.get("q", "").strip()[:200],
        "status": status if status in STATUSES else None,
        "below_minor": below_minor,
        "above_minor": above_minor,
        "sort": _sort(args),
    }


def _balance_in(currency: str) -> Callable[[str], int]:
    """Reads a balance in major units, which is below zero when it is owed."""

    def parse(words: str) -> int:
        try:
            return parse_major(words.replace("$", "").replace("\N{MINUS SIGN}", "-").strip(), currency)
        except MoneyError:
            example = to_decimal(5000, currency)
            raise ValueError(f"Write it as {example} or, for what is owed, as -{example}.") from None

    return parse


def _sort(args: Mapping[str, str]) -> str:
    sort = args.get("sort", "")
    return sort if sort in SORTS else "balance"


def _all_who_owe(filters: Query) -> dict[str, int]:
    """Client id → what they owe, of those whom the filters find, who owes most first, as many as one run takes."""
    below_minor = filters["below_minor"]
    most = {"below_minor": 0 if below_minor is None else min(below_minor, 0), "sort": "balance"}
    found = edge.remit().billing.balances({**filters, **most, "limit": runs.MOST_CLIENTS})
    return {line["client_id"]: -line["balance_minor"] for line in found["items"]}


def _ages(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "buckets": [{**bucket, "label": AGES[bucket["days"]]} for bucket in found["buckets"]]}
