"""What a receipt's PDF says, checked by reading the file back as a client's PDF reader would."""

import io
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pypdf import PdfReader
from pypdf.generic import DictionaryObject

from common.pdf import fonts
from common.pdf.page import HEIGHT
from common.pdf.samples import LEFT_TO_RIGHT, RIGHT_TO_LEFT
from common.pdf.text import uncovered_characters
from payments.domain.receipt import ReceiptDocument
from payments.receipt_pdf import render_receipt

RECEIPT = ReceiptDocument(
    business_name="Harbour Street Physiotherapy",
    client_name="Zoë Łukasiewicz-Ñandú",
    receipt_number=12,
    revision=1,
    payment_id="pay_01J9Z3K4M5N6P7Q8",
    status="recorded",
    method="bank_transfer",
    amount_minor=4500,
    refunded_minor=0,
    net_minor=4500,
    currency="USD",
    amount_text="$45.00",
    refunded_text="$0.00",
    net_text="$45.00",
    received_on=date(2025, 3, 3),
    issued_at=datetime(2025, 3, 3, 23, 5, tzinfo=UTC),
    time_zone="Asia/Tokyo",
    reference="TRX 99-1812",
    memo="Session of 27 February, thank you",
    invoice_number="INV-2025-0031",
    reply_to_email="hello@harbour.example",
)


def _extract(pdf: bytes) -> str:
    """The text of a one-page file, with zero-width characters left out."""
    reader = PdfReader(io.BytesIO(pdf))
    assert len(reader.pages) == 1
    return reader.pages[0].extract_text().replace("\u2060", "")


def _letters(text: str) -> list[str]:
    """The characters of a text apart from blanks, in an order of their own."""
    return sorted(char for char in unicodedata.normalize("NFC", text) if not char.isspace())


def _fonts(pdf: bytes) -> list[DictionaryObject]:
    resources: Any = PdfReader(io.BytesIO(pdf)).pages[0]["/Resources"]
    return [font.get_object() for font in resources["/Font"].values()]


@pytest.mark.parametrize(
    ("withdrawn", "refunded", "words"),
    [
        (4500, 0, "This payment of $45.00 was taken back by the bank because the payment is disputed."),
        (2000, 1000, "Part of this payment of $45.00 was taken back by the bank because the payment is disputed."),
    ],
)
def test_money_withdrawn_is_shown_like_money_refunded(withdrawn: int, refunded: int, words: str) -> None:
    net = 4500 - withdrawn - refunded
    receipt = replace(
        RECEIPT, status="disputed", withdrawn_minor=withdrawn, withdrawn_text=f"${withdrawn / 100:.2f}",
        refunded_minor=refunded, refunded_text=f"${refunded / 100:.2f}", net_minor=net, net_text=f"${net / 100:.2f}",
    )  # fmt: skip
    text = " ".join(_extract(render_receipt(receipt)).split())
    for expected in ("DISPUTED", words, f"Amount taken back ${withdrawn / 100:.2f}", f"Net amount ${net / 100:.2f}"):
        assert expected in text
    assert ("Refunded amount" in text) == (refunded > 0)


def test_a_plain_receipt_says_everything_it_should() -> None:
    text = _extract(render_receipt(RECEIPT))
    for expected in (
        "Harbour Street Physiotherapy",
        "RECEIPT",
        "Receipt no. 12",
        "$45.00 USD",
        "Received from Zoë Łukasiewicz-Ñandú",
        "Date received 3 March 2025",
        "Payment method Bank transfer",
        "Reference TRX 99-1812",
        "Invoice INV-2025-0031",
        "Memo Session of 27 February, thank you",
        "Issued 4 March 2025 at 08:05 (Asia/Tokyo)",
        "pay_01J9Z3K4M5N6P7Q8",
        "hello@harbour.example",
    ):
        assert expected in text
    for unexpected in ("revision", "VOID", "REFUNDED", "Refunded", "Net amount"):
        assert unexpected not in text


def test_what_is_absent_leaves_no_label_behind() -> None:
    bare = replace(RECEIPT, reference=None, memo="  ", invoice_number=None, reply_to_email=None)
    text = _extract(render_receipt(bare))
    for label in ("Reference", "Memo", "Invoice", "Questions"):
        assert label not in text


def test_a_later_revision_says_that_it_replaces_earlier_ones() -> None:
    assert "revision 2 - replaces earlier revisions" in _extract(render_receipt(replace(RECEIPT, revision=2)))


