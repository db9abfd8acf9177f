"""A statement of account as a PDF: what its A4 pages say and in which order. Its looks are `common.pdf.layout`."""

from typing import Final

from billing.domain.statement_document import StatementDocument
from common.pdf.document import Document
from common.pdf.flow import ROW_BOLD, ROW_MUTED, Column, Flow, Table, sums, sums_height
from common.pdf.layout import INNER, Fact, facts, figure, footers, header, questions, running_header
from common.pdf.page import Page
from common.pdf.text import clean
from common.pdf.words import as_utc, date_words, moment_words, region_for, short_date

_DAY: Final = 76.0
_CHANGE: Final = 88.0
_BALANCE: Final = 112.0


def _period(statement: StatementDocument) -> str:
    return f"{date_words(statement.first)} to {date_words(statement.last)}"


def _lines(flow: Flow, statement: StatementDocument) -> None:
    """The balance before the period, every entry with the balance after it, and the balance at the end."""
    table = Table(
        flow,
        [
            Column("Date", _DAY),
            Column("What happened", INNER - _DAY - _CHANGE - _BALANCE, max_lines=3),
            Column("Change", _CHANGE, right=True),
            Column("Balance", _BALANCE, right=True),
        ],
    )
    table.row([short_date(statement.first), "Opening balance", "", statement.opening_text], ROW_BOLD)
    for line in statement.lines:
        table.row([short_date(line.day), line.description, line.change_text, line.balance_text])
    if not statement.lines:
        table.row(["", "Nothing in this period", "", ""], ROW_MUTED)
    closing = [short_date(statement.last), "Closing balance", "", statement.closing_text]
    table.row(closing, ROW_BOLD, keep=sums_height(len(_sums(statement))))
    table.end()


def _sums(statement: StatementDocument) -> list[Fact]:
    received, charged = Fact("Received", statement.received_text), Fact("Charged", statement.charged_text)
    adjusted = [Fact("Adjustments", statement.adjusted_text)] if statement.adjusted_text else []
    return [received, charged, *adjusted, Fact("Closing balance", statement.closing_text, bold=True)]


def _top(page: Page, statement: StatementDocument, region: str) -> float:
    """What stands above the entries: whose account it is, for which days, and how it stands."""
    y = header(page, statement.business_name, "STATEMENT", _period(statement), region=region)
    # Together they read as one sentence: On 31 March 2025, Zoë has $30.00 left.
    label = f"On {date_words(statement.last)}, {statement.client_name}"
    y = figure(page, label, statement.closing_text, "", y, region=region)
    rows = [Fact("Client", statement.client_name, 3, bold=True), Fact("Amounts in", statement.currency)]
    return facts(page, rows, y, region=region) - 26


def render_statement(statement: StatementDocument) -> bytes:
    """The statement as an A4 PDF file of as many pages as its lines need. The same statement gives the same bytes.

    Safe to call from several threads. A character that no installed font has prints as an empty box and
    still extracts as itself; nothing a field may contain makes this fail.
    """
    texts = (statement.business_name, statement.client_name, *(line.description for line in statement.lines))
    region = region_for(texts, statement.currency, statement.time_zone)
    author = clean(statement.business_name)
    document = Document(
        title=f"Statement {_period(statement)} - {author[:200]}",
        author=author,
        subject="Statement of account",
        created=as_utc(statement.issued_at),
    )
    page = document.next_page()

    def start(page: Page) -> float:
        return running_header(page, statement.business_name, f"Statement, {_period(statement)}", region=region)

    flow = Flow(document, page, _top(page, statement, region), start, region)
    _lines(flow, statement)
    sums(flow, _sums(statement))
    issued = f"Issued {moment_words(statement.issued_at, statement.time_zone)}"
    footers(document, [issued, questions(statement.reply_to_email)])
    return document.finish()
