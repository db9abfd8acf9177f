"""Events of the API, and the webhooks that are told of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sandbox.paypal import messages
from sandbox.paypal.marks import iso, new_id

if TYPE_CHECKING:
    from sandbox.paypal.engine import Call

TYPES = (
    "CHECKOUT.ORDER.APPROVED", "PAYMENT.CAPTURE.COMPLETED", "PAYMENT.CAPTURE.PENDING", "PAYMENT.CAPTURE.DENIED",
    "PAYMENT.CAPTURE.REFUNDED", "PAYMENT.CAPTURE.REVERSED", "CUSTOMER.DISPUTE.CREATED", "CUSTOMER.DISPUTE.RESOLVED",
)  # fmt: skip


def emit(call: Call, account: str, kind: str, resource_type: str, resource: dict[str, Any], summary: str) -> str:
    """Keep the event with the resource as it is now, and a delivery for each webhook that asked for its type."""
    key = f"WH-{new_id(17)}-{new_id(17)}"
    link = f"{call.address}/v1/notifications/webhooks-events/{key}"
    event = {
        "id": key,
        "event_version": "1.0",
        "create_time": iso(call.now),
        "resource_type": resource_type,
        "resource_version": "2.0",
        "event_type": kind,
        "summary": summary,
        "resource": resource,
        "links": [{"href": link, "rel": "self", "method": "GET"}],
    }
    body = json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")
    messages.keep(call, messages.EVENT, key, account, body)
    for webhook, types in call.store.rows("SELECT id, types FROM webhook WHERE account = ? ORDER BY seq", account):
        if {"*", kind} & set(json.loads(types)):
            messages.send(call, key, webhook)
    return key
