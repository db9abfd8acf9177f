"""Invoices: the list, making one from sessions and lines, and what is done with one."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from common.errors import Conflict, Invalid, NotFound, Refused
from common.ids import new_id
from portal import edge
from portal.domain import invoices as words
from portal.edge import CLIENT, STAFF, screen
from portal.peers import Remit
from portal.usecases import attempts, invoicing, reading
from portal.usecases.picking import filtered, picked
from portal.usecases.reading import Form

screens = Blueprint("invoices", __name__)

STATUSES = ("pending", "overdue", "paid", "draft", "void")
SORTS = ("made", "-made", "due", "-due", "total", "-total")
SERVICES_OFFERED = 200


@screens.get("/invoices")
@screen(*STAFF)
def show_all() -> ResponseReturnValue:
    remit, typed = edge.remit(), request.args
    client, errors = None, {}
    try:
        client = filtered(remit, typed.get("client_id", ""), typed.get("client", ""))
    except Invalid as wrong:
        errors = reading.beside(wrong)
    found = remit.billing.invoices({**_query(client, typed), "cursor": typed.get("cursor")})
    page = render_template(
        "invoices.html",
        invoices=found["items"],
        next_cursor=found["next_cursor"],
        client=client,
        statuses=STATUSES,
        typed=typed,
        sort=_sort(typed) or "-made",
        errors=errors,
    )
    return (page, 422) if errors else page


@screens.get("/invoices.csv")
@screen(*STAFF)
def export() -> ResponseReturnValue:
    remit, typed = edge.remit(), request.args
    client = filtered(remit, typed.get("client_id", ""), typed.get("client", ""))
    return edge.passed_on(remit.billing.invoices_csv(_query(client, typed)))


@screens.get("/invoices/add")
@screen(*STAFF)
def add() -> ResponseReturnValue:
    """First whom it is for; then what it asks for."""
    remit, typed = edge.remit(), request.args
    if "client" not in typed and not typed.get("client_id"):
        return render_template("invoice_client.html", typed=typed, errors={}, problem=None)
    try:
        client = picked(remit, typed.get("client_id", ""), typed.get("client", ""))
    except Invalid as wrong:
        page = render_template("invoice_client.html", typed=typed, errors=reading.beside(wrong), problem=None)
        return page, 422
    if "client" in typed:
        return redirect(url_for("invoices.add", client_id=client["id"]), 303)
    return _form(client, MultiDict())


@screens.post("/invoices/add")
@screen(*STAFF)
def take() -> ResponseReturnValue:
    remit, typed = edge.remit(), request.form
    client = remit.billing.client(typed.get("client_id", ""))
    if typed.get("do") == "more":
        return _form(client, typed, more=invoicing.LINES_MORE)
    is_draft = typed.get("do") == "draft"
    rows: list[int] = []
    try:
        wanted = invoicing.read(typed, client["id"], remit.billing.business()["currency"], is_draft=is_draft)
        rows = wanted.rows
        made = remit.billing.make_invoice(wanted.body, attempts.key(remit, typed.get("attempt", ""), wanted.body))
    except (Invalid, Conflict) as refused:
        errors = invoicing.beside(refused, rows)
        problem = invoicing.NOT_MADE if errors else refused.detail
        return _form(client, typed, problem=problem, errors=errors), 422
    return edge.done("invoices.show", "draft_made" if is_draft else "invoice_issued", reference=reference_of(made))


@screens.get("/invoices/<reference>")
@screen(*STAFF)
def show(reference: str) -> ResponseReturnValue:
    return _invoice(reference)


@screens.get("/invoices/<reference>.pdf")
@screen(*CLIENT, *STAFF)
def pdf(reference: str) -> ResponseReturnValue:
    return edge.passed_on(edge.remit().billing.invoice_pdf(reference))


@screens.post("/invoices/<reference>/issue")
@screen(*STAFF)
def issue(reference: str) -> ResponseReturnValue:
    try:
        issued = edge.remit().billing.act_on_invoice(reference, "issue")
    except Conflict as refused:
        return _invoice(reference, refused), 409
    return edge.done("invoices.show", "invoice_issued", reference=reference_of(issued))


@screens.post("/invoices/<reference>/email")
@screen(*STAFF)
def email(reference: str) -> ResponseReturnValue:
    """A double click sends it once."""
    remit = edge.remit()
    key = attempts.key(remit, request.form.get("attempt", ""), {"email": reference})
    try:
        remit.billing.act_on_invoice(reference, "email", key=key)
    except Conflict as refused:
        return _invoice(reference, refused), 409
    return edge.done("invoices.show", "invoice_emailed", reference=reference)


@screens.get("/invoices/<reference>/void")
@screen(*STAFF)
def ask_to_void(reference: str) -> ResponseReturnValue:
    """What voiding does, asked again before it is done."""
    return _void_page(reference)


@screens.post("/invoices/<reference>/void")
@screen(*STAFF)
def void(reference: str) -> ResponseReturnValue:
    remit, form = edge.remit(), Form(request.form)
    try:
        reason = form.read("reason", reading.line("why"))
        form.check("Nothing was changed. Say why.")
        voided = remit.billing.act_on_invoice(reference, "void", {"reason": reason})
    except (Invalid, Conflict) as refused:
        return _void_page(reference, form.typed, refused), 409 if isinstance(refused, Conflict) else 422
    if voided["number"] is None:
        return edge.done("invoices.show_all", "draft_thrown_away")
    return edge.done("invoices.show", "invoice_voided", reference=reference_of(voided))


@screens.post("/invoices/<reference>/credit")
@screen(*STAFF)
def apply_credit(reference: str) -> ResponseReturnValue:
    """Set some of the client's credit against the invoice."""
    remit, form = edge.remit(), Form(request.form)
    invoice = remit.billing.invoice(reference)
    if invoice["number"] is None:
        raise NotFound("not_found", "There is no such invoice.")
    try:
        amount_minor = form.read("amount", reading.money(invoice["currency"]))
        form.check()
        wanted = {"invoice_number": invoice["number"], "amount_minor": amount_minor}
        key = attempts.key(remit, form.get("attempt"), wanted)
        remit.billing.allocate(invoice["client_id"], [wanted], key)
    except (Invalid, Conflict) as refused:
        return _invoice(reference, refused), 422
    return edge.done("invoices.show", "credit_applied", reference=reference_of(invoice))


