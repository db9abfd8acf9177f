"""Refusals: what the domain says no to, in words a person understands, with a stable code.

Use cases raise these; `common.web.problems` maps their class to an HTTP status.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with one field; `row` counts data rows from 1 where rows were sent."""

    field: str
    message: str
    row: int | None = None
    code: str | None = None
    candidates: Sequence[dict[str, Any]] | None = None

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if value is not None}


class Refused(Exception):
    """A request that cannot be met as it stands. Nothing was changed."""

    title = "The request was refused"

    def __init__(
        self,
        code: str,
        detail: str,
        errors: Sequence[FieldError] = (),
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        self.extra = extra


class Invalid(Refused):
    title = "Something in the request is not right"


class NotFound(Refused):
    title = "Not found"


class Conflict(Refused):
    title = "This conflicts with what is already there"


class Unauthenticated(Refused):
    title = "Who is asking is not known"


class Forbidden(Refused):
    title = "This caller may not do that"


class Unavailable(Refused):
    title = "Remit cannot answer right now"
