"""The webhooks of an account, and the check of what came to one."""

from __future__ import annotations

import json
from typing import Any

from sandbox.paypal import messages
from sandbox.paypal.errors import PaypalError, malformed, missing
from sandbox.paypal.events import TYPES
from sandbox.paypal.marks import new_id
from sandbox.paypal.routes import Ask, object_of, operation
from sandbox.paypal.shapes import link
from sandbox.paypal.signing import ALGORITHM, signed_text

WEBHOOKS = "/v1/notifications/webhooks"
MOST = 10


@operation("POST", WEBHOOKS, "webhooks")
def register(ask: Ask) -> tuple[int, Any]:
    """Have these events told to this URL."""
    url, types = ask.text("url", 2048), _types(ask.wanted.get("event_types"))
    if not url.startswith(("http://", "https://")):
        raise _invalid("VALIDATION_ERROR", "The url must begin with https://, or here also http://.")
    rows = ask.call.store.rows("SELECT url FROM webhook WHERE account = ?", ask.account.email)
    if (url,) in rows:
        raise _invalid("WEBHOOK_URL_ALREADY_EXISTS", "Webhook URL already exists.")
    if len(rows) >= MOST:
        raise _invalid("WEBHOOK_NUMBER_LIMIT_EXCEEDED", f"There are {MOST} webhooks already.")
    key = new_id()
    ask.call.store.run(
        "INSERT INTO webhook (id, account, url, types, address) VALUES (?,?,?,?,?)",
        key, ask.account.email, url, json.dumps(types), ask.call.address,
    )  # fmt: skip
    return 201, _body(ask, key, url, types)


@operation("GET", WEBHOOKS, "reads")
def list_all(ask: Ask) -> tuple[int, Any]:
    """All webhooks of the account."""
    return 200, {"webhooks": [_body(ask, *row) for row in _rows(ask)]}


@operation("GET", f"{WEBHOOKS}/{{id}}", "reads")
def show(ask: Ask, key: str) -> tuple[int, Any]:
    """One webhook."""
    return 200, _body(ask, *_row(ask, key))


@operation("DELETE", f"{WEBHOOKS}/{{id}}", "webhooks")
def remove(ask: Ask, key: str) -> tuple[int, Any]:
    """Tell it nothing more; what is under way to it is given up."""
    _row(ask, key)
    ask.call.store.run("DELETE FROM webhook WHERE id = ?", key)
    return 204, None


@operation("POST", "/v1/notifications/verify-webhook-signature", "verification")
def verify(ask: Ask) -> tuple[int, Any]:
    """Whether this event was sent so to this webhook of the account."""
    event, fields = object_of(ask.wanted, "webhook_event"), ask.wanted
    for name in ("auth_algo", "cert_url", "transmission_id", "transmission_sig", "transmission_time", "webhook_id"):
        if not isinstance(fields.get(name), str):
            raise malformed("VALIDATION_ERROR", f"{name} is missing.", f"/{name}")
    return 200, {"verification_status": "SUCCESS" if _verified(ask, fields, event) else "FAILURE"}


def _verified(ask: Ask, fields: dict[str, Any], event: dict[str, Any]) -> bool:
    rows = ask.call.store.rows(
        "SELECT m.body FROM message m JOIN webhook w ON w.account = m.account WHERE m.id = ? AND m.kind = ?"
        " AND w.id = ? AND w.account = ?",
        str(event.get("id")), messages.EVENT, fields["webhook_id"], ask.account.email,
    )  # fmt: skip
    # Compared as JSON: who asks has often parsed and written the event anew.
    if not rows or json.loads(rows[0][0]) != event or fields["auth_algo"] != ALGORITHM:
        return False
    certificate = ask.call.engine.certificate
    if not fields["cert_url"].endswith(f"/v1/notifications/certs/{certificate.id}"):
        return False
    text = signed_text(fields["transmission_id"], fields["transmission_time"], fields["webhook_id"], rows[0][0])
    return certificate.verified(text, fields["transmission_sig"])


def _types(wanted: Any) -> list[str]:
    names = [each.get("name") for each in wanted if isinstance(each, dict)] if isinstance(wanted, list) else []
    if not names:
        raise _invalid("VALIDATION_ERROR", "event_types must list at least one event.")
    for name in names:
        if name not in (*TYPES, "*"):
            raise _invalid("VALIDATION_ERROR", f"The sandbox has no event {name}.")
    return [str(name) for name in names]


def _invalid(name: str, description: str) -> PaypalError:
    return PaypalError(400, name, name, description)


def _rows(ask: Ask) -> list[tuple[str, str, list[str]]]:
    sql = "SELECT id, url, types FROM webhook WHERE account = ? ORDER BY seq"
    return [(key, url, json.loads(types)) for key, url, types in ask.call.store.rows(sql, ask.account.email)]


def _row(ask: Ask, key: str) -> tuple[str, str, list[str]]:
    for row in _rows(ask):
        if row[0] == key:
            return row
    raise missing("webhook", key)


def _body(ask: Ask, key: str, url: str, types: list[str]) -> dict[str, Any]:
    return {
        "id": key,
        "url": url,
        "event_types": [{"name": name, "status": "ENABLED"} for name in types],
        "links": [link(ask.call.address, f"{WEBHOOKS}/{key}", "self")],
    }
