"""Team members: who signs in, as what, and who no longer does. Administrators only, except for inviting a client."""

from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from common.errors import Conflict, Invalid, Refused, Unavailable
from common.ids import new_id
from common.text import clean_line
from common.web import csv
from common.web.fields import check_email
from portal import edge
from portal.domain.said import SAID
from portal.edge import ADMINISTRATOR, STAFF, runtime, screen
from portal.usecases import inviting, team
from portal.usecases.reading import Form, beside, line

screens = Blueprint("team", __name__)

COLUMNS = ("name", "email", "role", "status", "operator", "last_seen")
WHO_WORDS = (
    ("team", "Team members"), ("administrator", "Administrators"), ("staff", "Staff"), ("client", "Clients"),
)  # fmt: skip
ROLE_CHOICES = (
    ("staff", "Staff: clients, payments, calendar, invoices, reports"),
    ("administrator", "Administrator: all of that, and settings, keys and the team"),
)
STATUS_CHOICES = (("", "All"), ("active", "Active"), ("invited", "Invited"), ("disabled", "Disabled"))


@screens.get("/settings/team")
@screen(*ADMINISTRATOR)
def show_all() -> ResponseReturnValue:
    return _list()


@screens.get("/settings/team.csv")
@screen(*ADMINISTRATOR)
def export() -> ResponseReturnValue:
    filters = _filters()
    with runtime().database.read() as session:
        rows = [
            [row["name"], row["email"], row["role"], row["status"], "yes" if row["is_operator"] else "", row["seen_at"]]
            for row in team.every(session, filters)
        ]
    return csv.stream(COLUMNS, rows, "team.csv")


@screens.post("/settings/team")
@screen(*ADMINISTRATOR)
def invite() -> ResponseReturnValue:
    form = Form(request.form)
    name, email = form.read("name", _name), form.read("email", _address)
    role = form.get("role")
    if role not in team.TEAM_ROLES:
        form.note("role", "Choose what they may do.")
    try:
        form.check("Nobody was invited. Look at the fields that are marked.")
        assert name is not None  # what could not be read was refused
        assert email is not None
        inviting.invite_member(runtime(), edge.remit(), role, email, name, form.get("attempt"))
    except (Conflict, Invalid) as refused:
        status = 409 if isinstance(refused, Conflict) else 422
        return _list(refused.detail, beside(refused), form.typed), status
    except Unavailable as away:  # the person is in the list, which says how to go on
        return _list(away.detail), 503
    return edge.done("team.show_all", "team_invited")


@screens.get("/settings/team/<user_id>")
@screen(*ADMINISTRATOR)
def show(user_id: str) -> ResponseReturnValue:
    return _member(user_id)


@screens.post("/settings/team/<user_id>/role")
@screen(*ADMINISTRATOR)
def change_role(user_id: str) -> ResponseReturnValue:
    return _change(user_id, "role_changed", lambda session: team.change_role(
        session, edge.person(), user_id, request.form.get("role", "")
    ))  # fmt: skip


@screens.post("/settings/team/<user_id>/disable")
@screen(*ADMINISTRATOR)
def disable(user_id: str) -> ResponseReturnValue:
    return _change(user_id, "user_disabled", lambda session: team.disable(session, edge.person(), user_id))


@screens.post("/settings/team/<user_id>/enable")
@screen(*ADMINISTRATOR)
def enable(user_id: str) -> ResponseReturnValue:
    return _change(user_id, "user_enabled", lambda session: team.enable(session, edge.person(), user_id))


@screens.post("/settings/team/<user_id>/link")
@screen(*ADMINISTRATOR)
def mail_link(user_id: str) -> ResponseReturnValue:
    """An invitation once more, or a link for a new password."""
    with runtime().database.read() as session:
        user = team.find(session, edge.person().business_id, user_id)
    if user.disabled_at is not None:
        return _member(user_id, f"{user.name} is disabled. Enable them first."), 409
    try:
        inviting.mail_link(runtime(), edge.remit(), user, request.form.get("attempt", ""))
    except Refused as refused:
        return _member(user_id, refused.detail), 503 if isinstance(refused, Unavailable) else 409
    return edge.done("team.show", "link_mailed", user_id=user_id)


@screens.post("/clients/<client_id>/invite")
@screen(*STAFF)
def invite_client(client_id: str) -> ResponseReturnValue:
    """Let a client sign in: a link goes to the address that billing has."""
    try:
        user = inviting.invite_client(runtime(), edge.remit(), client_id, request.form.get("attempt", ""))
    except (Conflict, Invalid, Unavailable) as refused:
        if refused.code == "billing_unavailable":
            raise
        status = 503 if isinstance(refused, Unavailable) else 409
        return render_template("client_not_invited.html", client_id=client_id, detail=refused.detail), status
    said = "client_invited" if user.password_hash is None else "client_has_password"
    return edge.done("clients.show", said, client_id=client_id)


def _name(typed: str) -> str:
    try:
        return clean_line(line("what they are called")(typed))
    except ValueError as wrong:
        raise ValueError(f"{str(wrong)[:1].upper()}{str(wrong)[1:].rstrip('.')}.") from None


def _address(typed: str) -> str:
    try:
        return check_email(typed)
    except ValueError:
        raise ValueError("This is not an e-mail address.") from None


def _change(user_id: str, said: str, change: Any) -> ResponseReturnValue:
    assert said in SAID
    try:
        with runtime().database.write() as session:
            change(session)
    except (Conflict, Invalid) as refused:
        return _member(user_id, refused.detail), 409
    return edge.done("team.show", said, user_id=user_id)


def _filters() -> team.Filters:
    """What the address asks for; what it does not know is left out."""
    asked = request.args
    who, status, sort = asked.get("who", "team"), asked.get("status", ""), asked.get("sort", "name")
    return team.Filters(
        business_id=edge.person().business_id,
        who=who if who in team.WHO else "team",
        status=status if status in team.STATUSES else "",
        q=asked.get("q", "").strip()[:200],
        sort=sort if sort.removeprefix("-") in team.SORTS else "name",
    )


def _list(problem: str | None = None, errors: dict[str, str] | None = None, typed: Any = None) -> str:
    filters = _filters()
    with runtime().database.read() as session:
        found = team.listed(session, filters, request.args.get("cursor"))
    return render_template(
        "team.html", people=found["items"], next_cursor=found["next_cursor"], filters=filters, who=WHO_WORDS,
        statuses=STATUS_CHOICES, roles=ROLE_CHOICES, problem_words=problem, errors=errors or {}, typed=typed or {},
        attempt=new_id(),
    )  # fmt: skip


def _member(user_id: str, problem: str | None = None) -> str:
    me = edge.person()
    with runtime().database.read() as session:
        member = team.as_row(team.find(session, me.business_id, user_id))
    return render_template(
        "team_member.html", member=member, is_me=user_id == me.user_id, roles=ROLE_CHOICES, problem_words=problem,
        attempt=new_id(),
    )  # fmt: skip
