"""Webhooks of Orders v2: kept with the headers that sign them, checked against PayPal's certificate, and taken as
hints: what they are about is asked for at PayPal."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import select

from common import clock
from common.gateway.calls import Refused
from common.runtime import Runtime
from gateway_paypal import webhooks
from gateway_paypal.client import certificate
from gateway_paypal.domain import translate
from gateway_paypal.domain.translate import Movement
from gateway_paypal.models import Checkout
from gateway_paypal.usecases import checkouts, refunds, telling
from gateway_paypal.usecases.accounts import Opened
from gateway_paypal.usecases.telling import Said, Understood
from gateway_paypal.webhooks import Headers

_MARK = b"paypal-webhook "
LATELY = timedelta(days=3)
Taken = tuple[tuple[Understood, ...], str | None]


@dataclass(frozen=True)
class Hook:
    """A webhook as it came: the headers that sign it, and its body."""

    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


def pack(headers: Headers, body: bytes) -> bytes:
    """Headers and body as one: the first line is the headers."""
    return _MARK + orjson.dumps(webhooks.headers_of(headers)) + b"\n" + body


def unpack(whole: bytes) -> Hook | None:
    """The webhook that was kept; None for what is none."""
    if not whole.startswith(_MARK):
        return None
    first, _, body = whole.removeprefix(_MARK).partition(b"\n")
    return Hook(orjson.loads(first), body)


def kind(body: bytes) -> str:
    found = _read(body)
    return str(found.get("event_type") or "unknown") if found else "unknown"


def _read(body: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def why_not_ours(runtime: Runtime, opened: Opened, hook: Hook) -> str | None:
    """Why a webhook is not acted on; None when PayPal signed it for this business. Raises Unknown, TryLater."""
    if opened.webhook_id is None:
        return "no webhook is registered for this business"
    settings: Any = runtime.settings
    now = clock.now()
    try:
        pem = certificate(settings, hook.headers["cert-url"])
        webhooks.verify(hook.headers, hook.body, opened.webhook_id, pem, now)
    except Refused as refused:
        return refused.message
    except webhooks.NotSigned as error:
        return str(error)
    if settings.paypal_api_base or webhooks.is_trusted(pem, now):
        return None
    # Where a chain cannot be followed here, PayPal itself is asked.
    is_paypals = opened.called().verify_webhook(_asked(hook, opened.webhook_id))
    return None if is_paypals else "PayPal says that it did not send this"


def _asked(hook: Hook, webhook_id: str) -> dict[str, Any]:
    named = {name.replace("-", "_"): value for name, value in hook.headers.items()}
    return {**named, "webhook_id": webhook_id, "webhook_event": _read(hook.body)}


def understand(runtime: Runtime, opened: Opened, hook: Hook) -> Taken:
    """What is to be told of a webhook that is PayPal's, and a remark. Raises customs.Foreign, Refused, Unknown."""
    event = _read(hook.body) or {}
    resource = event.get("resource")
    act = _BY_TYPE.get(str(event.get("event_type")))
    if act is None or not isinstance(resource, dict):
        return (), f"nothing is done for {event.get('event_type')}"
    return act(runtime, opened, resource)


def _approved(runtime: Runtime, opened: Opened, resource: dict[str, Any]) -> Taken:
    """The payer approved and may have closed the page: the money is taken."""
    order_id = str(resource.get("id") or "")
    with runtime.database.read() as session:
        query = select(Checkout.checkout_id).where(
            Checkout.business_id == opened.business_id, Checkout.order_id == order_id
        )
        checkout_id = session.scalars(query).first()
    if checkout_id is None:
        return (), "it is not this business's: its order was not made here"
    order = checkouts.captured_order(opened.called(), order_id, checkout_id)
    taken = [_of_capture(runtime, opened, payment, order) for payment in checkouts.captures_of(order)]
    return tuple(found for found, _ in taken if found), next((remark for _, remark in taken if remark), None)


