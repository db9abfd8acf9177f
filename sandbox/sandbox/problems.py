"""Errors told to the client: application/problem+json, or a small page for a browser."""

from __future__ import annotations

import json
import logging

from flask import Flask, Response, make_response, render_template, request
from werkzeug.exceptions import HTTPException

log = logging.getLogger(__name__)
# For the pages of the sandbox itself.
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)


class Problem(Exception):  # noqa: N818 - the thing is called a problem in RFC 9457
    """An error for the client: HTTP status, a stable code for programs, a detail for people."""

    def __init__(self, status: int, code: str, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail


def not_found(what: str) -> Problem:
    """The 404 for something the box does not hold."""
    return Problem(404, "not_found", "Not found", f"The box holds no such {what}.")


def invalid(detail: str) -> Problem:
    """The 422 for a request that was understood but makes no sense."""
    return Problem(422, "invalid_request", "Invalid request", detail)


def register(app: Flask) -> None:
    """Make the app answer every error in the form above."""

    @app.errorhandler(Problem)
    def told(problem: Problem) -> Response:
        return _response(problem)

    @app.errorhandler(HTTPException)
    def standard(error: HTTPException) -> Response:
        if error.code is None or error.code < 400:
            return make_response(error.get_response(request.environ))
        name = error.name.lower().replace(" ", "_")
        response = _response(Problem(error.code, name, error.name, error.description or error.name))
        # A 405 has to say which methods are allowed.
        for header, value in error.get_headers(request.environ):
            if header.lower() == "allow":
                response.headers[header] = value
        return response

    @app.errorhandler(Exception)
    def unexpected(_error: Exception) -> Response:
        log.exception("request failed: %s %s", request.method, request.path)
        return _response(Problem(500, "internal_error", "Internal error", "The sandbox failed; see its log."))


def _response(problem: Problem) -> Response:
    # Browsers ask for text/html by name; programs ask for JSON or anything, and get JSON.
    kind = request.accept_mimetypes.best_match(["application/problem+json", "application/json", "text/html"])
    if kind == "text/html":
        page = make_response(render_template("problem.html", problem=problem), problem.status)
        page.headers["Content-Security-Policy"] = PAGE_POLICY
        return page
    body = {
        "type": "about:blank",
        "title": problem.title,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
    }
    return Response(json.dumps(body), status=problem.status, content_type="application/problem+json")
