"""API tokens: what programs of internal teams come in by. Administrators make them and take them back."""

from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from common import clock
from common.errors import Conflict, Invalid
from common.ids import new_id
from portal import edge
from portal.domain import team_scopes
from portal.edge import ADMINISTRATOR, runtime, screen
from portal.usecases import team_keys
from portal.usecases.reading import Form, beside, day, line

screens = Blueprint("api_tokens", __name__)


@screens.get("/settings/api-tokens")
@screen(*ADMINISTRATOR)
def show_all() -> ResponseReturnValue:
    return _page(MultiDict())


@screens.post("/settings/api-tokens")
@screen(*ADMINISTRATOR)
def make() -> ResponseReturnValue:
    """The answer shows the secret, so it is this page and not one to go on to."""
    form, me = Form(request.form), edge.person()
    name = form.read("name", line("what the token is for"))
    scopes = team_scopes.known(request.form.getlist("scope"))
    if not scopes:
        form.note("scope", "Choose at least one thing that it may do.")
    zone = str(edge.remit().billing.business()["time_zone"])
    last_day = form.read_or_none("last_day", day)
    if last_day is not None and last_day < clock.today(zone):
        form.note("last_day", "Choose today or a later day, or leave it empty.")
    try:
        form.check("No token was made. Look at the fields that are marked.")
        assert name is not None  # what could not be read was refused
        with runtime().database.write() as session:
            until = team_keys.end_of(last_day, zone) if last_day is not None else None
            attempt = form.get("attempt")[:64] or new_id()
            made = team_keys.make(session, runtime().signer, me, attempt, name, scopes, until)
    except Invalid as refused:
        return _page(request.form, refused.detail, beside(refused)), 422
    except Conflict as refused:
        return _page(MultiDict(), refused.detail), 409
    return render_template("api_token_made.html", made=made, portal=_portal(), business_id=me.business_id), 201


@screens.get("/settings/api-tokens/<key_id>/revoke")
@screen(*ADMINISTRATOR)
def ask_revoke(key_id: str) -> ResponseReturnValue:
    with runtime().database.read() as session:
        key = team_keys.as_row(team_keys.find(session, edge.person().business_id, key_id))
    return render_template("api_token_revoke.html", key=key)


@screens.post("/settings/api-tokens/<key_id>/revoke")
@screen(*ADMINISTRATOR)
def revoke(key_id: str) -> ResponseReturnValue:
    with runtime().database.write() as session:
        team_keys.revoke(session, edge.person(), key_id)
    return edge.done("api_tokens.show_all", "token_revoked")


def _page(typed: MultiDict[str, str], problem_words: str = "", errors: dict[str, str] | None = None) -> str:
    with runtime().database.read() as session:
        keys = [team_keys.as_row(key) for key in team_keys.listed(session, edge.person().business_id)]
    return render_template(
        "api_tokens.html", keys=keys, typed=typed, chosen=typed.getlist("scope"), scopes=team_scopes.SCOPES,
        problem_words=problem_words, errors=errors or {}, attempt=new_id(), portal=_portal(),
    )  # fmt: skip


def _portal() -> str:
    settings: Any = runtime().settings
    return str(settings.portal)
