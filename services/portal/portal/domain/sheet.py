"""Pasted text and files as rows of Add Payments, pure: what spreadsheets put on the clipboard, and what people type."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from babel.numbers import get_currency_symbol

from common.cells import plain_cell
from common.money import exponent

COLUMNS = ("client", "amount", "method", "received_on", "invoice_number", "reference", "memo")
LABELS = ("Client", "Amount", "How", "Received on", "Invoice", "Reference", "Memo")
CLIENT, AMOUNT, METHOD, RECEIVED_ON = range(4)
METHODS = ("cash", "check", "bank_transfer", "card_terminal", "other")
MAX_ROWS = 10_000
MAX_CELL = 2_500

# What people call the columns, without blanks, case and signs.
_NAMES = {
    "client": "client", "name": "client", "clientname": "client", "customer": "client", "payer": "client",
    "email": "client", "clientid": "client", "student": "client", "patient": "client",
    "amount": "amount", "total": "amount", "sum": "amount", "paid": "amount",
    "method": "method", "how": "method", "paymentmethod": "method", "type": "method",
    "receivedon": "received_on", "received": "received_on", "date": "received_on", "paidon": "received_on",
    "paymentdate": "received_on", "day": "received_on",
    "currency": "currency",
    "invoice": "invoice_number", "invoicenumber": "invoice_number", "invoiceno": "invoice_number",
    "reference": "reference", "ref": "reference", "checknumber": "reference", "checkno": "reference",
    "memo": "memo", "note": "memo", "notes": "memo", "comment": "memo", "description": "memo",
}  # fmt: skip
_METHOD_NAMES = {
    "cheque": "check", "bank": "bank_transfer", "transfer": "bank_transfer", "wire": "bank_transfer",
    "card": "card_terminal", "terminal": "card_terminal",
}  # fmt: skip
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", re.ASCII)
_SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)
_SPELT = ("%d.%m.%Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%Y/%m/%d")

Row = list[str]


@dataclass
class Sheet:
    """Rows of seven cells. `has_header`: the first line named the columns; `left_out` are those that it named and that
    have no place here."""

    rows: list[Row]
    has_header: bool = False
    left_out: list[str] = field(default_factory=list)


def read(text: str, currency: str, first_column: int = 0) -> Sheet:
    """What was pasted or stood in a file. Without a header its columns begin at `first_column`."""
    lines = [[plain_cell(cell.strip()) for cell in line] for line in _cells(text) if any(cell.strip() for cell in line)]
    if not lines:
        return Sheet([])
    named = [_NAMES.get(re.sub(r"[\W_]", "", cell.casefold())) for cell in lines[0]]
    if _is_header(lines[0], named):
        left_out = [cell for cell, name in zip(lines[0], named, strict=True) if cell and name is None]
        sheet = Sheet([_named(line, named, currency) for line in lines[1:]], True, left_out)
    else:
        sheet = Sheet([_placed(line, first_column) for line in lines])
    order = _order(row[RECEIVED_ON] for row in sheet.rows)
    for row in sheet.rows:
        row[RECEIVED_ON] = plain_date(row[RECEIVED_ON], order)
    return sheet


def as_csv(rows: Sequence[Row], currency: str, method: str, received_on: str) -> tuple[bytes, list[int]]:
    """The rows that hold anything, as payments takes them, and the place of each among `rows`. What a row leaves open
    is filled in."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    places = []
    for place, row in enumerate(rows):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        places.append(place)
        cells[AMOUNT] = plain_amount(cells[AMOUNT], currency)
        cells[METHOD] = plain_method(cells[METHOD]) or method
        cells[RECEIVED_ON] = plain_date(cells[RECEIVED_ON]) or received_on
        writer.writerow(cells)
    return out.getvalue().encode("utf-8", "replace"), places


def as_text(rows: Sequence[Row]) -> str:
    """The rows as a spreadsheet puts them on the clipboard, under their names."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", lineterminator="\n")
    writer.writerow(LABELS)
    writer.writerows(row for row in rows if any(cell.strip() for cell in row))
    return out.getvalue()


def decode(body: bytes) -> str:
    """A file's text: as spreadsheets save it, whichever way they were told to."""
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return body.decode("utf-16", "replace")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("cp1252", "replace")