def test_a_void_receipt_says_so() -> None:
    text = _extract(render_receipt(replace(RECEIPT, status="voided", net_minor=0, net_text="$0.00")))
    assert "VOID" in text
    assert "This payment of $45.00 was voided. This receipt is not proof of payment." in text
    assert "Amount received" not in text


def test_a_partial_refund_states_what_went_back_and_what_remains() -> None:
    partial = replace(RECEIPT, status="partially_refunded", refunded_minor=1000, net_minor=3500)
    text = _extract(render_receipt(replace(partial, refunded_text="$10.00", net_text="$35.00")))
    assert "PARTIALLY REFUNDED" in text
    assert "Refunded amount: $10.00. Net amount: $35.00." in text
    assert "Refunded amount $10.00" in text
    assert "Net amount $35.00" in text


def test_a_full_refund_is_not_called_partial() -> None:
    full = replace(RECEIPT, status="refunded", refunded_minor=4500, net_minor=0)
    text = _extract(render_receipt(replace(full, refunded_text="$45.00", net_text="$0.00")))
    assert "REFUNDED" in text
    assert "PARTIALLY" not in text
    assert "Refunded amount: $45.00. Net amount: $0.00." in text


def test_a_status_or_method_not_known_here_is_still_put_in_words() -> None:
    text = _extract(render_receipt(replace(RECEIPT, status="charged_back", method="direct_debit")))
    assert "The status of this payment is: Charged back." in text
    assert "Payment method Direct debit" in text


@pytest.mark.parametrize(
    ("method", "words"),
    [("cash", "Cash"), ("check", "Check"), ("card_terminal", "Card terminal"), ("other", "Other")],
)
def test_methods_are_put_in_words(method: str, words: str) -> None:
    assert f"Payment method {words}" in _extract(render_receipt(replace(RECEIPT, method=method)))


def test_metadata_names_the_document_its_author_and_language() -> None:
    reader = PdfReader(io.BytesIO(render_receipt(replace(RECEIPT, business_name="東京さくら整体院"))))
    assert reader.metadata is not None
    assert reader.metadata.title == "Receipt no. 12 - 東京さくら整体院"
    assert reader.metadata.author == "東京さくら整体院"
    assert reader.metadata.creation_date == RECEIPT.issued_at
    root: Any = reader.trailer["/Root"]
    assert root["/Lang"] == "en"
    box = reader.pages[0].mediabox
    assert (round(float(box.width)), round(float(box.height))) == (595, 842)


@pytest.mark.parametrize("name", LEFT_TO_RIGHT.values(), ids=LEFT_TO_RIGHT)
def test_names_of_every_script_are_drawn_and_can_be_read_back(name: str) -> None:
    assert uncovered_characters(name) == set()
    text = _extract(render_receipt(replace(RECEIPT, business_name=name, client_name=name, memo=name)))
    row = next(line for line in text.splitlines() if line.startswith("Received from"))
    assert row == f"Received from {name}"
    assert " ".join(text.split()).count(name) == 3  # the longest wraps in the heading


@pytest.mark.parametrize("name", RIGHT_TO_LEFT.values(), ids=RIGHT_TO_LEFT)
def test_right_to_left_names_are_drawn_and_can_be_read_back(name: str) -> None:
    assert uncovered_characters(name) == set()
    text = _extract(render_receipt(replace(RECEIPT, client_name=name)))
    row = next(line for line in text.splitlines() if "Received from" in line)
    assert _letters(row.replace("Received from", "")) == _letters(name)  # readers differ in the order


def test_a_name_cannot_turn_the_text_after_it_around() -> None:
    text = _extract(render_receipt(replace(RECEIPT, client_name="Anna \u202e00.54$ \u2066x")))
    assert "Received from Anna 00.54$ x" in text


@pytest.mark.parametrize(
    ("name", "change", "font"),
    [
        ("田中太郎", {"currency": "JPY"}, "NotoSansJP"),
        ("田中太郎", {"business_name": "さくら"}, "NotoSansJP"),
        ("田中太郎", {"time_zone": "Asia/Seoul"}, "NotoSansKR"),
        ("王小明", {"time_zone": "Europe/London"}, "NotoSansSC"),
    ],
)
def test_chinese_characters_take_the_shapes_of_the_language_around_them(
    name: str, change: dict[str, Any], font: str
) -> None:
    embedded = _fonts(render_receipt(replace(replace(RECEIPT, client_name=name), **change)))
    assert any(font in str(entry["/BaseFont"]) for entry in embedded)


