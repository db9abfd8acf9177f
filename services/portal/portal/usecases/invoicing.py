"""Making an invoice: sessions that were ticked, lines that were typed, and what is wrong with them."""

from dataclasses import dataclass, field
from typing import Any

from werkzeug.datastructures import MultiDict

from common.errors import Refused
from portal.peers import Remit
from portal.usecases import reading
from portal.usecases.reading import Form

SESSIONS_SHOWN = 200  # as many as one call answers
LINES_MORE = 3
NOT_MADE = "No invoice was made. Look at the fields that are marked."


@dataclass(frozen=True)
class Line:
    """A line as it was typed."""

    description: str = ""
    amount: str = ""
    service_id: str = ""

    @property
    def is_blank(self) -> bool:
        return not (self.description or self.amount)


@dataclass(frozen=True)
class Wanted:
    """An invoice as a form describes it. `rows`: where in the form the lines stand that were not left blank."""

    body: dict[str, Any]
    rows: list[int] = field(default_factory=list)


def lines_of(typed: MultiDict[str, str]) -> list[Line]:
    """The lines of the form, blank ones as well; one blank one where there is none."""
    columns = (typed.getlist(name) for name in ("description", "amount", "line_service"))
    found = [Line(*(part.strip() for part in parts)) for parts in zip(*columns, strict=False)]
    return found or [Line()]


def read(typed: MultiDict[str, str], client_id: str, currency: str, *, is_draft: bool) -> Wanted:
    """What the form asks for. Raises Invalid with every field that is wrong; a line's are `<row>.description` and
    `<row>.amount`."""
    form = Form(typed)
    lines, rows = [], []
    for row, line in enumerate(lines_of(typed)):
        if line.is_blank:
            continue
        form_of_line = Form({f"{row}.description": line.description, f"{row}.amount": line.amount})
        description = form_of_line.read(f"{row}.description", reading.line("what it is for"))
        amount_minor = form_of_line.read(f"{row}.amount", reading.money(currency))
        form.wrong.extend(form_of_line.wrong)
        rows.append(row)
        lines.append(
            {"description": description, "amount_minor": amount_minor, "service_id": line.service_id or None}
        )  # fmt: skip
    session_ids = typed.getlist("session")
    if not lines and not session_ids:
        form.note("sessions", "Tick a session, or write a line: an invoice asks for something.")
    due_on = form.read_or_none("due_on", reading.day)
    form.check(NOT_MADE)
    body = {
        "client_id": client_id, "session_ids": session_ids, "lines": lines,
        "due_on": due_on.isoformat() if due_on else None, "memo": form.get("memo") or None, "draft": is_draft,
    }  # fmt: skip
    return Wanted(body, rows)


def beside(refused: Refused, rows: list[int]) -> dict[str, str]:
    """What a refusal says of the form's fields."""
    names = {"session_ids": "sessions", "lines": "sessions"}
    for number, row in enumerate(rows):
        names |= {f"lines.{number}.description": f"{row}.description", f"lines.{number}.amount_minor": f"{row}.amount"}
    found = reading.beside(refused, names)
    if "session_ids" in [error.field for error in refused.errors]:
        found["sessions"] = "One of the sessions cannot be invoiced any more. The list is as it stands now."
    return found


def sessions_to_invoice(remit: Remit, client_id: str) -> list[dict[str, Any]]:
    """The client's sessions that an invoice can still ask for, the oldest first."""
    query = {"client_id": client_id, "to_invoice": "true", "limit": SESSIONS_SHOWN}
    return list(remit.billing.sessions(query)["items"])
