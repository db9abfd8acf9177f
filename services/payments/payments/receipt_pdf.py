"""A payment receipt as a PDF: what the one A4 page says and where it stands.

Lengths are PDF points (1/72 inch). The writing of the file is `common.pdf`.
"""

from datetime import UTC, date, datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from common.pdf.document import Document
from common.pdf.page import HEIGHT, WIDTH, Page
from common.pdf.scripts import region_of
from common.pdf.text import MAX_CHARS, Colour, Style, clean, shape_line
from common.pdf.wrap import wrap
from payments.domain.receipt import ReceiptDocument

MARGIN: Final = 62.0
INNER: Final = WIDTH - 2 * MARGIN
LABELS: Final = 128.0  # width of the column that holds the labels
FOOT: Final = 96.0  # nothing but the footer stands below this

_INK: Final = (0.12, 0.13, 0.16)
_MUTED: Final = (0.40, 0.42, 0.46)
_FAINT: Final = (0.86, 0.87, 0.89)
_RED: Final = (0.66, 0.12, 0.12)
_PALE_RED: Final = (0.99, 0.945, 0.94)
_AMBER: Final = (0.50, 0.32, 0.03)
_PALE_AMBER: Final = (0.995, 0.97, 0.91)

_TITLE: Final = Style(17, _INK, bold=True)
_RECEIPT: Final = Style(17, _MUTED)
_BIG: Final = Style(34, _INK, bold=True)
_BODY: Final = Style(10.5, _INK)
_BODY_BOLD: Final = Style(10.5, _INK, bold=True)
_LABEL: Final = Style(10.5, _MUTED)
_SMALL: Final = Style(8.5, _MUTED)

_METHODS: Final = {
    "cash": "Cash",
    "check": "Check",
    "bank_transfer": "Bank transfer",
    "card_terminal": "Card terminal",
    "other": "Other",
}
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def _words(code: str) -> str:
    """A code such as "direct_debit" as words: "Direct debit"."""
    words = code.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _date_words(day: date) -> str:
    """A date in words, not by the machine's locale, which differs between machines."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _moment_words(moment: datetime, time_zone: str) -> str:
    """A moment in the receipt's time zone, with the zone's name; in UTC when the name is not known."""
    try:
        local, name = _utc(moment).astimezone(ZoneInfo(time_zone)), time_zone
    except (LookupError, ValueError, OSError):  # what ZoneInfo raises for absent, malformed and folder names
        local, name = _utc(moment), "UTC"
    return f"{_date_words(local)} at {local:%H:%M} ({name})"


def _default_region(receipt: ReceiptDocument) -> str:
    """East Asian letter shapes for names written only in Chinese characters, from the rest of the receipt."""
    texts = (receipt.business_name, receipt.client_name, receipt.memo or "", receipt.reference or "")
    places = {"JPY": "ja", "KRW": "ko", "Asia/Tokyo": "ja", "Asia/Seoul": "ko"}
    default = places.get(receipt.currency) or places.get(receipt.time_zone) or "zh"
    return region_of("".join(text[:MAX_CHARS] for text in texts), default)


class _Notice(NamedTuple):
    """What a receipt must say first when the money did not simply stay: a heading and a sentence."""

    heading: str
    sentence: str
    colour: Colour
    fill: Colour


def _notice(receipt: ReceiptDocument) -> _Notice | None:
    """The statement for a voided, refunded or otherwise unusual payment; None for a plain one."""
    amount, refunded, net = receipt.amount_text, receipt.refunded_text, receipt.net_text
    if receipt.status == "voided":
        sentence = f"This payment of {amount} was voided. This receipt is not proof of payment."
        if receipt.refunded_minor > 0:
            sentence += f" Refunded amount: {refunded}. Net amount: {net}."
        return _Notice("VOID", sentence, _RED, _PALE_RED)
    if receipt.status == "refunded" or (receipt.refunded_minor > 0 and receipt.net_minor <= 0):
        sentence = f"This payment of {amount} was refunded. Refunded amount: {refunded}. Net amount: {net}."
        return _Notice("REFUNDED", sentence, _AMBER, _PALE_AMBER)
    if receipt.status == "partially_refunded" or receipt.refunded_minor > 0:
        sentence = f"Part of this payment of {amount} was refunded. Refunded amount: {refunded}. Net amount: {net}."
        return _Notice("PARTIALLY REFUNDED", sentence, _AMBER, _PALE_AMBER)
    if receipt.status != "recorded":
        status = _words(receipt.status) or "Unknown"
        return _Notice(status.upper(), f"The status of this payment is: {status}.", _AMBER, _PALE_AMBER)
    return None


def _header(page: Page, receipt: ReceiptDocument, region: str) -> float:
    """Business name on the left, the document's name and number on the right; gives the y below both."""
    top = HEIGHT - MARGIN
    name = wrap(receipt.business_name, _TITLE, INNER * 0.58, 3, region)
    left = page.paragraph(name, MARGIN, top)
    edge, room = MARGIN + INNER, INNER * 0.38
    right = page.paragraph(wrap("RECEIPT", _RECEIPT, room, 1), edge, top, right=True)
    number = wrap(f"Receipt no. {receipt.receipt_number}", _BODY, room, 2)
    right = page.paragraph(number, edge, right - 3, right=True)
    if receipt.revision > 1:
        revision = f"revision {receipt.revision} - replaces earlier revisions"
        right = page.paragraph(wrap(revision, _SMALL, room, 2), edge, right, right=True)
    bottom = min(left, right) - 14
    page.rule(bottom, MARGIN, INNER, _FAINT, 0.8)
    return bottom - 22


