"""The portal's edge: who is asking, what they may see, tokens against forged forms, and headers.

A screen declares whom it is for with `@screen(...)`; without roles it is open. Every POST needs the token of its form.
"""

import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from flask import Flask, current_app, g, redirect, request, url_for
from flask import Response as Streamed
from werkzeug import Response

from common.context import confine
from common.errors import Forbidden, Invalid, NotFound, Refused, Unavailable
from common.runtime import Runtime
from common.web.app import SAFE_METHODS, refuse_nul
from portal.navigation import ADMINISTRATOR, CLIENT, OPERATOR, STAFF
from portal.peers import Remit
from portal.peers.known import Known
from portal.peers.operations import Operations
from portal.usecases import sessions
from portal.usecases.marks import fits, mark
from portal.usecases.users import Person, is_theirs

__all__ = ["ADMINISTRATOR", "CLIENT", "OPERATOR", "STAFF"]

# What each service is to people who never heard of services.
SERVICE_WORDS = {
    "billing": "Clients, balances, sessions and invoices",
    "payments": "Payments and receipts",
    "gateway-stripe": "Cards",
    "gateway-paypal": "PayPal",
    "notifications": "E-mails",
}
STREAM_BYTES = 64 * 1024
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
MAIL_POLICY = {"default-src": "'none'", "style-src": "'unsafe-inline'", "frame-ancestors": "'none'", "sandbox": ""}

View = TypeVar("View", bound=Callable[..., Any])
T = TypeVar("T")


class SignInFirst(Exception):
    """Somebody has to sign in to see this; `path` is where they wanted to go."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def screen(*roles: str, tells_standing: bool = False) -> Callable[[View], View]:
    """Declare whom a view is for. `tells_standing`: it learns the client's status anyway, and calls `keep_out_former`
    itself; before other views that is done for them."""

    def declare(view: View) -> View:
        view.roles, view.tells_standing = roles, tells_standing  # type: ignore[attr-defined]
        return view

    return declare


def for_programs(view: View) -> View:
    """Declare that programs post here: they have no form, and no cookie is looked at that a forged form could use."""
    view.for_programs = True  # type: ignore[attr-defined]
    return view


def takes_files(max_body_bytes: int) -> Callable[[View], View]:
    """Declare that a view's form brings a file, and how long it may be; from people who are signed in."""

    def declare(view: View) -> View:
        view.max_body_bytes = max_body_bytes  # type: ignore[attr-defined]
        return view

    return declare


def runtime() -> Runtime:
    return current_app.extensions["remit"]  # type: ignore[no-any-return]


def person() -> Person:
    """Who is signed in, in a view that asks for it."""
    found = person_or_none()
    if found is None:
        raise SignInFirst(request.path)
    return found


def person_or_none() -> Person | None:
    if "person" not in g:
        token = session_token()
        g.person = sessions.who(runtime().database, token) if token else None
        if g.person is not None:
            confine(g.person.business_id)
    return g.person  # type: ignore[no-any-return]


def remit() -> Remit:
    """The others' APIs, for whoever is signed in."""
    if "remit" not in g:
        g.remit = Remit(runtime(), person().business_id, person().actor, known())
    return g.remit  # type: ignore[no-any-return]


def operations(service: str) -> Operations:
    """How one service is, for an operator. Raises NotFound for anybody else, whatever view asks."""
    if not person().is_operator or service not in SERVICE_WORDS:
        raise NotFound("not_found", "There is no such page.")
    return Operations(remit(), service)


def keep_out_former(client: Mapping[str, Any] | None) -> None:
    """A client who became inactive, has another address by now or is not there any more is signed out everywhere, at
    the next page. Raises SignInFirst."""
    who = person()
    if client is None or not is_theirs(who.email, client):
        with runtime().database.write() as session:
            sessions.end_all(session, who)
        raise SignInFirst(request.path)
    known().welcome(who.business_id, who.user_id)


def known() -> Known:
    """What this process remembers of businesses."""
    return current_app.extensions["known"]  # type: ignore[no-any-return]


def business_or_none() -> dict[str, Any] | None:
    """The business of whoever is signed in, for the frame of a page: a page does without while billing is away."""
    if person_or_none() is None:
        return None
    try:
        return remit().billing.business()
    except Refused:
        return None


@dataclass(frozen=True)
class Missing:
    """What a page could not show, because a service did not answer. `words` says what is missing, for people."""

    words: str


def piece(ask: Callable[[], T]) -> T | Missing:
    """A piece of a page that the rest does without while its service is away. In templates: `{% if x is missing %}`."""
    try:
        return ask()
    except Unavailable as away:
        return Missing(missing_words(away))


def missing_words(away: Unavailable) -> str:
    service = away.code.removesuffix("_unavailable")
    return f"{SERVICE_WORDS.get(service, service)} cannot be shown right now: the service does not answer."


def passed_on(answer: requests.Response) -> Streamed:
    """A file of another service, as it comes; with `?download=1` to be kept instead of looked at."""
    headers = {
        name: answer.headers[name] for name in ("Content-Disposition", "Content-Length") if name in answer.headers
    }  # fmt: skip
    if request.args.get("download"):
        shown = headers.get("Content-Disposition", "attachment")
        headers["Content-Disposition"] = re.sub(r"^inline", "attachment", shown)
    content_type = answer.headers.get("Content-Type", "application/octet-stream")
    return Streamed(answer.iter_content(STREAM_BYTES), content_type=content_type, headers=headers)


