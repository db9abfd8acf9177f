"""An invoice as a PDF: what its A4 pages say and in which order. Its looks are `common.pdf.layout`."""

from collections.abc import Sequence
from typing import Final

from billing.domain.invoice_document import InvoiceDocument, InvoiceDocumentLine
from common.pdf.document import Document
from common.pdf.flow import ROW_MUTED, Column, Flow, Table, sums, sums_height
from common.pdf.layout import (
    ALARM,
    CAUTION,
    GOOD,
    INNER,
    Fact,
    Notice,
    banner,
    facts,
    figure,
    footers,
    header,
    questions,
    running_header,
)
from common.pdf.page import Page
from common.pdf.text import clean
from common.pdf.words import as_utc, date_words, moment_words, region_for, short_date

_DAY: Final = 76.0
_AMOUNT: Final = 108.0


def _notice(invoice: InvoiceDocument) -> Notice | None:
    """What makes an invoice other than one simply waiting to be paid."""
    if invoice.status == "draft":
        return Notice("DRAFT", "This invoice is a draft: it may still change, and nothing is due on it yet.", CAUTION)
    if invoice.status == "void":
        return Notice("VOID", "This invoice was voided. Nothing is to be paid on it.", ALARM)
    if invoice.status == "paid":
        return Notice("PAID", "This invoice is paid in full. Thank you.", GOOD)
    if invoice.is_overdue:
        due = f"was due on {date_words(invoice.due_on)}" if invoice.due_on else "is past the day it was due"
        return Notice("OVERDUE", f"This invoice {due}. {invoice.outstanding_text} is still to be paid.", ALARM)
    return None


def _name(invoice: InvoiceDocument) -> str:
    """What to call the document where it must be told from others."""
    return f"Invoice no. {invoice.number}" if invoice.number else "Draft invoice"


def _origin(invoice: InvoiceDocument) -> str:
    """When it was issued, which may be days after it was drawn up."""
    if invoice.issued_on is None:
        return f"Drawn up {moment_words(invoice.created_at, invoice.time_zone)}"
    return f"Issued {date_words(invoice.issued_on)}"


def _facts(invoice: InvoiceDocument) -> list[Fact]:
    """The table above the lines. The memo is here so that it never stands alone on a last page."""
    url = invoice.pay_url if invoice.status == "pending" and invoice.pay_url else ""
    return [
        Fact("Billed to", invoice.client_name, 3, bold=True),
        Fact("Invoice date", date_words(invoice.issued_on) if invoice.issued_on else None),
        Fact("Due date", date_words(invoice.due_on) if invoice.due_on else None),
        Fact("Pay online", f"Pay {invoice.outstanding_text} here" if url else None, url=url or ""),
        Fact("Memo", invoice.memo, 14),
    ]


def _lines(flow: Flow, lines: Sequence[InvoiceDocumentLine]) -> None:
    """Every line of the invoice; the column of days is left out when no line has one."""
    dated = any(line.day for line in lines)
    text = Column("Description", INNER - _AMOUNT - (_DAY if dated else 0), max_lines=12)
    amount = Column("Amount", _AMOUNT, right=True)
    table = Table(flow, [Column("Date", _DAY), text, amount] if dated else [text, amount])
    for number, line in enumerate(lines, 1):
        cells = [line.description, line.amount_text]
        keep = sums_height(3) if number == len(lines) else 0.0
        table.row([short_date(line.day) if line.day else "", *cells] if dated else cells, keep=keep)
    if not lines:
        table.row(["Nothing is billed on this invoice.", ""], ROW_MUTED)
    table.end()


def _sums(invoice: InvoiceDocument) -> list[Fact]:
    total, paid = Fact("Total", invoice.total_text), Fact("Paid so far", invoice.paid_text)
    if invoice.status == "void":  # nothing is to be paid on it, whatever was
        return [total, paid]
    return [total, paid, Fact("Still to pay", invoice.outstanding_text, bold=True)]


def _top(page: Page, invoice: InvoiceDocument, region: str) -> float:
    """What stands above the lines: whose invoice it is, how it stands, and what is to be paid."""
    y = header(page, invoice.business_name, "INVOICE", _name(invoice), region=region)
    if notice := _notice(invoice):
        y = banner(page, notice, y)
    counts = invoice.status in ("pending", "paid")
    label, text = ("Still to pay", invoice.outstanding_text) if counts else ("Total", invoice.total_text)
    y = figure(page, label, text, invoice.currency, y, struck=invoice.status == "void")
    return facts(page, _facts(invoice), y, region=region) - 26


def render_invoice(invoice: InvoiceDocument) -> bytes:
    """The invoice as an A4 PDF file of as many pages as its lines need. The same invoice gives the same bytes.

    Safe to call from several threads. A character that no installed font has prints as an empty box and
    still extracts as itself; nothing a field may contain makes this fail.
    """
    texts = (invoice.business_name, invoice.client_name, invoice.memo, *(line.description for line in invoice.lines))
    region = region_for(texts, invoice.currency, invoice.time_zone)
    author = clean(invoice.business_name)
    name = _name(invoice)
    document = Document(
        title=f"{clean(name)} - {author[:200]}",
        author=author,
        subject="Invoice",
        created=as_utc(invoice.created_at),
    )
    page = document.next_page()

    def start(page: Page) -> float:
        return running_header(page, invoice.business_name, name, region=region)

    flow = Flow(document, page, _top(page, invoice, region), start, region)
    _lines(flow, invoice.lines)
    sums(flow, _sums(invoice))
    footers(document, [_origin(invoice), questions(invoice.reply_to_email)])
    return document.finish()
