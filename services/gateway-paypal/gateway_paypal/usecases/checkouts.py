"""Checkouts: the payer is sent to PayPal, by a form (Website Payments Standard) or an order (Orders v2), and comes
back. What became of it is told by PayPal, never by the browser."""

from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy.orm import Session

from common import clock
from common.auth import Caller
from common.directory import BusinessFacts, Directory
from common.errors import Conflict, Invalid, NotFound, Unavailable
from common.gateway import operations
from common.gateway.calls import Refused, Unknown, plainly
from common.gateway.models import Operation
from common.runtime import Runtime
from gateway_paypal.client import CREDENTIALS_REFUSED, GATEWAY, PayPal
from gateway_paypal.domain import amounts, translate
from gateway_paypal.models import Checkout
from gateway_paypal.usecases import accounts, customs, telling
from gateway_paypal.usecases.accounts import Opened
from gateway_paypal.usecases.telling import Said


@dataclass(frozen=True)
class Wanted:
    """A payment to send somebody to PayPal for."""

    client_id: str
    amount_minor: int
    return_url: str
    cancel_url: str
    currency: str | None = None
    invoice_number: str | None = None


def start(
    runtime: Runtime, business_id: str, wanted: Wanted, caller: Caller, request_key: str | None
) -> tuple[dict[str, Any], bool]:
    """{"checkout_id", "method", "action_url", "fields"}: where the browser goes. Raises NotFound, Forbidden, Conflict,
    Invalid, Unavailable."""
    opened, business = _prepare(runtime, business_id, wanted, caller)
    settings: Any = runtime.settings

    def act(operation: Operation) -> dict[str, Any]:
        if opened.checkout == accounts.STANDARD:
            return {}
        body = _order(runtime, business, wanted, operation)
        return opened.called().create_order(body, operations.idempotency_key(operation, "order"))

    def record(session: Session, operation: Operation, order: dict[str, Any]) -> dict[str, Any]:
        _keep(session, opened, operation, wanted, business.currency, caller, order.get("id"))
        if order:
            return _sent(operation, "GET", _approve_link(order), {})
        fields = _form(runtime, opened, business, wanted, operation)
        return _sent(operation, "POST", settings.checkout_url(opened.mode), fields)

    return operations.run(
        GATEWAY, runtime.database, business_id, "checkout", caller.sub, request_key, dict(vars(wanted)), opened.mode,
        act, lambda _operation: None, record,
    )  # fmt: skip


def find(session: Session, business_id: str, checkout_id: str) -> Checkout:
    """The checkout, or NotFound."""
    checkout = session.get(Checkout, (business_id, checkout_id))
    if checkout is None:
        raise NotFound("not_found", "There is no such PayPal payment under way.")
    return checkout


def as_json(checkout: Checkout) -> dict[str, Any]:
    return {
        "checkout_id": checkout.checkout_id,
        "status": checkout.state,
        "client_id": checkout.client_id,
        "amount_minor": checkout.amount_minor,
        "currency": checkout.currency,
        "invoice_number": checkout.invoice_number,
        "gateway_payment_id": checkout.txn_id,
        "created_at": checkout.created_at,
    }


def capture(runtime: Runtime, business_id: str, checkout_id: str) -> dict[str, Any]:
    """Take the money that a payer has approved; answers the checkout, with `detail` where it was not taken. An order is
    captured once, however often this is asked: PayPal is asked first what is so. Raises NotFound, Conflict,
    Unavailable."""
    with runtime.database.read() as session:
        checkout = find(session, business_id, checkout_id)
        if checkout.state in ("paid", "pending") or checkout.kind == accounts.STANDARD:
            return as_json(checkout)
        opened = accounts.open_account(runtime, session, business_id)
    assert checkout.order_id is not None
    try:
        with plainly(GATEWAY):
            order = captured_order(opened.called(), checkout.order_id, checkout_id)
    except Conflict as refused:
        if refused.code == "order_not_approved":
            raise Conflict(
                "order_not_approved", "The payer has not approved it at PayPal yet. Nothing was charged."
            ) from refused
        if refused.code == CREDENTIALS_REFUSED:  # it says nothing of the order, which may be taken yet
            return {**as_json(checkout), "detail": refused.detail}
        _give_up(runtime, business_id, checkout_id)
        return {**as_json(checkout), "status": "declined", "detail": refused.detail}
    for payment in captures_of(order):
        found = translate.of_capture(payment, clock.now())
        if isinstance(found, translate.Movement):
            with runtime.database.write() as session:
                understood = telling.understand(runtime, session, opened, found, said_of(payment, order))
                telling.tell(session, business_id, understood)
    with runtime.database.read() as session:
        return as_json(find(session, business_id, checkout_id))


def _give_up(runtime: Runtime, business_id: str, checkout_id: str) -> None:
    """The payer is told that it was not paid, and may pay otherwise: the clock takes it no more. Whoever approves it
    again and comes back still can."""
    with runtime.database.write() as session:
        checkout = session.get_one(Checkout, (business_id, checkout_id), with_for_update=True)
        if checkout.state == "waiting":
            checkout.state = "failed"


def captured_order(paypal: PayPal, order_id: str, checkout_id: str) -> dict[str, Any]:
    """The order with its captures, captured now unless it was. Raises Refused, Unknown, TryLater."""
    order = paypal.order(order_id)
    if captures_of(order):
        return order
    try:
        return paypal.capture_order(order_id, f"remit-{checkout_id}-capture")
    except Refused as refused:
        if refused.code == "order_already_captured":
            return paypal.order(order_id)
        raise
    except Unknown:
        order = paypal.order(order_id)  # whatever it did not answer, it shows
        if captures_of(order):
            return order
        raise