def test_every_font_is_embedded_as_a_subset() -> None:
    pdf = render_receipt(replace(RECEIPT, client_name="Anna 王小明 தமிழ் محمد"))
    embedded = _fonts(pdf)
    assert len(embedded) >= 4
    for font in embedded:
        descendants: Any = font["/DescendantFonts"]
        descriptor = descendants[0].get_object()["/FontDescriptor"]
        assert "/FontFile2" in descriptor or "/FontFile3" in descriptor
        assert str(font["/BaseFont"])[7] == "+"
    assert len(pdf) < 60_000


def test_characters_no_font_has_do_no_harm() -> None:
    name = "Anna \U0001f9d1\u200d\U0001f680 \U0001faf6\U0001f3fd 😀❤️ \U00013080"
    assert "\U00013080" in uncovered_characters(name)
    assert "Received from Anna" in _extract(render_receipt(replace(RECEIPT, client_name=name)))


@pytest.mark.parametrize("hostile", ["\ud800", "\x00\x1b[0m", "\u0301", "\u200d", "\ufffe", "()\\<>", "a\u0301" * 900])
def test_strange_characters_in_every_field_do_no_harm(hostile: str) -> None:
    strange = replace(
        RECEIPT, business_name=hostile, client_name=hostile, memo=hostile, reference=hostile, currency=hostile
    )
    assert "Receipt no. 12" in _extract(render_receipt(replace(strange, amount_text=hostile, method=hostile)))


def _extremes(filler: str) -> ReceiptDocument:
    text = filler * (3000 // len(filler))
    texts = dict.fromkeys(
        (
            "business_name",
            "client_name",
            "payment_id",
            "reference",
            "memo",
            "invoice_number",
            "reply_to_email",
        ),
        text,
    )
    amounts = dict.fromkeys(("amount_text", "refunded_text", "net_text"), text)
    changed: dict[str, Any] = {**texts, **amounts, "status": "voided", "method": text, "currency": text}
    return replace(RECEIPT, revision=10**40, receipt_number=10**40, refunded_minor=1, **changed)


@pytest.mark.parametrize("filler", ["W", "word ", "王", "สมชาย", "محمد ", "ज्ञानेश्वर", "$9,"])
def test_endless_text_stays_on_the_page(filler: str) -> None:
    page = PdfReader(io.BytesIO(render_receipt(_extremes(filler)))).pages
    assert len(page) == 1
    bottoms: list[float] = []

    def visit(text: str, _cm: Any, tm: list[float], _font: Any, _size: float) -> None:
        if text.strip():
            bottoms.append(tm[5])

    page[0].extract_text(visitor_text=visit)
    assert min(bottoms) > 30
    assert max(bottoms) < HEIGHT - 40


def test_cut_text_ends_in_an_ellipsis_and_short_text_does_not() -> None:
    assert "…" in _extract(render_receipt(replace(RECEIPT, memo="word " * 600)))
    assert "…" not in _extract(render_receipt(RECEIPT))


def test_a_time_zone_nobody_knows_falls_back_to_utc() -> None:
    for name in ("Nowhere/Land", "../etc", "", "/"):
        text = _extract(render_receipt(replace(RECEIPT, time_zone=name)))
        assert "Issued 3 March 2025 at 23:05 (UTC)" in text


def test_the_same_receipt_gives_the_same_bytes() -> None:
    receipt = replace(RECEIPT, client_name="Anna 王小明 محمد")
    assert render_receipt(receipt) == render_receipt(receipt)


def test_threads_may_render_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [*LEFT_TO_RIGHT.values(), *RIGHT_TO_LEFT.values()]
    receipts = [replace(RECEIPT, client_name=name) for name in names]
    expected = [render_receipt(receipt) for receipt in receipts]
    monkeypatch.setattr(fonts, "_faces", {})  # so that the threads also race to open the fonts
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(render_receipt, receipts * 3)) == expected * 3


def test_a_plain_receipt_opens_no_east_asian_font(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: dict[str, Any] = {}
    monkeypatch.setattr(fonts, "_faces", opened)
    render_receipt(RECEIPT)
    assert set(opened) == {fonts.BASE, fonts.BOLD}


def test_a_script_whose_font_is_not_installed_still_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    without: dict[str, Any] = dict.fromkeys(set(fonts._LOADERS) - {fonts.BASE, fonts.BOLD})
    monkeypatch.setattr(fonts, "_faces", without)
    text = _extract(render_receipt(replace(RECEIPT, client_name="王小明")))
    assert "王小明" in text  # drawn as boxes, but still there to copy
