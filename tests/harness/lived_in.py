"""The demo business, lived in: one of everything that a page can be about, and all of it is Ada's where it can be."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import requests

from common.testing import eventually
from tests.harness.embedded import Embedded
from tests.harness.portal import Visitor
from tests.integration.story import confirm_as_browser


def lived_in(remit: Embedded) -> dict[str, str]:
    """What stands in the portal's paths: argument → value."""
    ada = str(remit.endpoints["client"]["client_id"])
    line = {"description": "Sheet music", "amount_minor": 1250}
    invoice = _made(remit, "billing", "/invoices", {"client_id": ada, "lines": [line]})
    rows = [{"client_id": ada, "amount_minor": 700, "method": "cash"}]
    batch = _made(remit, "payments", "/payments/batch", {"payments": rows})
    staff = Visitor(remit.url("portal")).sign_in(**remit.endpoints["staff"])
    return {
        "client_id": ada,
        "payment_id": batch["payments"][0]["id"],
        "batch_id": batch["batch_id"],
        "reference": invoice["number"],
        "session_id": _first(remit, "billing", f"/sessions?client_id={ada}&status=scheduled")["id"],
        "service_id": _first(remit, "billing", "/services")["id"],
        "card_id": _saved_card(remit, ada),
        "unmatched_id": _unmatched(remit),
        "email_id": eventually_first(remit, "notifications", f"/emails?client_id={ada}")["id"],
        "user_id": _linked(staff, "/settings/team", r"/settings/team/([\w-]{36})"),
        "run_id": staff.post("/balances", {"whom": "all", "what": "email"}).headers["Location"].rpartition("/")[2],
        "topic": "receipts",
        "how": "complete",
        "kind": "pdf",
        "mail_texts.kind": "receipt",
        "notice_id": eventually_first(remit, "gateway-stripe", "/notices")["id"],
        "gateway": "stripe",
        "service": "billing",
        "event_id": _dead_event(remit),
        "key_id": _team_key(staff),
    }


def _saved_card(remit: Embedded, client_id: str) -> str:
    body = {"client_id": client_id, "amount_minor": 1300, "initiated_by": "staff", "save_card": True}
    confirm_as_browser(remit, _made(remit, "gateway-stripe", "/stripe/payment-intents", body))
    return str(eventually_first(remit, "gateway-stripe", f"/clients/{client_id}/payment-methods")["id"])


def _unmatched(remit: Embedded) -> str:
    """Money of PayPal's Virtual Terminal with an invoice number that nobody knows."""
    account = remit.call("GET", "gateway-paypal", "/paypal").json()["business_email"]
    paid = {"business": account, "amount": "20.00", "currency": "USD", "invoice": "no such invoice"}
    assert requests.post(f"{remit.url('sandbox')}/paypal/_control/payments", json=paid, timeout=10).ok
    return str(eventually_first(remit, "payments", "/unmatched")["id"])


def _dead_event(remit: Embedded) -> str:
    """An event that billing could not handle, as a fault of somebody else's would leave it."""
    row = {
        "event_id": "lived-in", "type": "PaymentRecorded", "business_id": remit.id, "state": "dead", "attempts": 10,
        "received_at": "2026-11-01 10:00:00.000000", "reason": "UndecodableEvent: no amount", "body": "{}",
    }  # fmt: skip
    with closing(sqlite3.connect(Path(remit.environ["VAR_DIR"]) / "billing.sqlite", timeout=10)) as billing, billing:
        billing.execute(f"INSERT INTO inbox ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", [*row.values()])
    return row["event_id"]  # type: ignore[return-value]


def _team_key(administrator: Visitor) -> str:
    said = {"name": "Reporting", "scope": ["payments:read"], "attempt": "lived-in"}
    found = re.search(r'value="(team-\w+)"', administrator.post("/settings/api-tokens", said).text)
    assert found is not None
    return found[1]


def _linked(person: Visitor, path: str, link: str) -> str:
    """What the first link of its kind on a page leads to."""
    found = re.search(link, person.get(path).text)
    assert found is not None, f"{path} has no link like {link}"
    return found[1]


def _made(remit: Embedded, service: str, path: str, body: dict[str, Any]) -> Any:
    answer = remit.call("POST", service, path, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def _first(remit: Embedded, service: str, path: str) -> Any:
    return remit.call("GET", service, path).json()["items"][0]


def eventually_first(remit: Embedded, service: str, path: str) -> Any:
    """The first of a list, once there is one."""
    eventually(lambda: bool(remit.call("GET", service, path).json()["items"]), f"something in {path}")
    return _first(remit, service, path)
