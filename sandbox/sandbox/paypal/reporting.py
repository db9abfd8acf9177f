"""The report of all transactions of an account, whatever way they came."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.paypal import transactions
from sandbox.paypal.errors import malformed
from sandbox.paypal.marks import iso_offset
from sandbox.paypal.money import value
from sandbox.paypal.routes import Ask, operation
from sandbox.paypal.transactions import Transaction

LONGEST = timedelta(days=31)
PAGE_SIZE = 100
MOST_PER_PAGE = 500
# The rest is T0000, as money that was just sent. T1111 is "hold for dispute", the nearest to the end of one.
EVENT_CODES = {
    "capture": "T0006", "web_accept": "T0007", "virtual_terminal": "T0012", "refund": "T1107", "reversal": "T1106",
    "canceled_reversal": "T1111",
}  # fmt: skip
STATUSES = {"Pending": "P", "Denied": "D", "Failed": "D"}


@operation("GET", "/v1/reporting/transactions", "reporting")
def report(ask: Ask) -> tuple[int, Any]:
    """A page of the transactions begun between two moments, both included, oldest first."""
    start, end = _moment(ask, "start_date"), _moment(ask, "end_date")
    if end < start or end - start > LONGEST:
        raise malformed("INVALID_REQUEST", "The time between start_date and end_date must be at most 31 days.")
    page = _number(ask, "page", 1, 10**6)
    size = _number(ask, "page_size", PAGE_SIZE, MOST_PER_PAGE)
    rows, total = _rows(ask, start.timestamp(), end.timestamp(), page, size)
    everything = ask.args.get("fields", "transaction_info") != "transaction_info"
    return 200, {
        "transaction_details": [_detail(transactions.read(json.loads(body)), everything) for (body,) in rows],
        "account_number": ask.account.merchant_id,
        "start_date": iso_offset(start.timestamp()),
        "end_date": iso_offset(end.timestamp()),
        "last_refreshed_datetime": iso_offset(ask.call.now),
        "page": page,
        "total_items": total,
        "total_pages": -(-total // size),
    }


def _rows(ask: Ask, start: float, end: float, page: int, size: int) -> tuple[list[tuple[str]], int]:
    # A moment in whole seconds means all of that second, as that is how reports show the transactions' own.
    where = "FROM object WHERE account = ? AND kind = ? AND created >= ? AND created < ? AND ? IN (id, '')"
    values = (ask.account.email, transactions.KIND, start, end + 1, ask.args.get("transaction_id", ""))
    total = ask.call.store.rows(f"SELECT count(*) {where}", *values)[0][0]  # noqa: S608 - fixed text only
    sql = f"SELECT body {where} ORDER BY created, seq LIMIT ? OFFSET ?"  # noqa: S608 - fixed text only
    return ask.call.store.rows(sql, *values, size, (page - 1) * size), int(total)


def _detail(transaction: Transaction, everything: bool) -> dict[str, Any]:
    payer = transaction.payer
    names = {"given_name": payer.first_name, "surname": payer.last_name,
             "alternate_full_name": f"{payer.first_name} {payer.last_name}".strip()}  # fmt: skip
    info = {"account_id": payer.id, "email_address": payer.email, "payer_status": "N", "payer_name": names}
    return {"transaction_info": _info(transaction)} | ({"payer_info": info} if everything else {})


def _info(transaction: Transaction) -> dict[str, Any]:
    currency = transaction.currency
    parent = {"paypal_reference_id": transaction.parent, "paypal_reference_id_type": "TXN"}
    reversed_now = transaction.status == "Reversed" and not transaction.parent
    return {
        "paypal_account_id": transaction.payer.id,
        "transaction_id": transaction.id,
        **(parent if transaction.parent else {}),
        "transaction_event_code": EVENT_CODES.get(transaction.kind, "T0000"),
        "transaction_initiation_date": iso_offset(transaction.created),
        "transaction_updated_date": iso_offset(transaction.updated),
        "transaction_amount": value(transaction.amount_minor, currency),
        "fee_amount": value(-transaction.fee_minor, currency),
        "transaction_status": "V" if reversed_now else STATUSES.get(transaction.status, "S"),
        **({"transaction_subject": transaction.item_name} if transaction.item_name else {}),
        **({"invoice_id": transaction.invoice} if transaction.invoice else {}),
        **({"custom_field": transaction.custom} if transaction.custom else {}),
    }


def _moment(ask: Ask, name: str) -> datetime:
    # A plus that was not encoded comes as a space.
    text = ask.args.get(name, "").replace(" ", "+")
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise malformed("INVALID_PARAMETER_SYNTAX", f"{name} must be a moment like 2026-11-25T00:00:00Z.") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _number(ask: Ask, name: str, default: int, most: int) -> int:
    text = ask.args.get(name, str(default))
    if not text.isdecimal() or not 1 <= int(text[:9]) <= most:
        raise malformed("INVALID_PARAMETER_VALUE", f"{name} must be a number from 1 to {most}.")
    return int(text)
