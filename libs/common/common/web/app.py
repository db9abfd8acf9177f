"""The web edge: one request is authenticated, runs in one transaction, and answers JSON.

A view declares what it needs with `@endpoint(scope)`; one without it is not reachable except health and docs.
"""

import ipaddress
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
import structlog
from flask import Flask, Response, current_app, g, request
from flask.json.provider import DefaultJSONProvider
from flask_openapi3 import Info, OpenAPI
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, multiprocess
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest

from common import errors, logs
from common.auth import Caller
from common.context import EVERY_BUSINESS, confine, correlate, unconfine
from common.ids import new_id
from common.metrics import DRIFT_FOUND, REQUEST_SECONDS, REQUESTS
from common.runtime import Runtime
from common.web import idempotency, problems

log = logs.get("web")

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_BODY_BYTES = 1024 * 1024
_REQUEST_ID = re.compile(r"[\w.-]{1,100}", re.ASCII)
ANY_JSON: dict[str, Any] = {"description": "Done", "content": {"application/json": {"schema": {}}}}
CSV: dict[str, Any] = {"description": "The rows", "content": {"text/csv": {"schema": {"type": "string"}}}}
PDF: dict[str, Any] = {"description": "The document", "content": {"application/pdf": {"schema": {"type": "string"}}}}
B = "/v1/businesses/<string:business_id>"

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Rules:
    """What a view asks of its caller, and how much body it takes."""

    scope: str
    idempotent: bool = True
    max_body_bytes: int = MAX_BODY_BYTES
    in_stages: bool = False
    every_business: bool = False


def endpoint(
    scope: str, *, idempotent: bool = True, max_body_bytes: int = MAX_BODY_BYTES, in_stages: bool = False,
    every_business: bool = False,
) -> Callable[[View], View]:  # fmt: skip
    """Declare a view's rules: the scope its caller needs; whether an Idempotency-Key is honoured (on POST).

    A view `in_stages` calls the outside: it opens its own transactions before and after the call, never round it, and
    keeps its Idempotency-Key itself, with the operation that it commits first. A token for one business does not reach
    what is for `every_business`.
    """

    def declare(view: View) -> View:
        view.rules = Rules(scope, idempotent, max_body_bytes, in_stages, every_business)  # type: ignore[attr-defined]
        return view

    return declare


def session() -> Session:
    """This request's session; committed when the answer is no error."""
    return g.session  # type: ignore[no-any-return]


def caller() -> Caller:
    return g.caller  # type: ignore[no-any-return]


def runtime() -> Runtime:
    return current_app.extensions["remit"]  # type: ignore[no-any-return]