def _captured(runtime: Runtime, opened: Opened, resource: dict[str, Any]) -> Taken:
    found, remark = _of_capture(runtime, opened, opened.called().capture(str(resource.get("id"))))
    return ((found,) if found else ()), remark


def _of_capture(
    runtime: Runtime, opened: Opened, payment: dict[str, Any], order: dict[str, Any] | None = None
) -> tuple[Understood | None, str | None]:
    movement = translate.of_capture(payment, clock.now())
    if isinstance(movement, str):
        return None, movement
    with runtime.database.read() as session:
        found = telling.understand(runtime, session, opened, movement, checkouts.said_of(payment, order))
    return found, found.remark


def _refunded(runtime: Runtime, opened: Opened, resource: dict[str, Any]) -> Taken:
    capture_id = _capture_of(resource)
    if capture_id is None:
        return (), "it does not say which payment it is of"
    custom = str(resource.get("custom_id") or "")
    mine = custom.removeprefix(refunds.MARK) or None if custom.startswith(refunds.MARK) else None
    return _moved(runtime, opened, translate.of_refund(resource, capture_id, mine, clock.now()))


def _reversed(runtime: Runtime, opened: Opened, resource: dict[str, Any]) -> Taken:
    """PayPal took a capture's money back, under an id of its own; where it names none, its report does."""
    capture_id = _capture_of(resource)
    if capture_id is None or capture_id == str(resource.get("id")):
        return _reported(runtime, opened, {str(resource.get("id"))})
    shown = translate.of_capture({**resource, "status": "COMPLETED"}, clock.now())
    if isinstance(shown, str):
        return (), shown
    movement = replace(shown, status=translate.REVERSED, parent_id=capture_id, fee_minor=None, reason="reversed")
    return _moved(runtime, opened, movement)


def _reported(runtime: Runtime, opened: Opened, payment_ids: set[str]) -> Taken:
    """What PayPal's report says that payments lost or got back lately. The report may follow hours later: then
    reconciling finds it, under the same ids."""
    now = clock.now()
    found: list[Understood] = []
    for line in opened.called().transactions(now - LATELY, now):
        movement = translate.of_report(line, now)
        if movement is not None and movement.parent_id in payment_ids:
            found += _moved(runtime, opened, movement)[0]
    return tuple(found), None if found else "PayPal's report does not show yet what moved; reconciling will find it"


def _moved(runtime: Runtime, opened: Opened, movement: Movement | str) -> Taken:
    if isinstance(movement, str):
        return (), movement
    with runtime.database.read() as session:
        return (telling.understand(runtime, session, opened, movement, Said()),), None


def _capture_of(resource: dict[str, Any]) -> str | None:
    for link in resource.get("links") or []:
        if link.get("rel") == "up":
            return str(link.get("href", "")).rstrip("/").rpartition("/")[2] or None
    return None


def _case(_runtime: Runtime, _opened: Opened, resource: dict[str, Any]) -> Taken:
    return (), f"case {resource.get('dispute_id')} is {resource.get('status')}: no money moved"


def _case_ended(runtime: Runtime, opened: Opened, resource: dict[str, Any]) -> Taken:
    """A case says how it ended, not what moved: the report does."""
    named = [about.get("seller_transaction_id") for about in resource.get("disputed_transactions") or []]
    payment_ids = {str(payment_id) for payment_id in named if payment_id}
    understood, _ = _reported(runtime, opened, payment_ids) if payment_ids else ((), None)
    return understood, None if understood else f"case {resource.get('dispute_id')} ended: no money moved"


_BY_TYPE = {
    "CHECKOUT.ORDER.APPROVED": _approved,
    "PAYMENT.CAPTURE.COMPLETED": _captured,
    "PAYMENT.CAPTURE.PENDING": _captured,
    "PAYMENT.CAPTURE.DENIED": _captured,
    "PAYMENT.CAPTURE.REFUNDED": _refunded,
    "PAYMENT.CAPTURE.REVERSED": _reversed,
    "CUSTOMER.DISPUTE.CREATED": _case,
    "CUSTOMER.DISPUTE.RESOLVED": _case_ended,
}
