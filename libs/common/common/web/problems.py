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
# What OpenAPI documents say of a problem, and of the statuses that any endpoint may answer with one.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "What was refused and why (RFC 9457)",
    "required": ["type", "title", "status", "code", "detail", "errors"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "For programs; it never changes"},
        "detail": {"type": "string", "description": "For people: what to do next"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {
                    "field": {"type": "string"},
                    "message": {"type": "string"},
                    "row": {"type": ["integer", "null"]},
                },
            },
        },
    },
}
ANSWERS: dict[str, Any] = {
    str(status): {
        "description": description,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status, description in {
        400: "This is no request that can be read",
        401: "No good token",
        403: "The token does not reach this",
        404: "It is not there, or not for this token",
        405: "This path does not take this method",
        409: "It does not fit what is there",
        413: "The body is too large",
        415: "The body is of another type than this takes",
        422: "Something in the request is not right; `errors` says what",
        503: "Something that is needed for this does not answer; ask again",
    }.items()
}
# pydantic's complaints that people meet in forms and files, in words for them.
PLAIN = {
    "missing": "this is missing",
    "string_too_long": "use at most {max_length} characters",
    "date_parsing": "write the day as year-month-day, such as 2026-03-31",
    "date_from_datetime_parsing": "write the day as year-month-day, such as 2026-03-31",
    "date_from_datetime_inexact": "write the day as year-month-day, such as 2026-03-31",
    "literal_error": "this must be {expected}",
    "greater_than": "this must be more than {gt}",
    "greater_than_equal": "this must be at least {ge}",
    "less_than_equal": "this must be at most {le}",
}

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
        message = _plainly(item["type"], item.get("ctx", {}), item["msg"].removeprefix("Value error, "))
        if not loc and item["type"] in ("model_type", "dict_type"):
            message = "a JSON object is expected, sent as application/json"
        found.append(errors.FieldError(".".join(names) or "body", message, row))
    return found


def _plainly(kind: str, facts: dict[str, Any], message: str) -> str:
    if kind == "string_too_short" and facts.get("min_length") == 1:
        return "this may not be empty"
    return PLAIN[kind].format(**facts) if kind in PLAIN else message


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
