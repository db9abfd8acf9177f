"""Scripts, directions, fonts, wrapping and pages: the parts every document stands on."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest
import uharfbuzz as hb  # type: ignore[import-untyped]  # ships no types
from pypdf import PdfReader

from common.pdf import fonts
from common.pdf.bidi import base_level
from common.pdf.cff import cff_cids
from common.pdf.document import Document
from common.pdf.embed import Code, UsedFont
from common.pdf.samples import LEFT_TO_RIGHT, RIGHT_TO_LEFT
from common.pdf.text import Style, cut_runs, shape_line, visual_order
from common.pdf.wrap import wrap


@pytest.mark.parametrize("name", [*LEFT_TO_RIGHT.values(), *RIGHT_TO_LEFT.values()])
@pytest.mark.parametrize("bold", [False, True])
def test_no_glyph_of_a_covered_script_is_the_missing_glyph(name: str, bold: bool) -> None:
    style = Style(10, (0.0, 0.0, 0.0), bold=bold)
    glyphs = shape_line(name, style).glyphs
    assert glyphs
    assert all(glyph.id != 0 for glyph in glyphs)


def test_arabic_is_joined_and_runs_from_the_right() -> None:
    style = Style(10, (0.0, 0.0, 0.0))
    joined = [glyph.id for glyph in shape_line("محمد", style).glyphs]
    apart = [shape_line(char, style).glyphs[0].id for char in "محمد"]
    assert len(set(joined) & set(apart)) < len(set(apart))
    texts = "".join(glyph.text for glyph in shape_line("محمد", style).glyphs)
    assert texts == "محمد"[::-1]


@pytest.mark.parametrize(
    ("text", "visual"),
    [
        ("אבג (Anna) 12", "12 (Anna) גבא"),
        ("Anna אבג 12", "Anna 12 גבא"),
        ("אבג $45.00", "$45.00 גבא"),
        ("a (אב) b", "a (בא) b"),
    ],
)
def test_mixed_directions_follow_the_unicode_order(text: str, visual: str) -> None:
    base = base_level(text)
    runs = visual_order(cut_runs(text, base, bold=False, region="zh"))
    mirrored = {"(": ")", ")": "("}
    shown = ["".join(mirrored.get(c, c) for c in reversed(run.text)) if run.level % 2 else run.text for run in runs]
    assert "".join(shown) == visual


def test_the_box_for_a_missing_glyph_survives_subsetting() -> None:
    for name in (fonts.BASE, fonts.BOLD):
        face = fonts.open_face(name)
        assert face is not None
        used = UsedFont(face, 1)
        used.add(Code(0, "ગ", 1.0))
        program, _ = used.subset()
        box = hb.Font(hb.Face(program)).get_glyph_extents(0)
        assert box.width > 0
        assert box.height != 0


def _cff_codes(font: str, text: str) -> tuple[dict[int, int], list[int]]:
    """The codes a CFF font's glyphs are written with, and the whole font's own glyph numbers."""
    face = fonts.open_face(font)
    assert face is not None
    used = UsedFont(face, 1)
    for char in text:
        used.add(Code(face.font.get_nominal_glyph(ord(char)), char, 1.0))
    return used.subset()[1], cff_cids(face.face.reference_table("CFF ").data)


@pytest.mark.parametrize("font", ["NotoSansJP-Regular", "NotoSansKR-Regular", "NotoSansSC-Regular"])
def test_glyphs_of_fonts_with_glyph_numbers_keep_theirs_in_the_subset(font: str) -> None:
    codes, numbers = _cff_codes(font, "王小明一的")
    assert codes == {glyph: numbers[glyph] for glyph in codes}
    assert numbers != list(range(len(numbers)))  # or this test would prove nothing


def test_glyphs_of_fonts_with_glyph_names_go_by_their_place_in_the_subset() -> None:
    codes, _ = _cff_codes("NotoSansSymbols2-Regular", "✓★☎")
    assert sorted(codes.values()) == [1, 2, 3]


@pytest.mark.parametrize("filler", ["W", "word ", "王", "สมชาย", "محمد ", "ज्ञानेश्वर"])
@pytest.mark.parametrize("width", [60.0, 200.0])
def test_no_line_is_wider_than_its_room(filler: str, width: float) -> None:
    style = Style(10, (0.0, 0.0, 0.0))
    paragraph = wrap(filler * 100, style, width, 4)
    assert len(paragraph.lines) == 4
    assert paragraph.width <= width + 0.01


STYLE = Style(10, (0.0, 0.0, 0.0))


def _document() -> Document:
    return Document("Title", "Author", "Subject", datetime(2025, 3, 3, tzinfo=UTC))


def _read(document: Document) -> PdfReader:
    return PdfReader(io.BytesIO(document.finish()))


def test_pages_share_fonts_and_each_says_its_own() -> None:
    document = _document()
    for name in ("Anna 王", "Ben 小", "Cleo 明"):
        document.next_page().paragraph(wrap(name, STYLE, 200, 1), 50, 700)
    reader = _read(document)
    assert [page.extract_text() for page in reader.pages] == ["Anna 王", "Ben 小", "Cleo 明"]
    programs = set()
    for page in reader.pages:
        resources: Any = page["/Resources"]
        fonts_of_page = resources["/Font"]
        assert len(fonts_of_page) == 2
        programs |= {font.indirect_reference.idnum for font in (f.get_object() for f in fonts_of_page.values())}
    assert len(programs) == 2


def test_earlier_pages_can_be_drawn_on_when_the_count_is_known() -> None:
    document = _document()
    for name in ("first", "second"):
        document.next_page().paragraph(wrap(name, STYLE, 200, 1), 50, 700)
    for number, page in enumerate(document.pages, 1):
        page.paragraph(wrap(f"Page {number} of {len(document.pages)}", STYLE, 200, 1), 50, 50)
    texts = [page.extract_text() for page in _read(document).pages]
    assert texts == ["first\nPage 1 of 2", "second\nPage 2 of 2"]


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://pay.example/i/1?a=b&c=%20#x", "https://pay.example/i/1?a=b&c=%20#x"),
        ("https://pay.example/王 (x)\n\ud800", "https://pay.example/%E7%8E%8B%20(x)%0A?"),
        ("javascript:alert(1)", None),
        ("", None),
    ],
)
def test_only_web_addresses_become_links(url: str, target: str | None) -> None:
    document = _document()
    document.next_page().link(10, 20, 30, 40, url)
    page: Any = _read(document).pages[0]
    links = [annotation.get_object() for annotation in page.get("/Annots", [])]
    assert [link["/A"]["/URI"] for link in links] == ([target] if target else [])
    assert [list(link["/Rect"]) for link in links] == ([[10, 20, 40, 60]] if target else [])
