"""Errors as problem+json (RFC 9457). The table below maps refusals to statuses; nothing half-done stays behind."""

from typing import Any

import orjson
from flask import Flask, Response, g
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from common import errors, logs
from common.db import is_contended, is_unavailable

STATUS: dict[type[errors.Refused], int] = {
    errors.Invalid: 422,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.Unavailable: 503,
}
MAX_ERRORS_SHOWN = 500

log = logs.get("web")


def problem(
    status: int, code: str, title: str, detail: str, headers: dict[str, str] | None = None, **more: Any
) -> Response:
    body = {
        "type": f"urn:remit:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
    }
    more.setdefault("errors", [])
    response = Response(orjson.dumps({**body, **more}), status, content_type="application/problem+json")
    response.headers.update(headers or {})
    return response


def from_refusal(refused: errors.Refused) -> Response:
    status = next(STATUS[cls] for cls in type(refused).__mro__ if cls in STATUS)
    shown = [error.as_json() for error in refused.errors[:MAX_ERRORS_SHOWN]]
    more = dict(refused.extra)
    if len(refused.errors) > MAX_ERRORS_SHOWN:
        more["errors_left_out"] = len(refused.errors) - MAX_ERRORS_SHOWN
    if status in (401, 403):
        log.warning("caller refused", code=refused.code, reason=refused.detail)
    if status == 503:
        refused.headers.setdefault("Retry-After", "2")
    return problem(status, refused.code, refused.title, refused.detail, refused.headers, errors=shown, **more)


def field_errors(error: ValidationError, rows_field: str | None = None) -> list[errors.FieldError]:
    """pydantic's complaints as field errors; positions under `rows_field` become row numbers from 1."""
    found = []
    for item in error.errors(include_url=False, include_input=False):
        loc = list(item["loc"])
        row = None
        if rows_field is not None and len(loc) > 1 and loc[0] == rows_field and isinstance(loc[1], int):
            row, loc = loc[1] + 1, loc[2:]
        names = [str(part) for part in loc if not str(part).startswith(("function-", "constrained-", "nullable"))]
        message = item["msg"].removeprefix("Value error, ")
        if not loc and item["type"] in ("model_type", "dict_type"):
            message = "a JSON object is expected, sent as application/json"
        found.append(errors.FieldError(".".join(names) or "body", message, row))
    return found


def from_validation(error: ValidationError) -> Response:
    found = field_errors(error, rows_field="payments")
    detail = "; ".join(f"{item.field}: {item.message}" for item in found[:3])
    return from_refusal(errors.Invalid("validation_failed", detail, found))


def register(app: Flask) -> None:
    """Give every error of `app` its problem document."""

    @app.errorhandler(errors.Refused)
    def _refused(error: errors.Refused) -> Response:
        return from_refusal(error)

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        if error.response is not None:
            return error.response  # type: ignore[return-value]
        code = (error.name or "error").lower().replace(" ", "_")
        headers = dict(error.get_headers())
        headers.pop("Content-Type", None)
        return problem(error.code or 500, code, error.name, error.description or error.name, headers)

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> Response:
        if is_unavailable(error):
            log.warning("database away", reason=str(error)[:200])
            away = "The database does not answer. Nothing was changed; try again in a moment."
            return from_refusal(errors.Unavailable("database_unavailable", away))
        if is_contended(error):
            busy = "Others are changing the same records. Nothing was changed; try again in a moment."
            return from_refusal(errors.Unavailable("busy", busy))
        log.error("request failed", exc_info=error)
        return problem(
            500, "internal_error", "Something went wrong on our side",
            f"Nothing was changed. Tell support the request id {g.get('request_id')}.",
        )  # fmt: skip
