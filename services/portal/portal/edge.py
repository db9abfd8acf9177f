"""The portal's edge: who is asking, what they may see, tokens against forged forms, and headers.

A screen declares whom it is for with `@screen(...)`; without roles it is open. Every POST needs the token of its form.
"""

import secrets
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, current_app, g, request
from werkzeug import Response

from common.errors import Forbidden, Invalid, NotFound
from common.runtime import Runtime
from common.web.app import SAFE_METHODS
from portal.client import Remit
from portal.usecases import sessions
from portal.usecases.marks import fits, mark
from portal.usecases.users import Person

STAFF = ("administrator", "staff")
CLIENT = ("client",)
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

View = TypeVar("View", bound=Callable[..., Any])


class SignInFirst(Exception):
    """Somebody has to sign in to see this; `path` is where they wanted to go."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def screen(*roles: str) -> Callable[[View], View]:
    """Declare whom a view is for."""

    def declare(view: View) -> View:
        view.roles = roles  # type: ignore[attr-defined]
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
    return g.person  # type: ignore[no-any-return]


def remit() -> Remit:
    """The others' APIs, for whoever is signed in."""
    return Remit(runtime(), person().business_id, person().actor)


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
    return request.cookies.get(_cookie("session"))


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


def guard(app: Flask) -> None:
    """Check every request, and give every answer its headers."""
    app.before_request(_check)
    app.after_request(_protect)


def _check() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    if request.method not in SAFE_METHODS and view is not None:
        given = request.form.get("csrf") or request.headers.get("X-CSRF-Token") or ""
        held = session_token() or request.cookies.get(_cookie("visitor"))
        if held is None or not fits(runtime().signer, "form", held, given):
            words = "This form is too old, or did not come from this page. Open the page again and repeat it."
            raise Forbidden("form_not_ours", words)
    roles = getattr(view, "roles", ())
    if roles:
        if person_or_none() is None:
            raise SignInFirst(request.path)
        if person().role not in roles:
            raise NotFound("not_found", "There is no such page.")


def _protect(response: Response) -> Response:
    policy = dict(POLICY)
    if g.get("takes_cards"):
        for directive, sources in _settings().stripe_sources.items():
            policy[directive] = f"{policy.get(directive, '')} {sources}".strip()
    if "leaves_for" in g:
        policy["form-action"] = g.leaves_for
    if response.mimetype == "application/pdf":  # the browser's own viewer brings styles of its own
        policy = {"frame-ancestors": "'none'"}
    given = "; ".join(f"{name} {sources}" for name, sources in policy.items())
    response.headers["Content-Security-Policy"] = given
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Referrer-Policy"] = "strict-origin"
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
