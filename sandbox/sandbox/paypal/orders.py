"""Orders v2: made by the merchant, approved by the payer, captured by the merchant."""

from __future__ import annotations

from typing import Any

from sandbox.paypal import events, payments, shapes, transactions
from sandbox.paypal.engine import Call
from sandbox.paypal.errors import PaypalError, malformed, missing, refused
from sandbox.paypal.here import public
from sandbox.paypal.marks import iso, new_id
from sandbox.paypal.money import AmountError, parse_amount, value
from sandbox.paypal.routes import Ask, object_of, operation, text_of
from sandbox.paypal.shapes import link
from sandbox.paypal.store import Body
from sandbox.paypal.transactions import Payer

KIND = "order"
ORDERS = "/v2/checkout/orders"
LONGEST_CUSTOM = 255
LONGEST_INVOICE = 127
DECLINED = "declined"
ECHECK = "echeck"


@operation("POST", ORDERS, "orders")
def create(ask: Ask) -> tuple[int, Any]:
    """A new order for one thing to pay."""
    if ask.text("intent", 20) != "CAPTURE":
        raise malformed("INVALID_PARAMETER_VALUE", "The sandbox knows the intent CAPTURE only.", "/intent")
    units = ask.wanted.get("purchase_units")
    if not isinstance(units, list) or not units or not isinstance(units[0], dict):
        raise malformed("MISSING_REQUIRED_PARAMETER", "There must be purchase_units.", "/purchase_units")
    if len(units) > 1:
        raise refused("MAX_NUMBER_OF_PURCHASE_UNITS_EXCEEDED", "The sandbox takes exactly one purchase unit.")
    with_source = "paypal" in object_of(ask.wanted, "payment_source")
    return_url, cancel_url = _ways_back(ask)
    order = {
        "id": new_id(),
        "account": ask.account.email,
        "status": "PAYER_ACTION_REQUIRED" if with_source else "CREATED",
        "created": ask.call.now,
        **_unit(units[0]),
        "with_source": with_source,
        "return_url": return_url,
        "cancel_url": cancel_url,
        "pay_with": "",
        "payer": None,
        "capture": "",
    }
    ask.call.store.insert(KIND, order["id"], ask.account.email, ask.call.now, order)
    return 201, order_body(ask.call, order)


@operation("GET", f"{ORDERS}/{{id}}", "reads")
def show(ask: Ask, key: str) -> tuple[int, Any]:
    """An order as it is now."""
    return 200, order_body(ask.call, _order(ask, key))


@operation("POST", f"{ORDERS}/{{id}}/capture", "capture")
def capture(ask: Ask, key: str) -> tuple[int, Any]:
    """Take the money of an approved order."""
    order = _order(ask, key)
    if order["status"] == "COMPLETED":
        raise refused("ORDER_ALREADY_CAPTURED", "Order already captured.")
    if order["status"] != "APPROVED":
        raise refused(
            "ORDER_NOT_APPROVED", "Payer has not yet approved the Order for payment.", _approve_links(ask, order)
        )
    if transactions.invoice_used(ask.call.store, order["account"], order["invoice_id"]):
        raise refused("DUPLICATE_INVOICE_ID", "Requested invoice number has been previously captured.")
    if order["pay_with"] == DECLINED:
        text = "The instrument presented was either declined by the processor or bank, or it can't be used."
        raise refused("INSTRUMENT_DECLINED", text, _approve_links(ask, order, "redirect"))
    paid = payments.pay(
        ask.call, order["account"], "capture", order["amount_minor"], order["currency"], Payer(**order["payer"]),
        echeck=order["pay_with"] == ECHECK, invoice=order["invoice_id"], custom=order["custom_id"] or None,
        item_name=order["description"], order=order["id"],
    )  # fmt: skip
    order |= {"status": "COMPLETED", "capture": paid.id}
    ask.call.store.update(order["id"], order)
    return 201, order_body(ask.call, order)


def order_of(call: Call, key: str) -> Body | None:
    """The order with this id, of any account: for the payer's page."""
    return call.store.find(KIND, key)