def plain_amount(typed: str, currency: str) -> str:
    """An amount as spreadsheets show it, such as $1,234.50, without its decoration; parsed it is elsewhere."""
    text = typed.strip().replace("\u00a0", "").replace(" ", "")
    for mark in (currency, get_currency_symbol(currency, "en_US")):
        text = text.removeprefix(mark).removesuffix(mark)
    # Where three decimals are money, 1,234 may be meant as them.
    if exponent(currency) != 3 and _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    return text if re.match(r"[+-]?\d", text) else typed.strip()


def plain_method(typed: str) -> str:
    """A way to pay as it is written, or its beginning; what is none is left as it is."""
    word = typed.strip().lower().replace(" ", "_")
    if not word or word in METHODS:
        return word
    if word in _METHOD_NAMES:
        return _METHOD_NAMES[word]
    fits = [method for method in METHODS if method.startswith(word)]
    return fits[0] if len(fits) == 1 else typed.strip()


def plain_date(typed: str, order: str | None = None) -> str:
    """A date as 2026-01-31 when it can mean only one day; `order` (dmy or mdy) decides 3/1/2026."""
    text = " ".join(typed.split())
    slashed = _SLASHED.fullmatch(text)
    if slashed:
        first, second, year = (int(part) for part in slashed.groups())
        if first != second and first <= 12 and second <= 12 and order is None:
            return typed
        day, month = (first, second) if order == "dmy" or (order is None and first > 12) else (second, first)
        return _iso(year, month, day) or typed
    for form in _SPELT:
        try:
            return datetime.strptime(text, form).date().isoformat()  # noqa: DTZ007 - a date has no zone
        except ValueError:
            continue
    return typed


def _cells(text: str) -> list[list[str]]:
    """Tabs part what came from a spreadsheet; else commas or semicolons, where they part every line alike."""
    text = text.replace("\0", "")
    if "\t" not in text:
        for mark in ",;":
            lines = _parted(text, mark)
            if _looks_parted(lines):
                return lines
    return _parted(text, "\t")


def _parted(text: str, mark: str) -> list[list[str]]:
    lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=mark))
    return [line for line in lines if any(cell.strip() for cell in line)]


def _looks_parted(lines: Sequence[Sequence[str]]) -> bool:
    """A list of names such as `Lovelace, Ada` is no table: its second cells hold no figure."""
    if not lines or len(lines[0]) < 2:
        return False
    if _is_header(lines[0], [_NAMES.get(re.sub(r"[\W_]", "", cell.casefold())) for cell in lines[0]]):
        return True
    return all(len(line) == len(lines[0]) and re.search(r"\d", line[1]) for line in lines)


def _is_header(cells: Sequence[str], named: Sequence[str | None]) -> bool:
    known = sum(name is not None for name in named)
    return known >= 2 or (known == 1 and sum(bool(cell.strip()) for cell in cells) == 1)


def _named(line: Row, named: Sequence[str | None], currency: str) -> Row:
    told: dict[str, str] = {}
    for name, cell in zip(named, line, strict=False):
        if name is not None and not told.get(name):
            told[name] = cell[:MAX_CELL]
    other = told.get("currency", "").upper()
    if other and other != currency:  # said where it is seen, and refused there
        told["amount"] = f"{other} {told.get('amount', '')}".strip()
    return [told.get(name, "") for name in COLUMNS]


def _placed(line: Row, first_column: int) -> Row:
    row = [""] * first_column + [cell[:MAX_CELL] for cell in line]
    return (row + [""] * len(COLUMNS))[: len(COLUMNS)]


def _order(dates: Iterable[str]) -> str | None:
    """Whether the slashed dates of one list put the day or the month first, when any of them tells and none differs."""
    found = {(int(match[1]) > 12, int(match[2]) > 12) for match in map(_SLASHED.fullmatch, dates) if match}
    is_day_first = any(first for first, _ in found)
    is_month_first = any(second for _, second in found)
    if is_day_first == is_month_first:
        return None
    return "dmy" if is_day_first else "mdy"


def _iso(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None
