"""Payments from CSV text, pure: rows, or what is wrong with each, by row and field."""

import csv
import io
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from common.cells import plain_cell
from common.errors import FieldError
from common.money import check_amount, parse_major
from common.text import clean_line, clean_text
from payments.domain.payment import NewPayment, Sent

COLUMNS = ("client", "amount", "method", "received_on", "currency", "invoice_number", "reference", "memo")
REQUIRED = ("client", "amount", "method")
METHODS = ("cash", "check", "bank_transfer", "card_terminal", "other")
MAX_ROWS = 10_000
MAX_LENGTH = {"client": 254, "invoice_number": 50, "reference": 200, "memo": 2000}


def parse(body: bytes, currency: str) -> tuple[list[Sent], list[FieldError]]:
    """The lines of a CSV file for a business with that currency, and what is wrong with the file as a whole. Rows count
    from 1 after the header.

    Bytes that are not UTF-8 are found in the cell they stand in."""
    text = body.decode("utf-8-sig", "surrogateescape")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Sent] = []
    errors: list[FieldError] = []
    number = 0
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        errors += _check_header(header)
        if errors:
            return [], errors
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            number += 1
            if number > MAX_ROWS:
                errors.append(too_many(number))
                break
            rows.append(_parse_row(header, cells, currency, number))
    except csv.Error as error:
        errors.append(FieldError("row", f"this row cannot be read: {error}", number + 1))
    if not rows and not errors:
        errors.append(FieldError("payments", "the file has no rows", 1))
    return rows, errors


def too_many(row: int) -> FieldError:
    return FieldError("payments", f"a batch has at most {MAX_ROWS:,} rows; split it and send the parts", row)


def _check_header(header: Sequence[str]) -> list[FieldError]:
    expected = ",".join(COLUMNS)
    errors = [
        FieldError(name, f"the column '{name}' is missing; the first line must be {expected}", 0)
        for name in REQUIRED
        if name not in header
    ]
    for name in header:
        if name not in COLUMNS or header.count(name) > 1:
            shown = name.encode("utf-8", "replace").decode()[:40]
            errors.append(
                FieldError(shown or "(blank)", f"this column is not expected; the first line must be {expected}", 0)
            )
    return errors


def _parse_row(header: Sequence[str], cells: Sequence[str], currency: str, number: int) -> Sent:
    if len(cells) > len(header):
        return _unread(FieldError("row", f"{len(cells)} cells where the header has {len(header)}", number))
    if len(cells) < len(header):
        return _unread(FieldError(header[len(cells)], "this column is missing in the row", number))
    errors: list[FieldError] = []
    values: dict[str, Any] = {}
    for name, cell in zip(header, cells, strict=True):
        try:
            if not cell.isascii():
                cell.encode("utf-8")
            value = plain_cell(cell.strip())
            values[name] = _READ[name](value, currency) if value else None
        except UnicodeEncodeError:
            errors.append(FieldError(name, "this is not UTF-8 text; save the file as CSV UTF-8", number))
        except ValueError as error:
            errors.append(FieldError(name, str(error), number))
        else:
            if values[name] is None and name in REQUIRED:
                errors.append(FieldError(name, "this may not be empty", number))
    amount_minor, client = values.pop("amount", None) or 0, values.pop("client", None) or ""
    method = values.pop("method", None) or ""
    return Sent(NewPayment(client, amount_minor, method, client_field="client", **values), errors)


def _unread(error: FieldError) -> Sent:
    return Sent(NewPayment("", 0, "", client_field="client"), [error])


def _amount(text: str, currency: str) -> int:
    amount_minor = parse_major(text, currency)
    check_amount(amount_minor)
    return amount_minor


def _method(text: str, _currency: str) -> str:
    method = text.lower().replace(" ", "_")
    if method not in METHODS:
        raise ValueError(f"'{text[:40]}' is not a method; use one of {', '.join(METHODS)}")
    return method


def _date(text: str, _currency: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"'{text[:40]}' is not a date; write it as 2026-01-31") from None


def _currency(text: str, _currency: str) -> str:
    return text.upper()[:10]


def _text(name: str, clean: Callable[[str], str]) -> Callable[[str, str], str]:
    def read(text: str, _currency: str) -> str:
        if len(text) > MAX_LENGTH[name]:
            raise ValueError(f"this is longer than {MAX_LENGTH[name]} characters")
        return clean(text)

    return read


_READ: dict[str, Callable[[str, str], Any]] = {
    "client": _text("client", clean_line),
    "amount": _amount,
    "method": _method,
    "received_on": _date,
    "currency": _currency,
    "invoice_number": _text("invoice_number", clean_line),
    "reference": _text("reference", clean_line),
    "memo": _text("memo", clean_text),
}
