"""Signing in and out, choosing among businesses, and setting a password."""

import re
import time

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug import Response

from common.errors import Invalid, NotFound
from portal import edge
from portal.client import Remit
from portal.edge import runtime, screen
from portal.models import User
from portal.usecases import sessions, throttle, users
from portal.usecases.marks import fits, mark

screens = Blueprint("signing_in", __name__)

CHOICE_SECONDS = 300
WRONG = "The e-mail address or the password is not right."
_OWN_PATH = re.compile(r"/(?!/)[\w/.-]*", re.ASCII)


@screens.get("/")
@screen()
def index() -> ResponseReturnValue:
    found = edge.person_or_none()
    if found is None:
        return redirect(url_for("signing_in.ask"))
    return redirect(_first_page(found.role))


@screens.get("/sign-in")
@screen()
def ask() -> ResponseReturnValue:
    return render_template("sign_in.html", email="", next=_next(), problem=None)


@screens.post("/sign-in")
@screen()
def sign_in() -> ResponseReturnValue:
    email, password = request.form.get("email", "")[:254], request.form.get("password", "")
    address = (request.remote_addr or "?")[:64]
    database = runtime().database
    with database.write() as session:
        throttle.note(session, email, address)
    with database.read() as session:
        candidates = users.by_email(session, email)
    fitting = [user for user in users.with_password(candidates, password) if _may_enter(user)]
    if not fitting:
        return render_template("sign_in.html", email=email, next=_next(), problem=WRONG), 401
    with database.write() as session:
        throttle.forgive(session, email, address)
    if len(fitting) == 1:
        return _enter(fitting[0].business_id, fitting[0].user_id)
    until = int(time.time()) + CHOICE_SECONDS
    choices = [
        (Remit(runtime(), user.business_id).business()["name"], value, mark(runtime().signer, "choice", value))
        for user in fitting
        for value in [f"{user.business_id}/{user.user_id}/{until}/{edge.visitor()}"]
    ]
    return render_template("choose.html", choices=choices, next=_next())


@screens.post("/sign-in/choice")
@screen()
def choose() -> ResponseReturnValue:
    """Which business, of those whose password was just shown to be right in this browser."""
    value, _, signature = request.form.get("choice", "").rpartition("~")
    business_id, user_id, until, visitor = [*value.split("/"), "", "", "", ""][:4]
    good = fits(runtime().signer, "choice", value, signature) and visitor == edge.visitor()
    if not good or int(until) < time.time():
        return render_template("sign_in.html", email="", next=_next(), problem="Please sign in again."), 401
    return _enter(business_id, user_id)


@screens.post("/sign-out")
@screen()
def sign_out() -> ResponseReturnValue:
    token = edge.session_token()
    if token is not None:
        with runtime().database.write() as session:
            sessions.end(session, token)
    return edge.sign_out(_redirect(url_for("signing_in.ask")))


@screens.post("/sign-out-everywhere")
@screen(*edge.STAFF, *edge.CLIENT)
def sign_out_everywhere() -> ResponseReturnValue:
    with runtime().database.write() as session:
        sessions.end_all(session, edge.person())
    return edge.sign_out(_redirect(url_for("signing_in.ask")))


@screens.get("/account")
@screen(*edge.STAFF, *edge.CLIENT)
def account() -> ResponseReturnValue:
    return render_template("account.html", business=edge.remit().business())


@screens.get("/welcome")
@screen()
def welcome() -> ResponseReturnValue:
    with runtime().database.read() as session:
        _, user = users.invited(session, runtime().signer, *_invitation())
    return render_template("welcome.html", user=user, problem=None)


@screens.post("/welcome")
@screen()
def set_password() -> ResponseReturnValue:
    password = request.form.get("password", "")
    with runtime().database.write() as session:
        invitation, user = users.invited(session, runtime().signer, *_invitation())
        if password != request.form.get("again", ""):
            problem = "The two are not the same."
            return render_template("welcome.html", user=user, problem=problem), 422
        try:
            users.accept(session, invitation, user, password)
        except Invalid as weak:
            return render_template("welcome.html", user=user, problem=weak.detail), 422
    return render_template("sign_in.html", email=user.email, next="", problem=None, notice="Your password is set.")


def _may_enter(user: User) -> bool:
    """An inactive client may not; billing knows. Raises Unavailable while it does not answer."""
    if user.client_id is None:
        return True
    try:
        remit = Remit(runtime(), user.business_id, users.person_of(user).actor)
        return bool(remit.client(user.client_id)["status"] != "inactive")
    except NotFound:
        return False


def _enter(business_id: str, user_id: str) -> Response:
    with runtime().database.write() as session:
        user = session.get_one(User, (business_id, user_id))
        token = sessions.begin(session, user, edge.session_token())
    return edge.sign_in(_redirect(_next() or _first_page(user.role)), token)


def _first_page(role: str) -> str:
    return url_for("home.show") if role == "client" else url_for("assist.find")


def _next() -> str:
    """Where the visitor wanted to go; only ever a path of ours."""
    wanted = request.values.get("next", "")
    return wanted if _OWN_PATH.fullmatch(wanted) else ""


def _invitation() -> tuple[str, str, str]:
    return (
        request.values.get("business", ""), request.values.get("invitation", ""), request.values.get("signature", ""),
    )  # fmt: skip


def _redirect(path: str) -> Response:
    return redirect(path, 303)
