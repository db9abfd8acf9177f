"""What went wrong, in PayPal's words."""

from __future__ import annotations

import secrets
from typing import Any

MESSAGES = {
    "INVALID_REQUEST": "Request is not well-formed, syntactically incorrect, or violates schema.",
    "AUTHENTICATION_FAILURE": "Authentication failed due to invalid authentication credentials or a missing "
    "Authorization header.",
    "RESOURCE_NOT_FOUND": "The specified resource does not exist.",
    "RESOURCE_CONFLICT": "The server has detected a conflict while processing this request.",
    "UNPROCESSABLE_ENTITY": "The requested action could not be performed, semantically incorrect, or failed business "
    "validation.",
    "INTERNAL_SERVER_ERROR": "An internal server error has occurred.",
    "SERVICE_UNAVAILABLE": "Service Unavailable.",
}


class PaypalError(Exception):
    """An error for the client. status: of HTTP; name: the class of error; issue: which one; links: ways out."""

    def __init__(
        self, status: int, name: str, issue: str, description: str, *, field: str | None = None,
        links: list[dict[str, str]] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(description)
        self.status = status
        self.name = name
        self.issue = issue
        self.field = field
        self.links = links or []

    @property
    def body(self) -> dict[str, Any]:
        """The answer's body."""
        detail = {"issue": self.issue, "description": str(self)} | ({"field": self.field} if self.field else {})
        return told(self.name, [detail]) | ({"links": self.links} if self.links else {})


def told(name: str, details: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """An error's body; the message follows from its name."""
    message = MESSAGES.get(name, name)
    return {"name": name, "message": message, "details": details or [], "debug_id": secrets.token_hex(7)[:13]}


def malformed(issue: str, description: str, field: str | None = None) -> PaypalError:
    """The 400 for a request that does not look right."""
    return PaypalError(400, "INVALID_REQUEST", issue, description, field=field)


def refused(issue: str, description: str, links: list[dict[str, str]] | None = None) -> PaypalError:
    """The 422 for what cannot be done as things stand."""
    return PaypalError(422, "UNPROCESSABLE_ENTITY", issue, description, links=links)


def missing(what: str, key: str) -> PaypalError:
    """The 404 for an id that there is not."""
    return PaypalError(404, "RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID", f"There is no {what} {key}.")


def unauthenticated(description: str) -> PaypalError:
    """The 401 for a token that opens nothing."""
    return PaypalError(401, "AUTHENTICATION_FAILURE", "INVALID_TOKEN", description)
