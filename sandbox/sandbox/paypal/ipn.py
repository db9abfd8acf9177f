"""Instant Payment Notifications: forms like PayPal's, in the account's character encoding."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from sandbox.paypal import messages
from sandbox.paypal.accounts import Account, account_of
from sandbox.paypal.marks import new_id, pacific
from sandbox.paypal.money import worded

if TYPE_CHECKING:
    from sandbox.paypal.engine import Call
    from sandbox.paypal.transactions import Transaction

NOTIFY_VERSION = "3.9"
Fields = dict[str, str]


def tell(call: Call, transaction: Transaction, notify_url: str) -> None:
    """Send the IPN of a transaction as it is now; notify_url: the payment's own, else the account's is used."""
    account = account_of(call.store, transaction.account)
    _send(call, account, notify_url, payment_fields(transaction, account))


def tell_case(call: Call, transaction: Transaction) -> None:
    """Send the IPN of a case that was opened about a payment; no money moves."""
    account = account_of(call.store, transaction.account)
    _send(call, account, transaction.notify_url, case_fields(transaction, account, call.now))


def payment_fields(transaction: Transaction, account: Account) -> Fields:
    """The fields of a payment, refund or reversal, in an order like PayPal's."""
    currency = transaction.currency
    gross, cost = worded(transaction.amount_minor, currency), worded(transaction.fee_minor, currency)
    dollars = currency == "USD"
    found = {
        "mc_gross": gross,
        "protection_eligibility": "Eligible",
        "payer_id": transaction.payer.id,
        "tax": worded(0, currency),
        "payment_date": pacific(transaction.created),
        "payment_status": transaction.status,
        "charset": account.charset,
        "first_name": transaction.payer.first_name,
        "mc_fee": cost,
        "notify_version": NOTIFY_VERSION,
        **({"custom": transaction.custom} if transaction.custom is not None else {}),
        "payer_status": "unverified",
        "business": account.email,
        "quantity": "1",
        "payer_email": transaction.payer.email,
        "txn_id": transaction.id,
        "payment_type": "echeck" if transaction.echeck else "instant",
        "last_name": transaction.payer.last_name,
        "receiver_email": account.email,
        "payment_fee": cost if dollars else "",
        "receiver_id": account.merchant_id,
        "item_name": transaction.item_name,
        "mc_currency": currency,
        "item_number": transaction.item_number,
        "residence_country": "US",
        "payment_gross": gross if dollars else "",
        "invoice": transaction.invoice,
    }
    if transaction.parent:
        found |= {"parent_txn_id": transaction.parent}
    else:
        found |= {"txn_type": transaction.kind}
    if transaction.pending_reason:
        found |= {"pending_reason": transaction.pending_reason}
    if transaction.reason_code:
        found |= {"reason_code": transaction.reason_code}
    return found


def case_fields(transaction: Transaction, account: Account, now: float) -> Fields:
    """The fields of a case."""
    return {
        "txn_type": "new_case",
        "payment_date": pacific(transaction.created),
        "case_id": transaction.case,
        "case_type": transaction.case_kind,
        "case_creation_date": pacific(now),
        "reason_code": "unauthorized" if transaction.case_kind == "chargeback" else "non_receipt",
        "charset": account.charset,
        "notify_version": NOTIFY_VERSION,
        **({"custom": transaction.custom} if transaction.custom is not None else {}),
        "invoice": transaction.invoice,
        "business": account.email,
        "receiver_email": account.email,
        "receiver_id": account.merchant_id,
        "payer_email": transaction.payer.email,
        "payer_id": transaction.payer.id,
        "txn_id": transaction.id,
    }


def encoded(fields: Iterable[tuple[str, str]], charset: str) -> bytes:
    """The form. Letters that the encoding does not have become question marks, as at PayPal."""
    pairs = (f"{quote_plus(name)}={quote_plus(text.encode(charset, 'replace'))}" for name, text in fields)
    return "&".join(pairs).encode()


def made(call: Call, url: str, body: bytes, account: str = "", track_id: str | None = None) -> str:
    """Keep any body as an IPN and have it delivered."""
    key = messages.keep(call, messages.IPN, track_id or new_id(13).lower(), account, body, url)
    messages.send(call, key)
    return key


def _send(call: Call, account: Account, notify_url: str, fields: Fields) -> None:
    url = notify_url or account.notify_url
    if not url:
        return
    track_id = new_id(13).lower()
    marks = {"verify_sign": f"A{new_id(55)}", "test_ipn": "1", "ipn_track_id": track_id}
    body = encoded((fields | marks).items(), account.charset)
    made(call, url, body, account.email, track_id)
