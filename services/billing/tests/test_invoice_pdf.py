"""What an invoice's PDF says, checked by reading the file back as a client's PDF reader would."""

import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pypdf import PdfReader

from billing.domain.invoice_document import InvoiceDocument, InvoiceDocumentLine
from billing.invoice_pdf import render_invoice
from common.pdf.layout import FOOT
from common.pdf.page import HEIGHT, WIDTH

PAY_URL = "https://checkout.example/pay/cs_1?for=INV-000012&a=%20"
INVOICE = InvoiceDocument(
    business_name="Harbour Street Physiotherapy",
    client_name="Zoë Łukasiewicz-Ñandú",
    number="INV-000012",
    status="pending",
    is_overdue=False,
    issued_on=date(2025, 3, 3),
    due_on=date(2025, 3, 17),
    created_at=datetime(2025, 2, 27, 23, 5, tzinfo=UTC),
    time_zone="Asia/Tokyo",
    currency="USD",
    lines=[
        InvoiceDocumentLine("Session of 60 minutes", date(2025, 2, 27), "$45.00"),
        InvoiceDocumentLine("Tape", None, "$12.50"),
    ],
    total_text="$57.50",
    paid_text="$20.00",
    outstanding_text="$37.50",
    pay_url=PAY_URL,
    memo="Thank you",
    reply_to_email="hello@harbour.example",
)


def _many(count: int) -> InvoiceDocument:
    day = date(2025, 1, 1)
    lines = [InvoiceDocumentLine(f"Session {i} of many", day + timedelta(i), f"${i}.25") for i in range(count)]
    return replace(INVOICE, lines=lines)


def _pages(invoice: InvoiceDocument) -> list[Any]:
    return list(PdfReader(io.BytesIO(render_invoice(invoice))).pages)


def _text(invoice: InvoiceDocument) -> str:
    return "\n".join(page.extract_text() for page in _pages(invoice)).replace("\u2060", "")


def _links(invoice: InvoiceDocument) -> list[Any]:
    return [annotation.get_object() for page in _pages(invoice) for annotation in page.get("/Annots", [])]


def test_a_plain_invoice_says_everything_it_should_on_one_page() -> None:
    text = _text(INVOICE)
    for expected in (
        "Harbour Street Physiotherapy",
        "INVOICE",
        "Invoice no. INV-000012",
        "$37.50 USD",
        "Billed to Zoë Łukasiewicz-Ñandú",
        "Invoice date 3 March 2025",
        "Due date 17 March 2025",
        "Pay online Pay $37.50 here",
        "Memo Thank you",
        "27 Feb 2025 Session of 60 minutes $45.00",
        "Tape $12.50",
        "Total $57.50",
        "Paid so far $20.00",
        "Still to pay $37.50",
        "Issued 3 March 2025",
        "Questions? Write to hello@harbour.example",
    ):
        assert expected in text
    for unexpected in ("Drawn up", "DRAFT", "PAID", "VOID", "OVERDUE", "Page 1", "…"):
        assert unexpected not in text
    assert len(_pages(INVOICE)) == 1


def test_the_pay_link_can_be_clicked_where_it_is_printed() -> None:
    (link,) = _links(INVOICE)
    assert (link["/Subtype"], link["/A"]["/S"], link["/A"]["/URI"]) == ("/Link", "/URI", PAY_URL)
    spots: list[tuple[float, float]] = []

    def visit(text: str, _cm: Any, tm: list[float], _font: Any, _size: float) -> None:
        if text.strip().startswith("Pay $"):
            spots.append((tm[4], tm[5]))

    _pages(INVOICE)[0].extract_text(visitor_text=visit)
    ((x, y),) = spots
    left, bottom, right, top = (float(edge) for edge in link["/Rect"])
    assert left <= x < right < WIDTH
    assert bottom <= y < top


def test_only_a_pending_invoice_can_be_paid() -> None:
    for status in ("draft", "paid", "void"):
        changed = replace(INVOICE, status=status)
        assert _links(changed) == []
        assert "Pay online" not in _text(changed)
    assert _links(replace(INVOICE, pay_url=None)) == []


@pytest.mark.parametrize(
    ("change", "heading", "sentence"),
    [
        ({"status": "draft", "number": ""}, "DRAFT", "This invoice is a draft"),
        ({"status": "paid", "outstanding_text": "$0.00"}, "PAID", "This invoice is paid in full. Thank you."),
        ({"status": "void"}, "VOID", "This invoice was voided. Nothing is to be paid on it."),
        ({"is_overdue": True}, "OVERDUE", "was due on 17 March 2025. $37.50 is still to be paid."),
        ({"is_overdue": True, "due_on": None}, "OVERDUE", "is past the day it was due. $37.50"),
        ({"is_overdue": True, "status": "void"}, "VOID", "Nothing is to be paid on it."),
    ],
)
def test_an_invoice_that_is_not_plainly_pending_says_so(change: dict[str, Any], heading: str, sentence: str) -> None:
    text = _text(replace(INVOICE, **change))
    assert heading in text.splitlines()
    assert sentence in text


