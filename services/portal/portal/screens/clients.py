"""Clients: the list, adding one or many, and of one client: overview, payments, the balance explained, the statement,
and editing. What is settled about a client less often is in `client_settings`."""

from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from common.errors import Conflict, Invalid, Refused
from common.ids import new_id
from portal import edge
from portal.edge import STAFF, screen
from portal.screens.asked import NEWEST_PAYMENT, asked, file_kind
from portal.usecases import client_forms
from portal.usecases.reading import beside, detail_of

screens = Blueprint("clients", __name__)

FILE_BYTES = 4 * 1024 * 1024
LIST_FILTERS = ("q", "status", "sort")
PAYMENT_FILTERS = ("q", "method", "status", "from", "to")
ENTRY_FILTERS = ("from", "to", "sort")
STATUSES = [("active", "Active"), ("prospect", "Prospect: not yet a client"), ("inactive", "Inactive")]


@screens.get("/clients")
@screen(*STAFF)
def show_all() -> ResponseReturnValue:
    found = edge.remit().billing.balances(asked(*LIST_FILTERS, paged=True))
    return render_template("clients.html", found=found, query=asked(*LIST_FILTERS))


@screens.get("/clients.csv")
@screen(*STAFF)
def export() -> ResponseReturnValue:
    return edge.passed_on(edge.remit().billing.balances_csv(asked(*LIST_FILTERS)))


# --- adding ---


@screens.get("/clients/add")
@screen(*STAFF)
def add() -> ResponseReturnValue:
    return _form_to_add({"status": "active"})


@screens.post("/clients/add")
@screen(*STAFF)
def register() -> ResponseReturnValue:
    remit = edge.remit()
    try:
        made = client_forms.register(remit, request.form, remit.billing.business()["currency"])
    except (Invalid, Conflict) as refused:
        return _form_to_add(request.form, refused), status_of(refused)
    return edge.done("clients.show", "client_added", client_id=made["id"])


@screens.get("/clients/import")
@screen(*STAFF)
def bring() -> ResponseReturnValue:
    return render_template("clients_import.html", attempt=new_id(), refused=None)


@screens.post("/clients/import")
@edge.takes_files(FILE_BYTES)
@screen(*STAFF)
def take_file() -> ResponseReturnValue:
    """All of the file's clients, or none and what is wrong with which row."""
    given = request.files.get("file")
    content = given.read() if given is not None else b""
    try:
        client_forms.take_file(edge.remit(), content, request.form.get("attempt", ""))
    except (Invalid, Conflict) as refused:
        page = render_template("clients_import.html", attempt=new_id(), refused=refused)
        return page, status_of(refused)
    return edge.done("clients.show_all", "clients_added")


# --- one client ---


@screens.get("/clients/<client_id>")
@screen(*STAFF)
def show(client_id: str) -> ResponseReturnValue:
    return page("client.html", client_id, attempt=new_id())


@screens.get("/clients/<client_id>/edit")
@screen(*STAFF)
def edit(client_id: str) -> ResponseReturnValue:
    return page("client_edit.html", client_id, form=None, errors={}, refused_words=None, statuses=STATUSES)


@screens.post("/clients/<client_id>/edit")
@screen(*STAFF)
def save(client_id: str) -> ResponseReturnValue:
    remit = edge.remit()
    try:
        client_forms.change(remit, client_id, request.form, remit.billing.business()["currency"])
    except (Invalid, Conflict) as refused:
        said = {"errors": beside(refused, client_forms.NAMES), "refused_words": detail_of(refused)}
        return page("client_edit.html", client_id, form=request.form, statuses=STATUSES, **said), status_of(refused)
    return edge.done("clients.show", "saved", client_id=client_id)


@screens.get("/clients/<client_id>/payments")
@screen(*STAFF)
def history(client_id: str) -> ResponseReturnValue:
    """What this client paid; the icon that people know as the second one leads here."""
    query = {"sort": NEWEST_PAYMENT, **asked(*PAYMENT_FILTERS, "sort", paged=True), "client_id": client_id}
    payments = edge.piece(lambda: edge.remit().payments.history(query))
    filters, kept = asked(*PAYMENT_FILTERS), asked(*PAYMENT_FILTERS, "sort")
    return page("client_history.html", client_id, payments=payments, query=filters, kept=kept, sort=query["sort"])


@screens.get("/clients/<client_id>/payments.csv")
@screen(*STAFF)
def history_csv(client_id: str) -> ResponseReturnValue:
    edge.remit().billing.client(client_id)  # payments has a list for anybody's id, if an empty one
    query = {**asked(*PAYMENT_FILTERS, "sort"), "client_id": client_id}
    return edge.passed_on(edge.remit().payments.csv(query))


@screens.get("/clients/<client_id>/balance")
@screen(*STAFF)
def explain(client_id: str) -> ResponseReturnValue:
    """Every entry that made the balance what it is, the newest first unless told."""
    query = {"sort": "-sequence", **asked(*ENTRY_FILTERS, paged=True)}
    ledger = edge.remit().billing.ledger(client_id, query)
    return page("client_explain.html", client_id, ledger=ledger, query=asked(*ENTRY_FILTERS), sort=query["sort"])


@screens.get("/clients/<client_id>/balance.csv")
@screen(*STAFF)
def explain_csv(client_id: str) -> ResponseReturnValue:
    query = {"sort": "-sequence", **asked(*ENTRY_FILTERS)}
    return edge.passed_on(edge.remit().billing.ledger_csv(client_id, query))


@screens.get("/clients/<client_id>/statement")
@screen(*STAFF)
def statement(client_id: str) -> ResponseReturnValue:
    query = asked("from", "to")
    try:
        found, words = edge.remit().billing.statement(client_id, query), None
    except Invalid as refused:
        found, words = None, refused.detail
    shown = page("client_statement.html", client_id, statement=found, refused_words=words, query=query)
    return shown, 200 if found else 422


@screens.get("/clients/<client_id>/statement.<kind>")
@screen(*STAFF)
def statement_file(client_id: str, kind: str) -> ResponseReturnValue:
    return edge.passed_on(edge.remit().billing.statement_file(client_id, file_kind(kind), asked("from", "to")))


# --- what these pages share ---


def page(template: str, client_id: str, **shown: Any) -> str:
    """A page of one client: all have the same head."""
    return render_template(template, **edge.remit().billing.overview(client_id), **shown)


def status_of(refused: Refused) -> int:
    """Of the page that shows a refused form again."""
    return 409 if isinstance(refused, Conflict) else 422


def _form_to_add(form: Any, refused: Refused | None = None) -> str:
    errors = beside(refused, client_forms.NAMES) if refused else {}
    words = detail_of(refused) if refused else None
    return render_template(
        "client_add.html", form=form, errors=errors, refused_words=words, statuses=STATUSES, attempt=new_id()
    )
