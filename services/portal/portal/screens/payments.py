"""Payments: all of them, one with what can be done with it, and Add Payment."""

from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from common import clock
from common.errors import Conflict, Invalid, NotFound, Refused, Unavailable
from common.ids import new_id
from portal import edge
from portal.domain import payments as words
from portal.edge import STAFF, screen
from portal.screens.asked import SHOWN, asked
from portal.usecases import attempts, history, reading, recording
from portal.usecases.reading import Form

screens = Blueprint("payments", __name__)

# Filters that are folded away unless one of them is used.
LESS_USED = ("source", "min", "max", "invoice_number", "recorded_by", "batch_id")


@screens.get("/payments")
@screen(*STAFF)
def show_all() -> ResponseReturnValue:
    remit, form = edge.remit(), Form(request.args)
    query, client = history.read(remit, form, remit.billing.business()["currency"])
    found = None
    if not form.wrong:
        found = remit.payments.history({**query, "limit": SHOWN, "cursor": request.args.get("cursor")})
    is_first = found is not None and not request.args.get("cursor")
    page = render_template(
        "payments.html",
        found=found,
        announced=edge.piece(lambda: history.on_its_way(remit, client)) if is_first else None,
        client=client,
        typed=request.args,
        kept=asked(*history.FILTERS, "sort"),
        is_filtered=bool(asked(*history.FILTERS)),
        is_unfolded=bool(asked(*LESS_USED)),
        sort=query["sort"],
        words=words,
        errors={error.field: error.message for error in form.wrong},
    )
    return page, 422 if form.wrong else 200


@screens.get("/payments.csv")
@screen(*STAFF)
def export() -> ResponseReturnValue:
    """Exactly what the list shows, all pages of it."""
    remit, form = edge.remit(), Form(request.args)
    query, _ = history.read(remit, form, remit.billing.business()["currency"])
    form.check("The list cannot be exported like this. Go back, and look at the fields that are marked.")
    return edge.passed_on(remit.payments.csv(query))


# --- Add Payment ---


@screens.get("/payments/add")
@screen(*STAFF)
def add() -> ResponseReturnValue:
    client_id = request.args.get("client_id", "")
    return _form_to_add(request.args, edge.remit().billing.overview(client_id) if client_id else None)


@screens.get("/payments/add/client")
@screen(*STAFF)
def about_client() -> ResponseReturnValue:
    """For payment.js: what stands beside the form once a client was picked, and the invoices to choose from."""
    client_id = request.args.get("client_id", "")
    overview = edge.remit().billing.overview(client_id) if client_id else None
    return {
        "panel": render_template("_payment_client.html", overview=overview),
        "invoices": render_template("_payment_invoices.html", overview=overview, chosen=""),
    }


@screens.post("/payments/add")
@screen(*STAFF)
def take() -> ResponseReturnValue:
    remit, form = edge.remit(), Form(request.form)
    received = recording.read(remit, form)
    try:
        form.check(recording.NOT_RECORDED)
        although_alike = form.get("do") == "anyway"
        made = recording.record(remit, received, form.get("attempt"), although_alike=although_alike)
    except (Invalid, Conflict, Unavailable) as refused:
        client = received.client
        overview = edge.piece(lambda: remit.billing.overview(client["id"])) if client else None
        page = _form_to_add(form.typed, overview, refused, received)
        return page, _status_of(refused)
    return edge.done("payments.show", "payment_recorded", payment_id=made["id"])


def _form_to_add(
    typed: Any, overview: Any, refused: Refused | None = None, received: recording.Received | None = None
) -> str:  # fmt: skip
    business = edge.remit().billing.business()
    alike = refused.extra.get("duplicates", []) if refused else []
    problem = refused.detail if refused and not alike else None
    if isinstance(refused, Unavailable):
        problem = recording.UNKNOWN
    return render_template(
        "payment_add.html",
        typed=typed,
        client=received.client if received else overview["client"] if overview else None,
        overview=overview,
        currency=business["currency"],
        today=str(clock.today(business["time_zone"])),
        methods=[(method, words.METHODS[method]) for method in words.BY_HAND],
        alike=alike,
        words=words,
        problem_words=problem,
        errors=recording.beside(refused) if refused else {},
        attempt=typed.get("attempt") or new_id(),
    )


# --- one payment ---