def _banner(page: Page, notice: _Notice, top: float) -> float:
    """The tinted box with the notice; gives the y below it."""
    heading = wrap(notice.heading, Style(12, notice.colour, bold=True), INNER - 32, 2)
    sentence = wrap(notice.sentence, Style(10, notice.colour), INNER - 32, 5)
    height = heading.height + sentence.height + 23
    page.box(MARGIN, top - height, INNER, height, notice.fill)
    below = page.paragraph(heading, MARGIN + 16, top - 10)
    page.paragraph(sentence, MARGIN + 16, below - 1)
    return top - height - 22


def _amount(page: Page, receipt: ReceiptDocument, top: float) -> float:
    """The amount, large, with the currency's code; struck through when void. Gives the y below it."""
    void = receipt.status == "voided"
    y = page.paragraph(wrap("Amount" if void else "Amount received", _LABEL, INNER, 1), MARGIN, top)
    code = wrap(receipt.currency, Style(13, _MUTED), 70, 1)
    room = INNER - code.width - 10
    text = clean(receipt.amount_text)
    natural = shape_line(text, _BIG).width
    size = max(14.0, min(_BIG.size, room / natural)) if natural else _BIG.size
    amount = wrap(text, Style(size, _MUTED if void else _INK, bold=True), room, 2)
    bottom = page.paragraph(amount, MARGIN, y - 2)
    baseline = y - 2 - size - (len(amount.lines) - 1) * amount.style.leading
    last = amount.lines[-1].width * size if amount.lines else 0.0
    for line in code.lines:
        page.line(line, code.style, MARGIN + last + 9, baseline)
    if void:
        for number in range(len(amount.lines)):
            middle = y - 2 - size * 0.66 - number * amount.style.leading
            page.rule(middle, MARGIN, amount.lines[number].width * size, _RED, 1.6)
    return bottom - 14


class _Row(NamedTuple):
    """A labelled value of the table, and how many lines it may take."""

    label: str
    value: str | None
    max_lines: int = 1
    bold: bool = False


def _rows(receipt: ReceiptDocument) -> list[_Row]:
    """The table's rows; those without a value are left out when drawn. The memo comes last, see `_table`."""
    refunds = receipt.refunded_minor > 0 or receipt.status in ("refunded", "partially_refunded")
    return [
        _Row("Received from", receipt.client_name, 3, bold=True),
        _Row("Date received", _date_words(receipt.received_on)),
        _Row("Payment method", _METHODS.get(receipt.method) or _words(receipt.method), 2),
        _Row("Reference", receipt.reference, 3),
        _Row("Invoice", receipt.invoice_number, 2),
        _Row("Refunded amount", receipt.refunded_text if refunds else None, 2),
        _Row("Net amount", receipt.net_text if refunds else None, 2, bold=True),
        _Row("Memo", receipt.memo, 14),
    ]


def _table(page: Page, rows: list[_Row], top: float, region: str) -> None:
    """Draw the rows, each under a hairline. Only the memo can be long, and it is cut to the room left."""
    y = top
    for row in rows:
        if not row.value or not clean(row.value):
            continue
        page.rule(y, MARGIN, INNER, _FAINT, 0.6)
        style = _BODY_BOLD if row.bold else _BODY
        fits = max(1, int((y - FOOT - 16) // style.leading))
        value = wrap(row.value, style, INNER - LABELS, min(row.max_lines, fits), region)
        page.paragraph(wrap(row.label, _LABEL, LABELS - 8, 1), MARGIN, y - 8)
        y = page.paragraph(value, MARGIN + LABELS, y - 8) - 8
    page.rule(y, MARGIN, INNER, _FAINT, 0.6)


def _footer(page: Page, receipt: ReceiptDocument) -> None:
    """When it was issued, which payment it is, and whom to ask."""
    issued = f"Issued {_moment_words(receipt.issued_at, receipt.time_zone)}"
    y = page.paragraph(wrap(issued, _SMALL, INNER, 1), MARGIN, FOOT - 18)
    y = page.paragraph(wrap(f"Payment {receipt.payment_id}", _SMALL, INNER, 1), MARGIN, y)
    if receipt.reply_to_email:
        page.paragraph(wrap(f"Questions? Write to {receipt.reply_to_email}", _SMALL, INNER, 1), MARGIN, y)


def render_receipt(receipt: ReceiptDocument) -> bytes:
    """The receipt as a one-page A4 PDF file. The same receipt always gives the same bytes.

    Safe to call from several threads. A character that no installed font has prints as an empty box and
    still extracts as itself; nothing a field may contain makes this fail.
    """
    region = _default_region(receipt)
    author = clean(receipt.business_name)
    document = Document(
        title=f"Receipt no. {receipt.receipt_number} - {author[:200]}",
        author=author,
        subject="Payment receipt",
        created=_utc(receipt.issued_at),
    )
    page = document.next_page()
    y = _header(page, receipt, region)
    if notice := _notice(receipt):
        y = _banner(page, notice, y)
    y = _amount(page, receipt, y)
    _table(page, _rows(receipt), y, region)
    _footer(page, receipt)
    return document.finish()