def approve(call: Call, order: Body, payer: Payer, pay_with: str) -> Body:
    """The payer agrees. Raises PaypalError when the order was paid already."""
    if order["status"] == "COMPLETED":
        raise refused("ORDER_ALREADY_CAPTURED", "This order is paid already.")
    first = order["status"] != "APPROVED"
    members = {"id": payer.id, "email": payer.email, "first_name": payer.first_name, "last_name": payer.last_name}
    order = order | {"status": "APPROVED", "payer": members, "pay_with": pay_with}
    call.store.update(order["id"], order)
    if first:
        body = order_body(call, order)
        text = "An order has been approved by buyer"
        events.emit(call, order["account"], "CHECKOUT.ORDER.APPROVED", "checkout-order", body, text)
    return order


def order_body(call: Call, order: Body) -> dict[str, Any]:
    """An order as the API shows it."""
    unit: dict[str, Any] = {
        "reference_id": order["reference_id"],
        "amount": value(order["amount_minor"], order["currency"]),
        "payee": {"email_address": order["account"]},
    }
    unit |= {name: order[name] for name in ("description", "custom_id", "invoice_id") if order[name]}
    body: dict[str, Any] = {"id": order["id"], "intent": "CAPTURE", "status": order["status"]}
    paid = transactions.find(call.store, order["capture"]) if order["capture"] else None
    if paid is not None:
        unit["payments"] = {"captures": [shapes.capture_body(paid, call.address)]}
    body |= {"purchase_units": [unit], "create_time": iso(order["created"])}
    if order["payer"]:
        payer = shapes.payer_body(Payer(**order["payer"]))
        source = {"email_address": payer["email_address"], "account_id": payer["payer_id"], "name": payer["name"]}
        body |= {"payer": payer, "payment_source": {"paypal": source}}
    elif order["with_source"]:
        body |= {"payment_source": {"paypal": {}}}
    return body | {"links": _links(call.address, order)}


def _links(address: str, order: Body) -> list[dict[str, str]]:
    path = f"{ORDERS}/{order['id']}"
    found = [link(address, path, "self")]
    if order["status"] in ("CREATED", "PAYER_ACTION_REQUIRED"):
        found.append(_approve_link(address, order, "payer-action" if order["with_source"] else "approve"))
    if order["status"] in ("CREATED", "APPROVED"):
        found.append(link(address, f"{path}/capture", "capture", "POST"))
    return found


def _approve_link(address: str, order: Body, rel: str) -> dict[str, str]:
    return link(public(address), f"/checkoutnow?token={order['id']}", rel)


def _approve_links(ask: Ask, order: Body, rel: str | None = None) -> list[dict[str, str]]:
    return [_approve_link(ask.call.address, order, rel or ("payer-action" if order["with_source"] else "approve"))]


def _order(ask: Ask, key: str) -> Body:
    order = ask.call.store.find(KIND, key, ask.account.email)
    if order is None:
        raise missing("order", key)
    return order


def _ways_back(ask: Ask) -> tuple[str, str]:
    source = object_of(object_of(ask.wanted, "payment_source"), "paypal")
    context = object_of(source, "experience_context") or object_of(ask.wanted, "application_context")
    found = tuple(text_of(context, name, 2048) for name in ("return_url", "cancel_url"))
    for url in found:
        if url and not url.startswith(("http://", "https://")):
            raise malformed("INVALID_PARAMETER_SYNTAX", f"This is no URL: {url}", "/return_url")
    return found[0], found[1]


def _unit(unit: dict[str, Any]) -> dict[str, Any]:
    """What the purchase unit tells. Raises PaypalError."""
    amount = object_of(unit, "amount")
    currency = text_of(amount, "currency_code", 3)
    if not currency or not isinstance(amount.get("value"), str):
        raise malformed("MISSING_REQUIRED_PARAMETER", "A currency_code and a value are needed.", "/amount")
    return {
        "amount_minor": amount_of(amount["value"], currency),
        "currency": currency,
        "reference_id": text_of(unit, "reference_id", 256, "default"),
        "description": text_of(unit, "description", 3000),
        "custom_id": text_of(unit, "custom_id", LONGEST_CUSTOM),
        "invoice_id": text_of(unit, "invoice_id", LONGEST_INVOICE),
    }


def amount_of(written: Any, currency: str) -> int:
    """An amount in minor units. Raises PaypalError."""
    try:
        return parse_amount(written, currency)
    except AmountError as error:
        raise PaypalError(422, "UNPROCESSABLE_ENTITY", error.issue, str(error)) from error
