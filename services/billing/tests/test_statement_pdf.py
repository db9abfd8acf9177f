"""What a statement's PDF says, checked by reading the file back as a client's PDF reader would."""

import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pypdf import PdfReader

from billing.domain.statement_document import StatementDocument, StatementDocumentLine
from billing.statement_pdf import render_statement
from common.pdf.layout import FOOT
from common.pdf.page import HEIGHT

STATEMENT = StatementDocument(
    business_name="Harbour Street Physiotherapy",
    client_name="Zoë Łukasiewicz-Ñandú",
    first=date(2025, 3, 1),
    last=date(2025, 3, 31),
    issued_at=datetime(2025, 4, 1, 8, 5, tzinfo=UTC),
    time_zone="Europe/London",
    currency="USD",
    opening_text="owes $15.00",
    closing_text="has $30.00 left",
    received_text="$90.00",
    charged_text="$45.00",
    lines=[
        StatementDocumentLine(date(2025, 3, 4), "Payment in cash", "+$90.00", "has $75.00 left"),
        StatementDocumentLine(date(2025, 3, 5), "Session of 60 minutes", "-$45.00", "has $30.00 left"),
    ],
    reply_to_email="hello@harbour.example",
)


def _many(count: int) -> StatementDocument:
    first = date(2020, 1, 1)
    lines = [
        StatementDocumentLine(first + timedelta(i), f"Session {i} of many", f"-${i}.25", f"owes ${i}.50")
        for i in range(count)
    ]
    return replace(STATEMENT, lines=lines)


def _pages(statement: StatementDocument) -> list[Any]:
    return list(PdfReader(io.BytesIO(render_statement(statement))).pages)


def _text(statement: StatementDocument) -> str:
    return "\n".join(page.extract_text() for page in _pages(statement)).replace("\u2060", "")


def test_a_plain_statement_says_everything_in_order_on_one_page() -> None:
    assert len(_pages(STATEMENT)) == 1
    text, at = _text(STATEMENT), 0
    for expected in (
        "Harbour Street Physiotherapy",
        "STATEMENT",
        "1 March 2025 to 31 March 2025",
        "On 31 March 2025, Zoë Łukasiewicz-Ñandú",
        "has $30.00 left",
        "Client Zoë Łukasiewicz-Ñandú",
        "Amounts in USD",
        "1 Mar 2025 Opening balance owes $15.00",
        "4 Mar 2025 Payment in cash +$90.00 has $75.00 left",
        "5 Mar 2025 Session of 60 minutes -$45.00 has $30.00 left",
        "31 Mar 2025 Closing balance has $30.00 left",
        "Received $90.00",
        "Charged $45.00",
        "Closing balance has $30.00 left",
        "Issued 1 April 2025 at 09:05 (Europe/London)",
        "Questions? Write to hello@harbour.example",
    ):
        at = text.index(expected, at) + len(expected)


def test_adjustments_are_a_sum_of_their_own_where_there_are_any() -> None:
    assert "Adjustments" not in _text(STATEMENT)
    text = " ".join(_text(replace(STATEMENT, adjusted_text="-$5.00")).split())
    assert "Charged $45.00 Adjustments -$5.00 Closing balance has $30.00 left" in text


def test_a_period_in_which_nothing_happened_says_so() -> None:
    text = _text(replace(STATEMENT, lines=[]))
    assert "Nothing in this period" in text
    assert text.index("Opening balance") < text.index("Nothing in this period") < text.index("Closing balance")


def test_many_lines_run_over_pages_with_the_heads_repeated() -> None:
    pages = [page.extract_text() for page in _pages(_many(300))]
    assert len(pages) == 12
    for number, page in enumerate(pages, 1):
        assert "Date What happened Change Balance" in " ".join(page.split())
        assert f"Page {number} of {len(pages)}" in page
    rows = [line for page in pages for line in page.splitlines() if "of many" in line]
    assert [int(row.split("Session ")[1].split()[0]) for row in rows] == list(range(300))
    assert "Opening balance" in pages[0]
    assert "Received $90.00" in pages[-1]


def test_thousands_of_lines_are_no_trouble() -> None:
    pages = _pages(_many(3000))
    assert len(pages) > 100
    assert "Session 0 of many" in pages[0].extract_text()
    assert "Session 2999 of many" in pages[-1].extract_text()


def test_all_pages_take_their_fonts_from_the_same_place() -> None:
    programs = set()
    for page in _pages(_many(200)):
        for font in page["/Resources"]["/Font"].values():
            programs.add(font.get_object().indirect_reference.idnum)
    assert len(programs) == 2


@pytest.mark.parametrize("name", ["Anna Müller", "王小明的诊所", "श्री कृष्ण ज्ञानेश्वर"])
def test_names_of_other_scripts_can_be_read_back(name: str) -> None:
    lines = [StatementDocumentLine(date(2025, 3, 4), name, "+$1.00", "is settled")]
    text = _text(replace(STATEMENT, business_name=name, client_name=name, lines=lines))
    assert f"Client {name}" in text
    assert f"4 Mar 2025 {name} +$1.00 is settled" in text
    assert f"On 31 March 2025, {name}" in text


def test_right_to_left_names_can_be_read_back() -> None:
    name = "محمد العربي"
    lines = [StatementDocumentLine(date(2025, 3, 4), name, "+$1.00", "is settled")]
    text = _text(replace(STATEMENT, business_name=name, client_name=name, lines=lines))
    assert all(text.count(word) + text.count(word[::-1]) == 4 for word in name.split())  # readers differ in the order


def _filled(filler: str) -> StatementDocument:
    names = ("business_name", "client_name", "time_zone", "currency", "opening_text", "closing_text")
    rest = ("received_text", "charged_text", "reply_to_email")
    lines = [StatementDocumentLine(date(2025, 3, 4), filler, filler, filler)] * 20
    texts: dict[str, Any] = dict.fromkeys((*names, *rest), filler)
    return replace(STATEMENT, lines=lines, **texts)


@pytest.mark.parametrize("filler", ["", " ", "\ud800", "\x00\x1b[0m", "\u0301", "\u200d", "()\\<>"])
def test_strange_characters_in_every_field_do_no_harm(filler: str) -> None:
    assert "STATEMENT" in _text(_filled(filler))


@pytest.mark.parametrize("filler", ["W" * 2000, "word " * 400, "王" * 2000, "محمد " * 400])
def test_endless_text_stays_within_every_page(filler: str) -> None:
    bottoms: list[float] = []

    def visit(text: str, _cm: Any, tm: list[float], _font: Any, size: float) -> None:
        if text.strip():
            bottoms.append(tm[5])
            if size > 9:
                assert tm[5] > FOOT - 5

    for page in _pages(_filled(filler)):
        page.extract_text(visitor_text=visit)
    assert min(bottoms) > 30
    assert max(bottoms) < HEIGHT - 40


def test_metadata_names_the_document() -> None:
    reader = PdfReader(io.BytesIO(render_statement(STATEMENT)))
    assert reader.metadata is not None
    assert reader.metadata.title == "Statement 1 March 2025 to 31 March 2025 - Harbour Street Physiotherapy"
    assert reader.metadata.creation_date == STATEMENT.issued_at


def test_the_same_statement_gives_the_same_bytes() -> None:
    statement = replace(_many(60), client_name="Anna 王小明 محمد")
    assert render_statement(statement) == render_statement(statement)
