"""The portal's web app: pages for people instead of an API for programs. `edge` says who may see which."""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Flask, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from common import errors, logs
from common.db import is_contended, is_unavailable
from common.money import describe_balance, format_money, to_decimal
from common.runtime import Runtime
from common.web.app import equip
from common.web.problems import STATUS
from portal import edge
from portal.domain import words
from portal.domain.said import SAID
from portal.navigation import menu_of
from portal.screens import blueprints
from portal.usecases.throttle import TooMany

MAX_BODY_BYTES = 64 * 1024

log = logs.get("web")


def make_app(runtime: Runtime) -> Flask:
    settings: Any = runtime.settings
    app = Flask("portal", root_path=str(Path(__file__).parent))
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    equip(app, runtime)
    edge.guard(app)
    _answer_errors(app)
    app.jinja_env.filters.update(
        money=format_money,
        major=_major,
        day=words.day,
        moment=words.moment,
        plain=words.plain,
        in_words=describe_balance,
    )
    app.jinja_env.tests["missing"] = lambda found: isinstance(found, edge.Missing)
    app.jinja_env.globals.update(
        csrf_token=edge.csrf_token, person=edge.person_or_none, menu_of=menu_of, here=_here, alike=_alike,
        said=_said,
        stripe_js_url=settings.js_url, support_contact=settings.support_contact,
    )  # fmt: skip
    app.context_processor(lambda: {"business": edge.business_or_none()})
    for blueprint in blueprints():
        app.register_blueprint(blueprint)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]
    return app


def _major(amount_minor: int, currency: str) -> str:
    """An amount as it is typed into a field, such as 45.00."""
    return str(to_decimal(amount_minor, currency))


def _here(**changes: Any) -> str:
    """The page one is on, with other values in its query; None takes one away."""
    query = {**request.args.to_dict(), **changes}
    query.pop("said", None)
    query = {name: value for name, value in query.items() if value not in (None, "")}
    return _asked(url_for(str(request.endpoint), **(request.view_args or {})), query)


def _alike(endpoint: str) -> str:
    """Another page, with the query of the one one is on."""
    return _asked(url_for(endpoint), request.args.to_dict())


def _asked(path: str, query: dict[str, Any]) -> str:
    """With a query whose names are the visitor's: to url_for some would mean something."""
    return f"{path}?{urlencode(query)}" if query else path


def _said() -> str | None:
    """What the form before this page did."""
    return SAID.get(request.args.get("said", ""))


def _answer_errors(app: Flask) -> None:
    """Every error as a page, or as JSON where a script of ours asked."""

    @app.errorhandler(edge.SignInFirst)
    def _sign_in(first: edge.SignInFirst) -> ResponseReturnValue:
        if edge.wants_json():
            return {"detail": "You are no longer signed in. Open the page again."}, 401
        wanted = first.path if request.method == "GET" else None  # a form is not sent again by opening its address
        return "", 303, {"Location": url_for("signing_in.ask", next=wanted)}

    @app.errorhandler(errors.Refused)
    def _refused(error: errors.Refused) -> ResponseReturnValue:
        status = 429 if isinstance(error, TooMany) else next(STATUS[c] for c in type(error).__mro__ if c in STATUS)
        if status in (401, 403, 429):
            log.warning("visitor refused", code=error.code, reason=error.detail)
        if isinstance(error, errors.Unavailable):
            return _page(status, "Not right now", edge.missing_words(error), is_ours=True)
        return _page(status, error.title, error.detail)

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> ResponseReturnValue:
        if error.code is None or error.code < 400:
            return error.get_response(request.environ)
        if error.code == 413:
            detail = "Nothing was changed. Split the file, or shorten the text, and send the parts one after the other."
            return _page(413, "That is more than fits", detail)
        detail = "There is no such page." if error.code == 404 else error.description or error.name
        return _page(error.code, error.name, detail)

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> ResponseReturnValue:
        g.setdefault("person", None)  # it may be who they are that could not be found out: the page does without
        if is_unavailable(error) or is_contended(error):
            detail = "Remit is busy. Nothing was changed; try again in a moment."
            return _page(503, "Just a moment", detail, is_ours=True)
        log.error("request failed", exc_info=error)
        detail = f"Nothing was changed. If it happens again, tell them this number: {g.get('request_id')}."
        return _page(500, "Something went wrong on our side", detail, is_ours=True)


def _page(status: int, title: str, detail: str, *, is_ours: bool = False) -> ResponseReturnValue:
    """`is_ours`: the person cannot mend it, so the page says whom to contact."""
    if edge.wants_json():
        return {"title": title, "detail": detail}, status
    return render_template("error.html", title=title, detail=detail, is_ours=is_ours), status
