"""Website Payments Standard: the payer's page, and the check of IPNs at the same address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.paypal import ipn, messages, payments, transactions
from sandbox.paypal.accounts import Account, account_of, known_charset
from sandbox.paypal.engine import Engine
from sandbox.paypal.here import address, go, is_url, notice, page
from sandbox.paypal.money import AmountError, parse_amount, worded
from sandbox.paypal.transactions import Transaction, payer

VALIDATE = b"cmd=_notify-validate&"
FIELDS = ("business", "item_name", "item_number", "amount", "currency_code", "invoice", "custom", "notify_url",
          "return", "cancel_return", "rm")  # fmt: skip
BY_POST = "2"
WITHOUT_DATA = "1"
LONGEST = {"invoice": 127, "custom": 255, "item_name": 127, "item_number": 127}
Form = Mapping[str, str]


def create_webscr(engine: Engine) -> Blueprint:
    """/cgi-bin/webscr, and where its page sends its form."""
    blueprint = Blueprint("webscr", __name__)

    @blueprint.route("/cgi-bin/webscr", methods=["GET", "POST"])
    def webscr() -> AnyResponse:
        if not request.headers.get("User-Agent"):
            return Response("A User-Agent is needed.", status=403, content_type="text/plain")
        # Read before anything looks at request.form, after which nothing would be left.
        raw = request.get_data() if request.method == "POST" else request.query_string
        if request.method == "POST" and raw.startswith(VALIDATE):
            return _check(engine, raw[len(VALIDATE) :])
        form = _decoded(raw)
        if form.get("cmd") == "_notify-validate":
            return _word("INVALID")
        if form.get("cmd") != "_xclick":
            return notice(
                "This link does not work", "PayPal was asked for something that the sandbox does not do.", 400
            )
        return _shown(engine, form)

    @blueprint.route("/cgi-bin/webscr/moved", methods=["GET", "POST"])
    def moved() -> AnyResponse:
        return _word("VERIFIED")

    @blueprint.post("/webscr/pay")
    def pay() -> AnyResponse:
        return _answered(engine, request.form)

    return blueprint


def _check(engine: Engine, body: bytes) -> AnyResponse:
    """VERIFIED when these very bytes were an IPN of ours; or what the fault in force makes of it."""
    faults = engine.faults.faults
    if faults.verifier == "away":
        return Response("Service unavailable", status=503, content_type="text/plain")
    if faults.verifier == "html":
        return notice(
            "Something is not right", "We are sorry, we cannot do that at the moment. VERIFIED or not: try later."
        )
    if faults.verifier == "redirect":
        # A trap: whoever follows hears what they must not believe.
        return redirect(f"{address()}/cgi-bin/webscr/moved", 302)
    if faults.verifier == "slow":
        engine.stopping.wait(faults.seconds)
    good = faults.verifier != "invalid" and messages.ipn_made(engine.store, body)
    return _word("VERIFIED" if good else "INVALID")


def _word(word: str) -> Response:
    return Response(word, content_type="text/html; charset=UTF-8")


def _decoded(raw: bytes) -> dict[str, str]:
    """The fields in the encoding that they name themselves, else UTF-8 if they are, else windows-1252."""
    text = raw.decode("latin-1")
    named = dict(parse_qsl(text, keep_blank_values=True)).get("charset", "")
    if named and known_charset(named):
        return dict(parse_qsl(text, keep_blank_values=True, encoding=named))
    try:
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        return dict(parse_qsl(text, keep_blank_values=True, encoding="windows-1252"))


def _read(engine: Engine, form: Form) -> tuple[Account, int] | str:
    """The account and the amount, or why this cannot be paid."""
    currency = form.get("currency_code") or "USD"
    try:
        account = account_of(engine.store, form.get("business", ""))
        amount_minor = parse_amount(form.get("amount", ""), currency)
    except (AmountError, ValueError) as error:
        return str(error)
    for name, most in LONGEST.items():
        if len(form.get(name, "")) > most:
            return f"{name} has more than {most} characters."
    return account, amount_minor


def _shown(engine: Engine, form: Form) -> AnyResponse:
    found = _read(engine, form)
    if isinstance(found, str):
        return notice("This payment is not possible", found, 400, back=form.get("cancel_return", ""))
    account, amount_minor = found
    if transactions.invoice_used(engine.store, account.email, form.get("invoice", "")):
        return _paid_before(form)
    hidden = {name: form[name] for name in FIELDS if form.get(name)}
    currency = form.get("currency_code") or "USD"
    return page(
        "paypal_pay.html", form=form, hidden=hidden, amount=f"{worded(amount_minor, currency)} {currency}",
        business=account.email,
    )  # fmt: skip


def _paid_before(form: Form) -> Response:
    text = f"The invoice {form.get('invoice')} has already been paid. Nothing was charged now."
    return notice("This invoice has already been paid", text, 409, back=form.get("cancel_return", ""))


def _answered(engine: Engine, form: Form) -> AnyResponse:
    """What the payer decided on the page."""
    if form.get("action") == "cancel":
        back = form.get("cancel_return", "")
        return go(back) if is_url(back) else notice("Canceled", "Nothing was paid.")
    found = _read(engine, form)
    if isinstance(found, str):
        return notice("This payment is not possible", found, 400, back=form.get("cancel_return", ""))
    account, amount_minor = found
    paid = _pay(engine, form, account, amount_minor)
    return _paid_before(form) if paid is None else _back(engine, form, paid)


def _pay(engine: Engine, form: Form, account: Account, amount_minor: int) -> Transaction | None:
    """The payment; None when the invoice was paid meanwhile."""
    who = payer(form.get("email", "").strip(), form.get("first_name", ""), form.get("last_name", ""))
    members: dict[str, Any] = {name: form.get(name, "") for name in ("invoice", "custom", "item_name", "item_number")}
    notify_url = form.get("notify_url", "")
    with engine.call(address()) as call:
        if transactions.invoice_used(call.store, account.email, members["invoice"]):
            return None
        return payments.pay(
            call, account.email, "web_accept", amount_minor, form.get("currency_code") or "USD", who,
            echeck=form.get("pay_with") == "echeck", notify_url=notify_url if is_url(notify_url) else "", **members,
        )  # fmt: skip


def _back(engine: Engine, form: Form, paid: Transaction) -> AnyResponse:
    """The way back to the merchant: at once, or with what was paid as a form."""
    url = form.get("return", "")
    if not is_url(url):
        return notice("You have paid", f"The transaction is {paid.id}. You may close this page.")
    if form.get("rm") == BY_POST:
        fields = ipn.payment_fields(paid, account_of(engine.store, paid.account))
        return page("paypal_return.html", url=url, fields=fields)
    return go(url) if form.get("rm") == WITHOUT_DATA else go(url, PayerID=paid.payer.id)
