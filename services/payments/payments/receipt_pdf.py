"""A payment receipt as a PDF: what the one A4 page says and in which order. Its looks are `common.pdf.layout`."""

from typing import Final

from common.pdf.document import Document
from common.pdf.layout import ALARM, CAUTION, Fact, Notice, banner, facts, figure, footers, header, questions
from common.pdf.text import clean
from common.pdf.words import as_utc, code_words, date_words, moment_words, region_for
from payments.domain.receipt import ReceiptDocument

_METHODS: Final = {
    "cash": "Cash",
    "check": "Check",
    "bank_transfer": "Bank transfer",
    "card_terminal": "Card terminal",
    "other": "Other",
    "paypal": "PayPal",
}


def _notice(receipt: ReceiptDocument) -> Notice | None:
    """The statement for a voided, refunded or otherwise unusual payment; None for a plain one."""
    amount, refunded, net = receipt.amount_text, receipt.refunded_text, receipt.net_text
    if receipt.status == "voided":
        sentence = f"This payment of {amount} was voided. This receipt is not proof of payment."
        if receipt.refunded_minor > 0:
            sentence += f" Refunded amount: {refunded}. Net amount: {net}."
        return Notice("VOID", sentence, ALARM)
    if receipt.withdrawn_minor > 0:
        return Notice("DISPUTED", _withdrawn(receipt), ALARM)
    if receipt.status == "refunded" or (receipt.refunded_minor > 0 and receipt.net_minor <= 0):
        sentence = f"This payment of {amount} was refunded. Refunded amount: {refunded}. Net amount: {net}."
        return Notice("REFUNDED", sentence, CAUTION)
    if receipt.status == "partially_refunded" or receipt.refunded_minor > 0:
        sentence = f"Part of this payment of {amount} was refunded. Refunded amount: {refunded}. Net amount: {net}."
        return Notice("PARTIALLY REFUNDED", sentence, CAUTION)
    if receipt.status != "recorded":
        status = code_words(receipt.status) or "Unknown"
        return Notice(status.upper(), f"The status of this payment is: {status}.", CAUTION)
    return None


def _withdrawn(receipt: ReceiptDocument) -> str:
    whole = "This" if receipt.withdrawn_minor == receipt.amount_minor else "Part of this"
    sentence = (
        f"{whole} payment of {receipt.amount_text} was taken back by the bank because the payment is disputed."
        f" Amount taken back: {receipt.withdrawn_text}."
    )
    if receipt.refunded_minor > 0:
        sentence += f" Refunded amount: {receipt.refunded_text}."
    return f"{sentence} Net amount: {receipt.net_text}."


def _rows(receipt: ReceiptDocument) -> list[Fact]:
    """The table's rows. The memo comes last: it can be long, and is cut to the room left on the page."""
    refunds = receipt.refunded_minor > 0 or receipt.status in ("refunded", "partially_refunded")
    withdrawn = receipt.withdrawn_minor > 0
    return [
        Fact("Received from", receipt.client_name, 3, bold=True),
        Fact("Date received", date_words(receipt.received_on)),
        Fact("Payment method", _METHODS.get(receipt.method) or code_words(receipt.method), 2),
        Fact("Reference", receipt.reference, 3),
        Fact("Invoice", receipt.invoice_number, 2),
        Fact("Refunded amount", receipt.refunded_text if refunds else None, 2),
        Fact("Amount taken back", receipt.withdrawn_text if withdrawn else None, 2),
        Fact("Net amount", receipt.net_text if refunds or withdrawn else None, 2, bold=True),
        Fact("Memo", receipt.memo, 14),
    ]


def _foot(receipt: ReceiptDocument) -> list[str | None]:
    """When it was issued, which payment it is, and whom to ask."""
    issued = f"Issued {moment_words(receipt.issued_at, receipt.time_zone)}"
    return [issued, f"Payment {receipt.payment_id}", questions(receipt.reply_to_email)]


def render_receipt(receipt: ReceiptDocument) -> bytes:
    """The receipt as a one-page A4 PDF file. The same receipt always gives the same bytes.

    Safe to call from several threads. A character that no installed font has prints as an empty box and
    still extracts as itself; nothing a field may contain makes this fail.
    """
    texts = (receipt.business_name, receipt.client_name, receipt.memo, receipt.reference)
    region = region_for(texts, receipt.currency, receipt.time_zone)
    author = clean(receipt.business_name)
    document = Document(
        title=f"Receipt no. {receipt.receipt_number} - {author[:200]}",
        author=author,
        subject="Payment receipt",
        created=as_utc(receipt.issued_at),
    )
    page = document.next_page()
    revision = f"revision {receipt.revision} - replaces earlier revisions" if receipt.revision > 1 else ""
    number = f"Receipt no. {receipt.receipt_number}"
    y = header(page, receipt.business_name, "RECEIPT", number, revision, region=region)
    if notice := _notice(receipt):
        y = banner(page, notice, y)
    void = receipt.status == "voided"
    label = "Amount" if void else "Amount received"
    y = figure(page, label, receipt.amount_text, receipt.currency, y, struck=void)
    facts(page, _rows(receipt), y, region=region)
    footers(document, _foot(receipt))
    return document.finish()