def test_a_draft_has_no_number_and_was_not_issued() -> None:
    draft = replace(INVOICE, status="draft", number="", issued_on=None, due_on=None)
    text = _text(draft)
    assert "Draft invoice" in text
    assert "Drawn up 28 February 2025 at 08:05 (Asia/Tokyo)" in text
    for unexpected in ("Invoice no.", "Issued", "Invoice date", "Due date"):
        assert unexpected not in text


def test_a_draft_that_was_thrown_away_was_not_issued_either() -> None:
    text = _text(replace(INVOICE, status="void", number="", issued_on=None, due_on=None))
    assert "Drawn up 28 February 2025" in text
    assert "Issued" not in text


def test_a_void_invoice_asks_for_nothing() -> None:
    text = _text(replace(INVOICE, status="void"))
    assert "Total $57.50" in text
    assert "Still to pay" not in text


def test_many_lines_run_over_pages_with_the_heads_repeated() -> None:
    pages = [page.extract_text() for page in _pages(_many(100))]
    count = len(pages)
    assert count == 5
    for number, page in enumerate(pages, 1):
        assert "Date Description Amount" in " ".join(page.split())
        assert f"Page {number} of {count}" in page
        assert "Harbour Street Physiotherapy" in page
        assert "Invoice no. INV-000012" in page
    everything = "\n".join(pages)
    assert all(f"Session {i} of many" in everything for i in range(100))
    assert "Total $57.50" in pages[-1]


def test_the_sums_are_never_torn_apart_nor_from_the_last_line() -> None:
    for count in range(5, 45):
        last = _pages(_many(count))[-1].extract_text()
        assert f"Session {count - 1} of many" in last
        assert all(words in last for words in ("Total $57.50", "Paid so far $20.00", "Still to pay $37.50"))


def test_lines_without_days_have_no_column_for_them() -> None:
    text = _text(replace(INVOICE, lines=[InvoiceDocumentLine("Tape", None, "$12.50")]))
    assert "Description" in text
    assert "Date " not in text


def test_an_invoice_without_lines_says_so() -> None:
    assert "Nothing is billed on this invoice." in _text(replace(INVOICE, lines=[]))


@pytest.mark.parametrize("name", ["Anna Müller", "王小明的诊所", "श्री कृष्ण ज्ञानेश्वर"])
def test_names_of_other_scripts_can_be_read_back(name: str) -> None:
    lines = [InvoiceDocumentLine(name, None, "$1.00")]
    text = _text(replace(INVOICE, business_name=name, client_name=name, lines=lines))
    assert f"Billed to {name}" in text
    assert f"{name} $1.00" in text


def test_right_to_left_names_can_be_read_back() -> None:
    name = "محمد العربي"
    lines = [InvoiceDocumentLine(name, None, "$1.00")]
    text = _text(replace(INVOICE, business_name=name, client_name=name, lines=lines))
    assert all(text.count(word) + text.count(word[::-1]) == 3 for word in name.split())  # readers differ in the order


def _filled(filler: str) -> InvoiceDocument:
    names = ("business_name", "client_name", "number", "time_zone", "currency", "total_text", "paid_text")
    rest = ("outstanding_text", "pay_url", "memo", "reply_to_email")
    lines = [InvoiceDocumentLine(filler, day, filler) for day in (None, date(2025, 1, 1))] * 10
    texts: dict[str, Any] = dict.fromkeys((*names, *rest), filler)
    return replace(INVOICE, is_overdue=True, lines=lines, **texts)


@pytest.mark.parametrize(
    "filler", ["", " ", "\ud800", "\x00\x1b[0m", "\u0301", "\u200d", "()\\<>", "https://\n王\ud800"]
)
def test_strange_characters_in_every_field_do_no_harm(filler: str) -> None:
    assert "INVOICE" in _text(_filled(filler))


@pytest.mark.parametrize("filler", ["W" * 2000, "word " * 400, "王" * 2000, "محمد " * 400, "https://" + "x" * 2000])
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


def test_a_long_description_is_printed_whole() -> None:
    words = " ".join(f"word{i}" for i in range(80))
    text = _text(replace(INVOICE, lines=[InvoiceDocumentLine(words, date(2025, 1, 1), "$1.00")]))
    assert all(f"word{i}" in text for i in range(80))


def test_metadata_names_the_document() -> None:
    reader = PdfReader(io.BytesIO(render_invoice(INVOICE)))
    assert reader.metadata is not None
    assert reader.metadata.title == "Invoice no. INV-000012 - Harbour Street Physiotherapy"
    assert reader.metadata.author == "Harbour Street Physiotherapy"
    assert reader.metadata.creation_date == INVOICE.created_at


def test_the_same_invoice_gives_the_same_bytes() -> None:
    invoice = replace(_many(60), client_name="Anna 王小明 محمد")
    assert render_invoice(invoice) == render_invoice(invoice)