@screens.get("/payments/<payment_id>")
@screen(*STAFF)
def show(payment_id: str) -> ResponseReturnValue:
    return _payment(payment_id)


@screens.post("/payments/<payment_id>/email")
@screen(*STAFF)
def email(payment_id: str) -> ResponseReturnValue:
    """The receipt, to the client's own address or to another one; a double click sends it once. The form says which one
    is the client's own: that one is left to be looked up when it is sent."""
    remit, form = edge.remit(), Form(request.form)
    try:
        own = request.form.get("own")
        to = form.read("to", reading.line("to which address", 254)) if form.get("to") or own == "" else None
        form.check("Nothing was sent. Look at the address.")
        if to == own:
            to = None
        key = attempts.key(remit, form.get("attempt"), {"receipt_of": payment_id, "to": to})
        remit.payments.email_receipt(payment_id, to, key)
    except (Invalid, Conflict) as refused:
        return _payment(payment_id, email=refused), _status_of(refused)
    return edge.done("payments.show", "receipt_emailed", payment_id=payment_id)


@screens.post("/payments/<payment_id>/refund")
@screen(*STAFF)
def refund(payment_id: str) -> ResponseReturnValue:
    try:
        is_done = recording.refund(edge.remit(), payment_id, Form(request.form))
    except (Invalid, Conflict, Unavailable) as refused:
        return _payment(payment_id, refund=refused), _status_of(refused)
    return edge.done("payments.show", "refund_done" if is_done else "refund_under_way", payment_id=payment_id)


@screens.get("/payments/<payment_id>/void")
@screen(*STAFF)
def ask_to_void(payment_id: str) -> ResponseReturnValue:
    """What voiding does, asked again before it is done."""
    return _void_page(payment_id)


@screens.post("/payments/<payment_id>/void")
@screen(*STAFF)
def void(payment_id: str) -> ResponseReturnValue:
    remit, form = edge.remit(), Form(request.form)
    try:
        reason = form.read("reason", reading.line("why"))
        form.check("Nothing was changed. Say why.")
        key = attempts.key(remit, form.get("attempt"), {"void": payment_id, "reason": reason})
        remit.payments.void(payment_id, str(reason), key)
    except (Invalid, Conflict) as refused:
        return _void_page(payment_id, refused), _status_of(refused)
    return edge.done("payments.show", "payment_voided", payment_id=payment_id)


def _payment(payment_id: str, *, email: Refused | None = None, refund: Refused | None = None) -> str:
    """`email` and `refund` are what was refused."""
    remit = edge.remit()
    payment = remit.payments.one(payment_id)
    is_manual = payment["gateway"] is None
    problem: str | None = None
    errors: dict[str, str] = {}
    if isinstance(refund, Unavailable):
        problem = recording.REFUND_UNKNOWN
    elif refund is not None:
        problem, errors = words.refusal(refund.code, refund.detail, payment)
        errors = errors or reading.beside(refund, {"amount_minor": "amount"})
    elif email is not None:
        problem, errors = email.detail, reading.beside(email)
    return render_template(
        "payment.html",
        payment=payment,
        in_words=words.in_words(payment),
        left_minor=words.left_minor(payment),
        can_be_voided=words.can_be_voided(payment),
        refunds=edge.piece(lambda: remit.payments.refunds(payment_id)),
        disputes=[] if is_manual else edge.piece(lambda: remit.payments.disputes(payment_id)),
        client=edge.piece(lambda: remit.billing.client(payment["client_id"])),
        words=words,
        typed=request.form,
        asks_to_refund=refund is not None,
        problem_words=problem,
        errors=errors,
        attempt=request.form.get("attempt") or new_id(),
    )


def _void_page(payment_id: str, refused: Refused | None = None) -> str:
    payment = edge.remit().payments.one(payment_id)
    if refused is None and not words.can_be_voided(payment):
        raise NotFound("not_found", "This payment cannot be voided. Its page says what can be done with it.")
    return render_template(
        "payment_void.html",
        payment=payment,
        consequences=words.consequences(payment),
        typed=request.form,
        problem_words=refused.detail if refused else None,
        errors=reading.beside(refused) if refused else {},
        attempt=request.form.get("attempt") or new_id(),
    )


def _status_of(refused: Refused) -> int:
    if isinstance(refused, Unavailable):
        return 503
    return 409 if isinstance(refused, Conflict) else 422
