"""Signing in and out, choosing among businesses, and setting a password."""

import re
import time

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug import Response

from common.context import confined
from common.errors import Invalid
from portal import edge
from portal.edge import runtime, screen
from portal.models import User
from portal.peers import Remit
from portal.usecases import inviting, sessions, throttle, users
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
    address, database = _address(), runtime().database
    with database.write() as session:
        throttle.note(session, email, address)
    candidates = users.by_email(database, email)
    fitting = [
        user
        for user in users.with_password(candidates, password)
        if inviting.may_enter(Remit(runtime(), user.business_id, users.person_of(user).actor), user)
    ]
    if not fitting:
        return render_template("sign_in.html", email=email, next=_next(), problem=WRONG), 401
    with database.write() as session:
        throttle.forgive(session, email, address)
    if len(fitting) == 1:
        return _enter(fitting[0].business_id, fitting[0].user_id)
    until = int(time.time()) + CHOICE_SECONDS
    choices = [
        (
            Remit(runtime(), user.business_id, None, edge.known()).billing.business()["name"],
            value,
            mark(runtime().signer, "choice", value),
        )
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
    good = fits(runtime(), "choice", value, signature) and visitor == edge.visitor()
    if not good or int(until) < time.time():
        return render_template("sign_in.html", email="", next=_next(), problem="Please sign in again."), 401
    return _enter(business_id, user_id)


@screens.post("/sign-out")
@screen()
def sign_out() -> ResponseReturnValue:
    token = edge.session_token()
    if token is not None:
        sessions.end(runtime().database, token)
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
    return render_template("account.html", problem=None)


@screens.post("/account/password")
@screen(*edge.STAFF, *edge.CLIENT)
def change_password() -> ResponseReturnValue:
    """Every other session of theirs is over; this one goes on under another token."""
    form, me, database = request.form, edge.person(), runtime().database
    with database.write() as session:
        throttle.note(session, me.email, _address())
    with database.read() as session:
        user = session.get_one(User, (me.business_id, me.user_id))
    problem = None
    if not users.with_password([user], form.get("old", "")):
        problem = "The present password is not right."
    elif form.get("password", "") != form.get("again", ""):
        problem = "The two new ones are not the same."
    if problem is not None:
        return render_template("account.html", problem=problem), 422
    try:
        with database.write() as session:
            user = session.get_one(User, (me.business_id, me.user_id))
            users.set_password(session, user, form.get("password", ""))
            throttle.forgive(session, me.email, _address())
            token = sessions.begin(session, user)
    except Invalid as weak:
        return render_template("account.html", problem=weak.detail), 422
    return edge.sign_in(edge.done("signing_in.account", "password_changed"), token)


@screens.get("/forgot")
@screen()
def ask_forgotten() -> ResponseReturnValue:
    return render_template("forgot.html", email="", is_done=False)


@screens.post("/forgot")
@screen()
def forgotten() -> ResponseReturnValue:
    """The answer is the same, and comes as fast, whether or not anybody has the address."""
    email = request.form.get("email", "").strip()[:254]
    with runtime().database.write() as session:
        throttle.note_mail(session, email, _address())
    inviting.forgotten(runtime(), edge.known(), email)
    return render_template("forgot.html", email=email, is_done=True)


@screens.get("/welcome")
@screen()
def welcome() -> ResponseReturnValue:
    invitation = _invitation()
    with confined(invitation[0]), runtime().database.read() as session:
        user = users.invited(session, runtime(), *invitation)
    return render_template("welcome.html", user=user, problem=None)


@screens.post("/welcome")
@screen()
def set_password() -> ResponseReturnValue:
    password, invitation = request.form.get("password", ""), _invitation()
    with confined(invitation[0]), runtime().database.write() as session:
        user = users.invited(session, runtime(), *invitation)
        if password != request.form.get("again", ""):
            problem = "The two are not the same."
            return render_template("welcome.html", user=user, problem=problem), 422
        try:
            users.set_password(session, user, password)
        except Invalid as weak:
            return render_template("welcome.html", user=user, problem=weak.detail), 422
    return render_template("sign_in.html", email=user.email, next="", problem=None, notice="Your password is set.")


def _enter(business_id: str, user_id: str) -> Response:
    """Let them in; the session that this browser held before, of whatever business, is over."""
    former, database = edge.session_token(), runtime().database
    if former is not None:
        sessions.end(database, former)
    with confined(business_id), database.write() as session:
        user = session.get_one(User, (business_id, user_id))
        token = sessions.begin(session, user)
    return edge.sign_in(_redirect(_next() or _first_page(user.role)), token)


def _address() -> str:
    """The caller's, as attempts are counted by."""
    return (request.remote_addr or "?")[:64]


def _first_page(role: str) -> str:
    return url_for("home.show") if role == "client" else url_for("clients.show_all")


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