def reference_of(invoice: dict[str, Any]) -> str:
    """What stands in an invoice's address: its number; a draft has none yet."""
    return str(invoice["number"] or invoice["id"])


def _query(client: dict[str, Any] | None, typed: Mapping[str, str]) -> dict[str, Any]:
    status = typed.get("status", "")
    return {
        "client_id": client["id"] if client else None,
        "status": status if status in STATUSES and status != "overdue" else None,
        "overdue": "true" if status == "overdue" else None,
        "sort": _sort(typed),
    }


def _sort(typed: Mapping[str, str]) -> str | None:
    return next((sort for sort in SORTS if sort == typed.get("sort")), None)


def _form(
    client: dict[str, Any], typed: MultiDict[str, str], *, more: int = 0, problem: str | None = None,
    errors: dict[str, str] | None = None,
) -> str:  # fmt: skip
    remit = edge.remit()
    return render_template(
        "invoice_add.html",
        client=client,
        typed=typed,
        sessions=invoicing.sessions_to_invoice(remit, client["id"]),
        is_cut_at=invoicing.SESSIONS_SHOWN,
        services=edge.piece(lambda: _services(remit)),
        lines=[*invoicing.lines_of(typed), *[invoicing.Line()] * more],
        ticked=typed.getlist("session"),
        problem=problem,
        errors=errors or {},
        attempt=typed.get("attempt") or new_id(),
    )


def _services(remit: Remit) -> list[dict[str, Any]]:
    return list(remit.billing.services({"active": "true", "limit": SERVICES_OFFERED})["items"])


def _invoice(reference: str, refused: Refused | None = None) -> str:
    remit = edge.remit()
    invoice = remit.billing.invoice(reference)
    is_open = invoice["status"] == "pending"
    return render_template(
        "invoice.html",
        invoice=invoice,
        reference=reference_of(invoice),
        in_words=words.in_words(invoice),
        overview=edge.piece(lambda: remit.billing.overview(invoice["client_id"])),
        credit=edge.piece(lambda: remit.billing.credit(invoice["client_id"])) if is_open else None,
        problem=refused.detail if refused else None,
        errors=reading.beside(refused, {"amount_minor": "amount", "allocations": "amount"}) if refused else {},
        typed=request.form,
        attempt=request.form.get("attempt") or new_id(),
    )


def _void_page(reference: str, typed: Mapping[str, str] | None = None, refused: Refused | None = None) -> str:
    invoice = edge.remit().billing.invoice(reference)
    return render_template(
        "invoice_void.html",
        invoice=invoice,
        reference=reference_of(invoice),
        consequences=words.consequences(invoice),
        typed=typed or {},
        problem=refused.detail if refused else None,
        errors=reading.beside(refused) if refused else {},
    )