def captures_of(order: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        payment
        for unit in order.get("purchase_units") or []
        for payment in (unit.get("payments") or {}).get("captures") or []
    ]


def said_of(payment: dict[str, Any], order: dict[str, Any] | None = None) -> Said:
    """Whose a capture is, as it says itself."""
    payer = (order or {}).get("payer") or {}
    return Said(
        custom=str(payment.get("custom_id") or ""), invoice=str(payment.get("invoice_id") or ""),
        payer_id=str(payer.get("payer_id") or ""), payer_email=str(payer.get("email_address") or ""),
    )  # fmt: skip


def _prepare(runtime: Runtime, business_id: str, wanted: Wanted, caller: Caller) -> tuple[Opened, BusinessFacts]:
    """Everything that can refuse a payment before PayPal is asked."""
    with runtime.database.read() as session:
        directory = Directory(runtime, session, business_id)
        business = directory.business()
        client = directory.client(wanted.client_id)
        if client is None:
            raise NotFound("not_found", "There is no such client.")
        if caller.client_id is not None:
            accounts.require_client_payments(session, business_id)
        if client.is_inactive(clock.today(business.time_zone)):
            raise Conflict("client_inactive", f"{client.name} is inactive and cannot start a payment.")
        errors = amounts.problems(wanted.amount_minor, wanted.currency, business.currency)
        if errors:
            raise Invalid(errors[0].code or "validation_failed", f"{errors[0].message}.", errors)
        return accounts.open_account(runtime, session, business_id), business


def _keep(
    session: Session, opened: Opened, operation: Operation, wanted: Wanted, currency: str, caller: Caller,
    order_id: str | None,
) -> None:  # fmt: skip
    session.add(
        Checkout(
            business_id=opened.business_id,
            checkout_id=operation.operation_id,
            mode=opened.mode,
            kind=accounts.ORDERS if order_id else accounts.STANDARD,
            client_id=wanted.client_id,
            amount_minor=wanted.amount_minor,
            currency=currency,
            invoice_number=wanted.invoice_number,
            actor=orjson.dumps(caller.actor).decode(),
            invoice_id=_invoice_id(wanted, operation),
            order_id=order_id,
            state="waiting",
            txn_id=None,
            created_at=clock.now(),
        )
    )
    session.flush()


def _invoice_id(wanted: Wanted, operation: Operation) -> str:
    """Fresh for each attempt: PayPal takes no second payment for the same one."""
    return f"{wanted.invoice_number or 'account'}-{operation.operation_id[-12:]}"


def _sent(operation: Operation, method: str, action_url: str, fields: dict[str, str]) -> dict[str, Any]:
    return {
        "checkout_id": operation.operation_id, "method": method, "action_url": action_url, "fields": fields
    }  # fmt: skip


def _words(business: BusinessFacts, wanted: Wanted) -> str:
    """What the payer sees that it is for."""
    return (f"Invoice {wanted.invoice_number}" if wanted.invoice_number else f"Payment to {business.name}")[:127]


def _form(
    runtime: Runtime, opened: Opened, business: BusinessFacts, wanted: Wanted, operation: Operation
) -> dict[str, str]:
    settings: Any = runtime.settings
    fields = {
        "cmd": "_xclick",
        "business": opened.business_email,
        "item_name": _words(business, wanted),
        "amount": amounts.to_text(wanted.amount_minor, business.currency),
        "currency_code": business.currency,
        "invoice": _invoice_id(wanted, operation),
        "custom": customs.custom_of(runtime.signer, business.business_id, operation.operation_id),
        "return": _back(wanted.return_url, operation),
        "cancel_return": _back(wanted.cancel_url, operation),
        "rm": "1",
        "no_shipping": "1",
        "no_note": "1",
        "charset": "utf-8",
    }
    if settings.callback_base_url:
        fields["notify_url"] = settings.ipn_url(business.business_id)
    return fields


def _order(runtime: Runtime, business: BusinessFacts, wanted: Wanted, operation: Operation) -> dict[str, Any]:
    context = {
        "return_url": _back(wanted.return_url, operation), "cancel_url": _back(wanted.cancel_url, operation),
        "shipping_preference": "NO_SHIPPING",
        "user_action": "PAY_NOW", "brand_name": business.name[:127],
    }  # fmt: skip
    unit = {
        "amount": {
            "currency_code": business.currency, "value": amounts.to_text(wanted.amount_minor, business.currency),
        },
        "custom_id": customs.custom_of(runtime.signer, business.business_id, operation.operation_id),
        "invoice_id": _invoice_id(wanted, operation),
        "description": _words(business, wanted),
    }  # fmt: skip
    return {
        "intent": "CAPTURE", "purchase_units": [unit],
        "payment_source": {"paypal": {"experience_context": context}},
    }  # fmt: skip


def _back(url: str, operation: Operation) -> str:
    """Where the payer comes back to, with the checkout's id: who sent them has no id yet."""
    glue = "&" if "?" in url else "?"
    return f"{url}{glue}checkout_id={operation.operation_id}"


def _approve_link(order: dict[str, Any]) -> str:
    links = {link["rel"]: link["href"] for link in order.get("links") or []}
    found = links.get("payer-action") or links.get("approve")
    if found is None:
        raise Unavailable("paypal_unavailable", "PayPal made an order and named no page for it. Try again.")
    return str(found)