def done(endpoint: str, said: str, **values: Any) -> Response:
    """After a form was taken: go on to a page, which says so. `said` is a key of `portal.domain.said.SAID`."""
    return redirect(url_for(endpoint, said=said, **values), 303)


def wants_json() -> bool:
    return request.accept_mimetypes.best == "application/json"


def for_script_only() -> None:
    """Refuse a form that the browser sent by itself. Raises Invalid."""
    if not wants_json():
        words = "Paying by card needs JavaScript: the card is typed into a field of the payment provider."
        raise Invalid("script_needed", words)


def takes_cards() -> None:
    """This page loads Stripe.js."""
    g.takes_cards = True


def leaves_for(url: str) -> None:
    """This page has a form that leads to another site."""
    parts = urlsplit(url)
    g.leaves_for = f"{parts.scheme}://{parts.netloc}"


# --- cookies and tokens ---


def session_token() -> str | None:
    token = request.cookies.get(_cookie("session"))
    return token if token and "\0" not in token else None  # a quoted one may hold it, and PostgreSQL takes none


def sign_in(response: Response, token: str) -> Response:
    _set_cookie(response, "session", token)
    return response


def sign_out(response: Response) -> Response:
    response.delete_cookie(_cookie("session"), secure=_settings().is_secure, httponly=True, samesite="Lax")
    return response


def csrf_token() -> str:
    """What this visitor's forms carry."""
    return mark(runtime().signer, "form", session_token() or _visitor())


def visitor() -> str:
    """Something only this browser holds."""
    return _visitor()


def shows_mail(html: str) -> Response:
    """A mail's HTML as a page of its own: it brings its own styles, and can do nothing else."""
    g.shows_mail = True
    return Response(html, mimetype="text/html")


def guard(app: Flask) -> None:
    """Check every request, and give every answer its headers."""
    app.extensions["known"] = Known()
    app.before_request(_check)
    app.after_request(_protect)


def _check() -> None:
    g.began = time.perf_counter()
    view = current_app.view_functions.get(request.endpoint or "")
    longest = getattr(view, "max_body_bytes", None)
    if longest is not None and person_or_none() is not None:
        request.max_content_length = longest
    is_formless = getattr(view, "for_programs", False)
    if request.method not in SAFE_METHODS and view is not None and not is_formless:
        given = request.form.get("csrf") or request.headers.get("X-CSRF-Token") or ""
        held = session_token() or request.cookies.get(_cookie("visitor"))
        if held is None or not fits(runtime(), "form", held, given):
            words = "This form is too old, or did not come from this page. Open the page again and repeat it."
            raise Forbidden("form_not_ours", words)
        refuse_nul(any("\0" in value for values in request.form.listvalues() for value in values))
    roles = getattr(view, "roles", ())
    if roles:
        if person_or_none() is None:
            raise SignInFirst(request.path)
        if not person().may(roles):
            raise NotFound("not_found", "There is no such page.")
        if not view.tells_standing:  # type: ignore[union-attr]
            _ask_standing(person())


def _ask_standing(who: Person) -> None:
    """Asked at most every half minute for one client; while billing is away they stay in."""
    if who.client_id is None or known().is_welcome(who.business_id, who.user_id):
        return
    client = None
    try:
        client = remit().billing.client(who.client_id)
    except NotFound:
        pass  # there is no such client any more
    except Refused:
        return
    keep_out_former(client)


def _protect(response: Response) -> Response:
    policy = dict(POLICY)
    if g.get("takes_cards"):
        for directive, sources in _settings().stripe_sources.items():
            policy[directive] = f"{policy.get(directive, '')} {sources}".strip()
    if "leaves_for" in g:
        policy["form-action"] = g.leaves_for
    if response.mimetype == "application/pdf":  # the browser's own viewer brings styles of its own
        policy = {"frame-ancestors": "'none'"}
    if g.get("shows_mail"):
        policy = MAIL_POLICY
    given = "; ".join(f"{name} {sources}".strip() for name, sources in policy.items())
    response.headers["Content-Security-Policy"] = given
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Referrer-Policy"] = "strict-origin"
    if "began" in g:  # the browser's own tools show it: how long the page took here, and how many calls it made
        took_ms = (time.perf_counter() - g.began) * 1000
        response.headers["Server-Timing"] = f'page;dur={took_ms:.1f}, calls;desc="{g.get("api_calls", 0)}"'
    if _settings().is_secure:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    if "new_visitor" in g:
        _set_cookie(response, "visitor", g.new_visitor)
    return response


def _visitor() -> str:
    held = request.cookies.get(_cookie("visitor"))
    if held:
        return held
    if "new_visitor" not in g:
        g.new_visitor = secrets.token_urlsafe(24)
    return g.new_visitor  # type: ignore[no-any-return]


def _set_cookie(response: Response, name: str, value: str) -> None:
    response.set_cookie(_cookie(name), value, secure=_settings().is_secure, httponly=True, samesite="Lax", path="/")


def _cookie(name: str) -> str:
    return f"__Host-remit-{name}" if _settings().is_secure else f"remit-{name}"


def _settings() -> Any:
    return runtime().settings
