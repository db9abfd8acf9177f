"""How another service is asked: with the person's token, a scope for what is done, and refusals raised again here."""

import re
from typing import TYPE_CHECKING, Any, ClassVar

import requests
from flask import g, has_request_context

from common.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, Refused, Unauthenticated, Unavailable
from common.runtime import PEER_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from portal.peers import Remit

_ID = re.compile(r"[\w-]{1,100}", re.ASCII)
_REFUSALS: dict[int, type[Refused]] = {
    401: Unauthenticated, 403: Forbidden, 404: NotFound, 409: Conflict, 503: Unavailable,
}  # fmt: skip

Actor = dict[str, str]
Query = dict[str, Any]
Answer = dict[str, Any]


class Peer:
    """One other service. `reads` and `writes` are the scopes that calls of its name need unless told otherwise."""

    name: str
    reads: ClassVar[str]
    writes: ClassVar[str]

    def __init__(self, remit: "Remit") -> None:
        self._remit = remit

    @property
    def root(self) -> str:
        """What the paths of this peer begin with."""
        return f"/v1/businesses/{safe(self._remit.business_id)}"

    @property
    def business_id(self) -> str:
        """Whose token is sent."""
        return self._remit.business_id

    def get(self, path: str, params: Query | None = None, **options: Any) -> Answer:
        return dict(self.ask("GET", path, params=_told(params), **options).json())

    def items(self, path: str, params: Query | None = None, **options: Any) -> list[Answer]:
        """One page of a list, without its cursor."""
        return list(self.get(path, params, **options)["items"])

    def post(self, path: str, body: Any = None, key: str | None = None, **options: Any) -> Answer:
        """`key` is the attempt's idempotency key: the same one again answers what the first one did."""
        return dict(self.ask("POST", path, body, key, **options).json())

    def put(self, path: str, body: Any, **options: Any) -> Answer:
        return dict(self.ask("PUT", path, body, **options).json())

    def patch(self, path: str, body: Any, **options: Any) -> Answer:
        return dict(self.ask("PATCH", path, body, **options).json())

    def delete(self, path: str, **options: Any) -> None:
        self.ask("DELETE", path, **options)

    def file(self, path: str, params: Query | None = None, accept: str | None = None) -> requests.Response:
        """A PDF or, with `accept="text/csv"`, a list as CSV: streamed, to be passed on as it comes."""
        headers = {"Accept": accept} if accept else {}
        return self.ask("GET", path, params=_told(params), headers=headers, stream=True)

    def ask(
        self, method: str, path: str, body: Any = None, key: str | None = None, *, scope: str | None = None,
        timeout_seconds: float | None = None, **options: Any,
    ) -> requests.Response:  # fmt: skip
        """`path` is below the business, or where else this peer is asked. Raises what was refused."""
        remit = self._remit
        if self.name in remit.away:
            raise remit.away[self.name]
        if body is not None:
            options["json"] = body
        if key is not None:
            options["headers"] = {**options.get("headers", {}), "Idempotency-Key": key}
        if timeout_seconds is not None:
            options["timeout"] = (PEER_TIMEOUT_SECONDS[0], timeout_seconds)
        if has_request_context():
            g.api_calls = g.get("api_calls", 0) + 1
        try:
            answer = remit.runtime.ask(
                self.name, method, f"{self.root}{path}",
                scope=scope or (self.reads if method == "GET" else self.writes),
                business_id=self.business_id, actor=remit.actor, **options,
            )  # fmt: skip
        except Unavailable as silence:
            if method == "GET":  # a write may have been slow for a reason of its own
                remit.away[self.name] = silence
            raise
        if not answer.ok:
            raise _refusal(answer)
        return answer


def safe(part: str) -> str:
    """An id that may stand in a path. What was typed into an address and is none is answered as not there."""
    if not _ID.fullmatch(part):
        raise NotFound("not_found", "There is no such thing here.")
    return part


def _told(params: Query | None) -> Query:
    """A query without what was left empty in a form."""
    return {name: value for name, value in (params or {}).items() if value not in (None, "")}


def _refusal(answer: requests.Response) -> Refused:
    try:
        problem = dict(answer.json())
    except (ValueError, TypeError):
        problem = {}
    detail = str(problem.get("detail") or "It was refused, without a reason.")
    known = {"field", "message", "row", "code", "candidates"}
    errors = [
        FieldError(**{"field": "", "message": "", **{name: error[name] for name in known & set(error)}})
        for error in problem.get("errors", [])
        if isinstance(error, dict)
    ]
    spoken_for = {"type", "title", "status", "code", "detail", "errors"}
    extra = {name: value for name, value in problem.items() if name not in spoken_for}
    refused = _REFUSALS.get(answer.status_code, Invalid)
    return refused(str(problem.get("code") or "refused"), detail, errors, None, **extra)
