"""Adding a session: what a form asks for, at which moment, and what the gate says before anything is added."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from common.errors import FieldError, Invalid, Refused, Unavailable
from portal.domain import calendar, gate
from portal.domain.words import day as day_words
from portal.peers import Remit
from portal.usecases import attempts, picking, reading
from portal.usecases.reading import Form

WHICH = ("first", "second")
WEEKS_MOST = 12


@dataclass(frozen=True)
class Booking:
    """A session as a form describes it; `at` is None when its moment was not asked for, or is not clear."""

    client: dict[str, Any]
    service_id: str
    at: datetime | None
    price_minor: int | None
    weeks: int = 1

    def body(self, at: datetime) -> dict[str, Any]:
        return {
            "client_id": self.client["id"], "service_id": self.service_id, "starts_at": at.isoformat(),
            "price_minor": self.price_minor,
        }  # fmt: skip


@dataclass(frozen=True)
class Occurrence:
    """One of several weeks: the session that was added, or why none was."""

    day: date
    session: dict[str, Any] | None = None
    why_not: str = ""


def read(remit: Remit, form: Form, *, is_to_be_added: bool = True) -> Booking:
    """What the form asks for. When it is only to be checked, its moment may be missing. Raises Invalid with every
    field that is wrong."""
    business = remit.billing.business()
    client = picking.read(remit, form)
    service_id = form.read("service_id", reading.line("which service it is", 64))
    price_minor = form.read_or_none("price", reading.money(business["currency"]))
    if is_to_be_added:
        day, at = form.read("date", reading.day), form.read("time", reading.clock_time)
    else:
        day, at = form.read_or_none("date", reading.day), form.read_or_none("time", reading.clock_time)
    moment = None
    if day is not None and at is not None:
        moment = _moment(form, day, at, business["time_zone"])
    weeks = form.read_or_none("weeks", _weeks) or 1
    form.check("No session was added. Look at the fields that are marked.")
    assert client is not None
    assert service_id is not None
    return Booking(client, service_id, moment, price_minor, weeks)


def add(remit: Remit, booking: Booking, at: datetime, attempt: str) -> dict[str, Any]:
    """Add a session at a moment; the same attempt adds it once. Raises Conflict when the gate is shut."""
    body = booking.body(at)
    return remit.billing.add_session(body, attempts.key(remit, attempt, body))


def add_weekly(remit: Remit, booking: Booking, attempt: str) -> tuple[list[Occurrence], Refused | None]:
    """Add it week after week, up to the first that is refused; and that refusal. The same attempt adds each once, so
    that trying again adds what is left."""
    assert booking.at is not None
    time_zone = remit.billing.business()["time_zone"]
    found: list[Occurrence] = []
    refusal: Refused | None = None
    for week in range(booking.weeks):
        day = booking.at.date() + timedelta(weeks=week)
        moments = calendar.moments(day, booking.at.time(), time_zone)
        if not moments:
            found.append(Occurrence(day, why_not="The clocks are put forward over this time."))
        elif refusal is not None:
            found.append(Occurrence(day, why_not="Not tried, because of the one before."))
        else:
            try:
                found.append(Occurrence(day, add(remit, booking, moments[booking.at.fold % len(moments)], attempt)))
            except Refused as refused:
                refusal = refused
                unknown = "The answer did not come: it is not known whether it was added."
                found.append(
                    Occurrence(day, why_not=unknown if isinstance(refused, Unavailable) else refused.detail)
                )  # fmt: skip
    return found, refusal


def ask(
    remit: Remit, client_id: str, service_id: str, price_minor: int | None, at: datetime | None
) -> gate.Gate:  # fmt: skip
    """The gate's answer, without adding."""
    query = {"service_id": service_id, "price_minor": price_minor, "starts_at": at.isoformat() if at else None}
    answer = remit.billing.eligibility(client_id, query)
    control = remit.billing.business().get("session_control", {})
    return gate.answered(answer, prepays=bool(control.get("prepayment_required")))


def moment_or_none(remit: Remit, form: Form) -> datetime | None:
    """The form's moment as far as it is clear: for what is only looked at."""
    read = Form(form.typed)
    day, at = read.read_or_none("date", reading.day), read.read_or_none("time", reading.clock_time)
    if day is None or at is None:
        return None
    return _moment(read, day, at, remit.billing.business()["time_zone"])


def _moment(form: Form, day: date, at: time, time_zone: str) -> datetime | None:
    """The moment that is meant, on the clocks of the business."""
    if not calendar.YEARS[0] <= day.year < calendar.YEARS[1]:
        form.note("date", f"Choose a day between {calendar.YEARS[0]} and {calendar.YEARS[1]}.")
        return None
    found = calendar.moments(day, at, time_zone)
    said = day_words(day.isoformat())
    if not found:
        instead = calendar.shown_instead(day, at, time_zone)
        form.note(
            "time",
            f"On {said} the clocks are put forward, and {at:%H:%M} is skipped. Use {instead:%H:%M}, or another time.",
        )
        return None
    if len(found) == 1:
        return found[0]
    which = form.get("which")
    if which in WHICH:
        return found[WHICH.index(which)]
    form.note("which", f"On {said} the clocks are put back, and {at:%H:%M} comes twice. Say which one.")
    return None


def _weeks(typed: str) -> int:
    if not (typed.isascii() and typed.isdigit() and 1 <= int(typed[:3]) <= WEEKS_MOST):
        raise ValueError(f"Choose from 1 to {WEEKS_MOST} weeks.")
    return int(typed)


def refusal_beside(refused: Refused) -> dict[str, str]:
    """What a refusal of billing's says of the form's fields."""
    names = {"price_minor": "price", "starts_at": "date"}
    if refused.code == "service_inactive":
        refused = Invalid(refused.code, refused.detail, [FieldError("service_id", refused.detail)])
    return reading.beside(refused, names)
