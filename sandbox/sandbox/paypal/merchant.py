"""The pages of a merchant: Virtual Terminal, and the account's settings."""

from __future__ import annotations

from flask import Blueprint, Response, request

from sandbox.paypal import accounts, payments
from sandbox.paypal.engine import Engine
from sandbox.paypal.here import address, page
from sandbox.paypal.money import CURRENCIES, AmountError, parse_amount
from sandbox.paypal.transactions import payer

CHARSETS = ("windows-1252", "UTF-8", "Shift_JIS", "Big5", "gb2312", "EUC-KR", "KOI8_R", "windows-1251")


def create_merchant(engine: Engine) -> Blueprint:
    """/virtual-terminal and /account."""
    blueprint = Blueprint("merchant", __name__)

    @blueprint.get("/virtual-terminal")
    def terminal() -> Response:
        return _terminal({"business": request.args.get("business", ""), "currency": "USD"})

    @blueprint.post("/virtual-terminal")
    def charge() -> Response:
        form = request.form
        try:
            account = accounts.account_of(engine.store, form.get("business", ""))
            amount_minor = parse_amount(form.get("amount", "").strip(), form.get("currency", ""))
        except (AmountError, ValueError) as error:
            return _terminal(form.to_dict(), problem=str(error), status=400)
        who = payer(form.get("email", "").strip(), form.get("first_name", ""), form.get("last_name", ""))
        with engine.call(address()) as call:
            # The invoice stays exactly as it was typed: whoever matches it has to cope.
            paid = payments.pay(
                call, account.email, "virtual_terminal", amount_minor, form["currency"], who,
                invoice=form.get("invoice", ""),
            )  # fmt: skip
        return _terminal({"business": account.email, "currency": paid.currency}, done=paid.id)

    @blueprint.get("/account")
    def settings() -> Response:
        email = request.args.get("email", "")
        return _settings(engine, email) if email else page("paypal_account.html", account=None, charsets=CHARSETS)

    @blueprint.post("/account")
    def save() -> Response:
        form = request.form
        try:
            account = accounts.change(
                engine.store, form.get("email", ""), form.get("notify_url", "").strip(), form.get("charset", "")
            )
        except ValueError as error:
            return page("paypal_account.html", 400, account=None, charsets=CHARSETS, problem=str(error))
        return page("paypal_account.html", account=account, charsets=CHARSETS, done=True)

    return blueprint


def _terminal(form: dict[str, str], *, problem: str = "", done: str = "", status: int = 200) -> Response:
    return page(
        "paypal_terminal.html", status, form=form, currencies=sorted(CURRENCIES), problem=problem, done=done
    )  # fmt: skip


def _settings(engine: Engine, email: str) -> Response:
    try:
        account = accounts.account_of(engine.store, email)
    except ValueError as error:
        return page("paypal_account.html", 400, account=None, charsets=CHARSETS, problem=str(error))
    known = CHARSETS if account.charset in CHARSETS else (account.charset, *CHARSETS)
    return page("paypal_account.html", account=account, charsets=known)