class _Json(DefaultJSONProvider):
    """orjson: an answer of 10,000 payments takes milliseconds."""

    def dumps(self, obj: Any, **_: Any) -> str:
        return orjson.dumps(obj, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        return orjson.loads(s)


class RemitApp(OpenAPI):
    """Flask with Remit's edge: authentication before anything is parsed, then one transaction round the view."""

    def generate_spec_json(self) -> None:
        """The OpenAPI document, with what every endpoint answers: a problem where it refuses, JSON where it says no
        other."""
        super().generate_spec_json()  # type: ignore[no-untyped-call]
        self.spec_json["components"]["schemas"] |= {"Problem": problems.SCHEMA}
        self.spec_json["components"]["schemas"].pop(self.validation_error_model.__name__, None)
        for operations in self.spec_json["paths"].values():
            for operation in operations.values():
                answers = {code: answer for code, answer in operation["responses"].items() if code.startswith("2")}
                operation["responses"] = (answers or {"200": ANY_JSON}) | problems.ANSWERS

    def dispatch_request(self) -> Any:
        view = self.view_functions.get(request.endpoint or "")
        rules: Rules | None = getattr(view, "rules", None)
        if rules is None:
            return super().dispatch_request()
        g.caller = _authenticate(rules)
        _confine(g.caller)
        request.max_content_length = rules.max_body_bytes
        database = runtime().database
        if rules.in_stages:
            return super().dispatch_request()
        if request.method in SAFE_METHODS:
            with database.read() as g.session:
                return super().dispatch_request()
        try:
            with database.write() as g.session:
                return self._answer_once(rules)
        except _ErrorAnswer as error:
            return error.response

    def _answer_once(self, rules: Rules) -> Response:
        def act() -> Response:
            return self.make_response(super(RemitApp, self).dispatch_request())

        key = idempotency.given_key() if rules.idempotent and request.method == "POST" else None
        if key is None:
            response = act()
        else:
            business_id = (request.view_args or {}).get("business_id", "-")
            response = idempotency.once(g.session, key, business_id, g.caller.sub, act)
        if response.status_code >= 400:
            raise _ErrorAnswer(response)
        return response


class _ErrorAnswer(Exception):
    """Carries an error answer out of the transaction, which is rolled back."""

    def __init__(self, response: Response) -> None:
        self.response = response


def _authenticate(rules: Rules) -> Caller:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise errors.Unauthenticated(
            "token_missing",
            "Send a bearer token in the Authorization header.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    who = runtime().verifier.verify(token.strip())
    who.require(rules.scope)
    if rules.every_business:
        who.require_every_business()
    if "business_id" in (request.view_args or {}):
        who.require_business(str((request.view_args or {})["business_id"]))
    return who


def _confine(caller: Caller) -> None:
    """Whose rows are seen where the path does not say it: those of the caller's business, or all of them."""
    if "business_id" in (request.view_args or {}):
        return
    if caller.business == EVERY_BUSINESS:
        unconfine()
    else:
        confine(caller.business)


def create_app(runtime: Runtime) -> Flask:
    """The WSGI application of one service: the JSON API of its blueprints and what operators ask of every service, or
    the app that it brings."""
    from common.web import operations  # noqa: PLC0415 - its views are declared with what stands here

    service = runtime.service
    if service.make_app is not None:
        return service.make_app(runtime)
    app = RemitApp(
        service.name,
        info=Info(title=f"Remit {service.name}", version="1", description=service.summary),
        security_schemes={"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        validation_error_callback=problems.from_validation,
        doc_prefix="/openapi",
        # A URL that is not ours answers JSON as well, so the static route of Flask is not wanted.
        static_folder=None,
    )
    app.json = _Json(app)
    app.config["MAX_CONTENT_LENGTH"] = 32 * 1024 * 1024
    equip(app, runtime)
    problems.register(app)
    for blueprint in (*service.blueprints(), operations.blueprint()):
        app.register_api(blueprint)
    return app


def equip(app: Flask, runtime: Runtime) -> None:
    """What every service's app has, whatever else it serves: its runtime, request ids, metrics, how it is, and that no
    address holds what no text is."""
    app.extensions["remit"] = runtime
    DRIFT_FOUND.labels(runtime.service.name)  # shown before any is found, as `common.measures` says
    app.config["PROPAGATE_EXCEPTIONS"] = False
    _observe(app, runtime.service.name)
    app.before_request(lambda: refuse_nul("\0" in request.path or b"%00" in request.query_string))
    _add_health(app, runtime)


def refuse_nul(is_there: bool) -> None:
    """PostgreSQL keeps no text with the character NUL, and fails where one is compared. Raises BadRequest."""
    if is_there:
        raise BadRequest("The character NUL is no text. Nothing was changed.")


def _observe(app: Flask, service: str) -> None:
    """Request and correlation ids, metrics, and headers that every answer carries."""

    @app.before_request
    def _begin() -> None:
        g.started_at = time.perf_counter()
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else new_id()
        correlation = request.headers.get("X-Correlation-Id", "")
        correlation = correlation if _REQUEST_ID.fullmatch(correlation) else g.request_id
        correlate(correlation)
        confine((request.view_args or {}).get("business_id"))  # callers are checked against it before it is used
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.after_request
    def _end(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "unknown"
        REQUESTS.labels(service, request.method, route, response.status_code).inc()
        REQUEST_SECONDS.labels(service, route).observe(time.perf_counter() - g.started_at)
        if request.method not in ("GET", "HEAD"):  # the route, not the address: that may hold what makes a link work
            took_ms = round((time.perf_counter() - g.started_at) * 1000, 1)
            log.info("answered", method=request.method, route=route, status=response.status_code, took_ms=took_ms)
        response.headers["X-Request-Id"] = g.request_id
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response


def _add_health(app: Flask, runtime: Runtime) -> None:
    def healthz() -> dict[str, str]:
        return {"status": "ok", "service": runtime.service.name}

    def readyz() -> tuple[dict[str, Any], int]:
        checks = runtime.readiness()
        ready = all(state == "ok" for state in checks.values())
        return {"status": "ready" if ready else "not ready", "checks": checks}, 200 if ready else 503

    def metrics() -> Response:
        if not _is_local(request.remote_addr) or "X-Forwarded-For" in request.headers:
            _authenticate(Rules("operations:read"))
        if runtime.metrics_dir is None:
            return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, path=runtime.metrics_dir)  # type: ignore[no-untyped-call]
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    for view in (healthz, readyz, metrics):
        app.add_url_rule(f"/{view.__name__}", view_func=view)


def _is_local(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False
