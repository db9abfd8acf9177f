"""Add Payments: a grid that takes what a spreadsheet holds, checked as it is filled, recorded at once; and its undoing.
With a script the grid asks for JSON; without one the same checks make a page."""

import json
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from common import clock
from common.errors import Conflict, Invalid, Refused, Unavailable
from common.ids import new_id
from portal import edge
from portal.domain import sheet
from portal.domain.words import plain
from portal.edge import STAFF, screen, takes_files
from portal.usecases import many

screens = Blueprint("many", __name__)

MAX_BYTES = 4 * 1024 * 1024
ROWS_SHOWN = 200
ROWS_AT_FIRST = 8


@screens.get("/payments/add-many")
@screen(*STAFF)
def show() -> ResponseReturnValue:
    today = clock.today(edge.remit().billing.business()["time_zone"]).isoformat()
    return _page(many.Asked([], received_on=today), attempt=new_id())


@screens.post("/payments/add-many/read")
@screen(*STAFF)
@takes_files(MAX_BYTES)
def read() -> ResponseReturnValue:
    """For many.js: pasted text, or a file, as rows of the grid."""
    currency = str(edge.remit().billing.business()["currency"])
    column = request.form.get("column", 0, type=int)
    found = sheet.read(_text("file") or _text("pasted"), currency, min(max(column, 0), len(sheet.COLUMNS) - 1))
    return {"rows": found.rows, "has_header": found.has_header, "left_out": found.left_out}


@screens.post("/payments/add-many/check")
@screen(*STAFF)
@takes_files(MAX_BYTES)
def check() -> ResponseReturnValue:
    """What would become of the rows; records nothing."""
    asked = _asked()
    found = many.check(edge.remit(), asked)
    if edge.wants_json():
        return found
    return _page(asked, found=found, attempt=request.form.get("attempt", ""))


@screens.post("/payments/add-many")
@screen(*STAFF)
@takes_files(MAX_BYTES)
def record() -> ResponseReturnValue:
    remit, asked, attempt = edge.remit(), _asked(), request.form.get("attempt", "")
    try:
        batch_id = many.record(remit, asked, attempt)
    except Unavailable:
        words = "It is not known whether they were recorded. Record again: it finds out, and cannot record them twice."
        if edge.wants_json():
            return {"detail": words}, 503
        return _page(asked, problem=words, attempt=attempt), 503
    except Refused as refused:
        status = 409 if isinstance(refused, Conflict) else 422
        found = many.check(remit, asked)
        words = refused.detail
        if refused.code == "total_mismatch" and any(row["tone"] == "bad" for row in found["rows"]):
            words += " Some rows are wrong as well; they are marked."
        if edge.wants_json():
            return {**found, "detail": words}, status
        return _page(asked, found=found, problem=words, attempt=attempt), status
    if edge.wants_json():
        return {"go_to": url_for("many.result", batch_id=batch_id, said="payments_recorded")}
    return edge.done("many.result", "payments_recorded", batch_id=batch_id)


@screens.get("/payments/add-many/<batch_id>")
@screen(*STAFF)
def result(batch_id: str) -> ResponseReturnValue:
    """What was recorded together, with the way back."""
    return render_template("many_done.html", batch=edge.remit().payments.batch(batch_id))


@screens.post("/payments/add-many/<batch_id>/undo")
@screen(*STAFF)
def undo(batch_id: str) -> ResponseReturnValue:
    edge.remit().payments.undo_batch(batch_id)
    return edge.done("many.result", "payments_undone", batch_id=batch_id)


def _asked() -> many.Asked:
    form = request.form
    return many.Asked(
        _rows(), form.get("method", ""), form.get("received_on", ""), form.get("deposit", ""),
        allow_duplicates="allow_duplicates" in form,
    )  # fmt: skip


def _rows() -> list[sheet.Row]:
    """The grid's rows, as many.js sends them; else what was pasted, and after it what stands in a file."""
    sent = _text("rows")
    if sent:
        rows = _cells(sent)
    else:
        currency = str(edge.remit().billing.business()["currency"])
        rows = [row for name in ("pasted", "file") for row in sheet.read(_text(name), currency).rows]
    if len(rows) > sheet.MAX_ROWS:
        raise Invalid(
            "too_many_rows", f"At most {sheet.MAX_ROWS:,} payments at once. Split the list, and send the parts."
        )
    return rows


def _cells(sent: str) -> list[sheet.Row]:
    try:
        rows = json.loads(sent)
    except ValueError:
        rows = None
    if not isinstance(rows, list) or not all(_is_row(row) for row in rows):
        raise Invalid("rows_unreadable", "The rows could not be read. Open the page again and repeat it.")
    return rows


def _is_row(row: Any) -> bool:
    return isinstance(row, list) and len(row) == len(sheet.COLUMNS) and all(isinstance(cell, str) for cell in row)


def _text(name: str) -> str:
    """A field's text, whether it was typed or comes as a file."""
    held = request.files.get(name)
    return sheet.decode(held.read()) if held is not None else request.form.get(name, "")


def _page(asked: many.Asked, attempt: str, **more: Any) -> str:
    shown: dict[str, Any] = {"found": None, "problem": None, **more}
    return render_template(
        "many.html",
        asked=asked,
        attempt=attempt,
        pasted=sheet.as_text(asked.rows) if asked.rows else "",
        columns=sheet.LABELS,
        ways=[("", "Each row says how"), *((way, plain(way).capitalize()) for way in sheet.METHODS)],
        rows_at_first=ROWS_AT_FIRST,
        rows_shown=ROWS_SHOWN,
        **shown,
    )
