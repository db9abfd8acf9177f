"""The control API: what payers, banks and people at PayPal's pages do; for tests, without tokens."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, request

from sandbox import problems
from sandbox.paypal import accounts, announce, ipn, messages, payments, transactions
from sandbox.paypal.engine import Call, Engine
from sandbox.paypal.errors import PaypalError
from sandbox.paypal.here import address, is_url
from sandbox.paypal.money import AmountError, parse_amount
from sandbox.paypal.transactions import Transaction, payer

# A transaction, what was asked → what is shown
Act = Callable[[Call, Transaction, dict[str, Any]], Transaction]
KINDS = {"ipns": messages.IPN, "events": messages.EVENT}


def create_control(engine: Engine) -> Blueprint:
    """Everything under /paypal/_control."""
    blueprint = Blueprint("paypal_control", __name__, url_prefix="/_control")
    _accounts(blueprint, engine)
    _transactions(blueprint, engine)
    _messages(blueprint, engine)

    @blueprint.errorhandler(PaypalError)
    def told(error: PaypalError) -> Response:
        status = 422 if error.status == 400 else error.status
        body = {"type": "about:blank", "title": "Refused", "status": status, "code": error.issue, "detail": str(error)}
        response = jsonify(body)
        response.status_code, response.content_type = status, "application/problem+json"
        return response

    @blueprint.delete("/data")
    def forget() -> Response:
        with engine.store.transaction():
            engine.store.clear()
        return Response(status=204)

    return blueprint


def _accounts(blueprint: Blueprint, engine: Engine) -> None:
    @blueprint.post("/accounts")
    def bind() -> Response:
        wanted = _json()
        email, client_id = _text(wanted, "email"), _text(wanted, "client_id", "")
        found = _checked(lambda: accounts.account_of(engine.store, email))
        if client_id:
            accounts.bind(engine.store, email, client_id)
        return jsonify(found.as_dict())

    @blueprint.get("/accounts/<email>")
    def show(email: str) -> Response:
        return jsonify(_checked(lambda: accounts.account_of(engine.store, email)).as_dict())

    @blueprint.put("/accounts/<email>")
    def change(email: str) -> Response:
        wanted = _json()
        url = _text(wanted, "notify_url") if "notify_url" in wanted else None
        charset = _text(wanted, "charset") if "charset" in wanted else None
        return jsonify(_checked(lambda: accounts.change(engine.store, email, url, charset)).as_dict())


def _transactions(blueprint: Blueprint, engine: Engine) -> None:
    @blueprint.post("/payments")
    def pay() -> Response:
        with engine.call(address()) as call:
            return jsonify(txn_id=_pay(call, _json()).id)

    @blueprint.get("/transactions")
    def listing() -> Response:
        return jsonify(data=[found.as_dict() for found in transactions.listed(engine.store)])

    @blueprint.post("/transactions/<key>/<action>")
    def act_on(key: str, action: str) -> Response:
        act = ACTIONS.get(action)
        if act is None:
            raise problems.not_found("action")
        wanted = _json()
        with engine.call(address()) as call:
            found = transactions.find(call.store, key)
            if found is None:
                raise problems.not_found("transaction")
            changed = act(call, found, wanted)
        return jsonify(changed.as_dict() | ({"case_id": changed.case} if changed.case else {}))


def _messages(blueprint: Blueprint, engine: Engine) -> None:
    @blueprint.post("/ipns")
    def make() -> Response:
        wanted = _json()
        url, body = _text(wanted, "url"), _body(wanted)
        if not is_url(url):
            raise problems.invalid("url must begin with http:// or https://")
        with engine.call(address()) as call:
            return jsonify(id=ipn.made(call, url, body))

    @blueprint.get("/<any(ipns, events):what>")
    def sent(what: str) -> Response:
        return jsonify(data=messages.listed(engine.store, KINDS[what]))

    @blueprint.post("/<any(ipns, events):what>/<key>/resend")
    def resend(what: str, key: str) -> Response:
        with engine.call(address()) as call:
            return jsonify(messages.resend(call, KINDS[what], key))


def _pay(call: Call, wanted: dict[str, Any]) -> Transaction:
    """A payment that came some other way than over the website."""
    currency = _text(wanted, "currency", "USD")
    account = _checked(lambda: accounts.account_of(call.store, _text(wanted, "business")))
    status = _text(wanted, "status", "Completed")
    if status not in ("Completed", "Pending"):
        raise problems.invalid("status must be Completed or Pending")
    reason = _text(wanted, "pending_reason", "echeck") if status == "Pending" else ""
    who = payer(_text(wanted, "payer_email", ""), _text(wanted, "first_name", ""), _text(wanted, "last_name", ""))
    return payments.pay(
        call, account.email, _text(wanted, "txn_type", "virtual_terminal"), _amount(wanted.get("amount"), currency),
        currency, who, echeck=reason == "echeck", pending_reason=reason, invoice=_text(wanted, "invoice", ""),
        custom=_text(wanted, "custom") if "custom" in wanted else None, notify_url=_text(wanted, "notify_url", ""),
    )  # fmt: skip


def _json() -> dict[str, Any]:
    wanted = request.get_json(force=True) if request.get_data() else {}
    if not isinstance(wanted, dict):
        raise problems.invalid("The body must be a JSON object.")
    return wanted


def _text(wanted: dict[str, Any], name: str, default: str | None = None) -> str:
    text = wanted.get(name)
    text = default if text is None else text
    if not isinstance(text, str):
        raise problems.invalid(f"{name} must be a text")
    return text


def _checked(read: Callable[[], accounts.Account]) -> accounts.Account:
    try:
        return read()
    except ValueError as error:
        raise problems.invalid(str(error)) from error


def _amount(written: Any, currency: str) -> int:
    try:
        return parse_amount(written, currency)
    except AmountError as error:
        raise problems.invalid(str(error)) from error


def _body(wanted: dict[str, Any]) -> bytes:
    """The bytes of an IPN: as given, or from fields in an encoding."""
    if "body_base64" in wanted:
        try:
            return base64.b64decode(_text(wanted, "body_base64"), validate=True)
        except binascii.Error as error:
            raise problems.invalid("body_base64 must be base64") from error
    fields, charset = wanted.get("fields"), _text(wanted, "charset", accounts.DEFAULT_CHARSET)
    if not isinstance(fields, dict) or not accounts.known_charset(charset):
        raise problems.invalid("fields must be an object, and charset a known encoding")
    return ipn.encoded(((name, str(text)) for name, text in fields.items()), charset)


def _refund(call: Call, found: Transaction, wanted: dict[str, Any]) -> Transaction:
    amount = wanted.get("amount")
    return payments.refund(call, found, None if amount is None else _amount(amount, found.currency))[0]


def _case(call: Call, found: Transaction, wanted: dict[str, Any]) -> Transaction:
    kind = _text(wanted, "type", "complaint")
    if kind not in announce.REASONS:
        raise problems.invalid(f"type must be one of {', '.join(announce.REASONS)}")
    return payments.open_case(call, found, kind)


def _close_case(call: Call, found: Transaction, wanted: dict[str, Any]) -> Transaction:
    return payments.close_case(call, found, won=_text(wanted, "outcome", "won") == "won")


ACTIONS: dict[str, Act] = {
    "refund": _refund,
    "reverse": lambda call, found, _wanted: payments.reverse(call, found),
    "cancel_reversal": lambda call, found, _wanted: payments.cancel_reversal(call, found),
    "clear": lambda call, found, _wanted: payments.clear(call, found),
    "bounce": lambda call, found, _wanted: payments.bounce(call, found),
    "deny": lambda call, found, _wanted: payments.deny(call, found),
    "case": _case,
    "close_case": _close_case,
}
