"""Looking for secrets wherever a running system lets something out: logs, columns, events, e-mails, every GET."""

import io
import re
from collections.abc import Iterator
from typing import Any

import orjson
import requests
from pypdf import PdfReader

from common import clock
from tests.harness.system import SERVICES, Business, System

SECRET = re.compile(
    r"(sk|rk)_(test|live)_\w{8}|whsec_\w{8}|(pi|seti)_\w+_secret_\w{8}"
    r"|PRIVATE KEY|\beyJ[\w-]{20,}\.[\w-]{20,}\.[\w-]{20,}"
)
B = "/v1/businesses/{business_id}"
# Where the ids in a path are found: which list, and which of an item's fields. None is the service that is asked.
IDS: dict[str, tuple[str | None, str, str]] = {
    "client_id": ("billing", "/clients", "id"),
    "service_id": ("billing", "/services", "id"),
    "session_id": ("billing", "/sessions", "id"),
    "reference": ("billing", "/invoices", "number"),
    "payment_id": ("payments", "/payments", "id"),
    "batch_id": ("payments", "/payments", "batch_id"),
    "unmatched_id": ("payments", "/unmatched", "id"),
    "kind": ("notifications", "/email-texts", "kind"),
    "gateway": ("payments", "/payments", "gateway"),
    "gateway_payment_id": ("payments", "/payments", "gateway_payment_id"),
    "notice_id": (None, "/notices", "id"),
    "email_id": ("notifications", "/emails", "id"),
}


def logged(system: System) -> Iterator[tuple[str, str]]:
    """(where, text) of each process's log."""
    for name in system.names:
        if name != "sandbox":
            yield f"the log of {name}", system.log(name)


def stored(system: System) -> Iterator[tuple[str, str]]:
    """(where, text) of each row of each table; events are among them, in the outbox."""
    for service in SERVICES:
        for (table,) in system.sql(service, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
            for (row,) in system.sql(service, f'SELECT t::text FROM "{table}" t'):
                yield f"{service}.{table}", row


def mailed(system: System) -> Iterator[tuple[str, str]]:
    """(where, text) of each message in the sandbox's mail box."""
    messages = f"{system.url('sandbox')}/mail/messages"
    for message in requests.get(messages, params={"limit": 200}, timeout=10).json()["items"]:
        yield f"mail {message['id']}", orjson.dumps(message).decode()  # decoded: in the raw one, lines are broken


def answered(business: Business, system: System, known: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(path, text) of every documented GET of every service, for everything that its lists show; `known` are ids that
    no list shows. Raises KeyError for a path whose ids are nowhere, and AssertionError for one that is refused."""
    for service in SERVICES:
        document = requests.get(f"{system.url(service)}/openapi/openapi.json", timeout=10).json()
        for path, operations in document["paths"].items():
            if "get" in operations and path.startswith(B):
                yield from _every(business, service, path.removeprefix(B), operations["get"], known)


def _every(
    business: Business, service: str, path: str, operation: dict[str, Any], known: dict[str, str]
) -> Iterator[tuple[str, str]]:
    names = re.findall(r"\{(\w+)\}", path)
    today = clock.now().date()
    values = {"from": f"{today.year}-01-01", "to": f"{today.year}-12-31", "limit": 200}
    params = {
        parameter["name"]: values[parameter["name"]]
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query" and (parameter.get("required") or parameter["name"] == "limit")
    }
    for ids in _found(business, service, names, known):
        filled = path.format(**ids)
        answer = business.call("GET", service, filled, params=params)
        assert answer.status_code == 200, f"{filled}: {answer.text}"
        is_pdf = answer.content.startswith(b"%PDF")
        yield f"GET {service} {filled}", _text_of(answer.content) if is_pdf else answer.text


def _text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def _found(business: Business, service: str, names: list[str], known: dict[str, str]) -> list[dict[str, str]]:
    """What may stand in a path's places, from one list's items."""
    if known.keys() >= set(names):
        return [{name: known[name] for name in names}]
    owner, path, _ = IDS[names[0]]
    items = business.call("GET", owner or service, path, params={"limit": 200}).json()["items"]
    return [found for item in items if all((found := {name: item[IDS[name][2]] for name in names}).values())]
