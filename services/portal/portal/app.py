"""The portal's web app: pages for people instead of an API for programs. `edge` says who may see which."""

from datetime import date
from pathlib import Path
from typing import Any

from flask import Flask, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from common import errors, logs
from common.db import is_contended, is_unavailable
from common.money import format_money
from common.runtime import Runtime
from common.web.app import equip
from common.web.problems import STATUS
from portal import edge
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
    app.jinja_env.filters.update(money=format_money, day=_day)
    app.jinja_env.globals.update(csrf_token=edge.csrf_token, person=edge.person_or_none, stripe_js_url=settings.js_url)
    for blueprint in blueprints():
        app.register_blueprint(blueprint)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]
    return app


def _day(written: str | None) -> str:
    """A date as people read it, such as 25 Nov 2026."""
    return f"{date.fromisoformat(written):%-d %b %Y}" if written else ""


def _answer_errors(app: Flask) -> None:
    """Every error as a page, or as JSON where a script of ours asked."""

    @app.errorhandler(edge.SignInFirst)
    def _sign_in(first: edge.SignInFirst) -> ResponseReturnValue:
        if edge.wants_json():
            return {"detail": "You are no longer signed in. Open the page again."}, 401
        return "", 303, {"Location": url_for("signing_in.ask", next=first.path)}

    @app.errorhandler(errors.Refused)
    def _refused(error: errors.Refused) -> ResponseReturnValue:
        status = 429 if isinstance(error, TooMany) else next(STATUS[c] for c in type(error).__mro__ if c in STATUS)
        if status in (401, 403, 429):
            log.warning("visitor refused", code=error.code, reason=error.detail)
        return _page(status, error.title, error.detail)

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> ResponseReturnValue:
        if error.code is None or error.code < 400:
            return error.get_response(request.environ)
        words = "There is no such page." if error.code == 404 else error.description or error.name
        return _page(error.code, error.name, words)

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> ResponseReturnValue:
        if is_unavailable(error) or is_contended(error):
            return _page(503, "Just a moment", "Remit is busy. Nothing was changed; try again in a moment.")
        log.error("request failed", exc_info=error)
        words = f"Nothing was changed. If it happens again, tell us this number: {g.get('request_id')}."
        return _page(500, "Something went wrong on our side", words)


def _page(status: int, title: str, detail: str) -> ResponseReturnValue:
    if edge.wants_json():
        return {"title": title, "detail": detail}, status
    return render_template("error.html", title=title, detail=detail), status
