"""Font embedding: the glyphs a document takes from a font, as a font object inside the PDF.

ReportLab's own font support takes no CFF outlines, which is how the East Asian fonts are made, and loses
the source text of shaped glyphs, so text would not copy or search. Fonts are therefore embedded here:
HarfBuzz cuts each font down to the glyphs used, and every glyph keeps the characters it stands for.
"""

from typing import Any, Final, NamedTuple

import uharfbuzz as hb  # type: ignore[import-untyped]  # ships no types
from reportlab.pdfbase import pdfdoc

from common.pdf.cff import cff_cids
from common.pdf.fonts import BOLD, Face


class Code(NamedTuple):
    """What one character code stands for: a glyph of the face, its text, and its width in em."""

    glyph: int
    text: str
    width: float


class UsedFont:
    """The glyphs a document takes from a face, and the character codes they are written with.

    A code stands for a glyph together with its text, so that one shape used for different characters
    still extracts as the right ones. In CFF fonts the code has to be the font's own glyph number (CID),
    which is known only after subsetting; there the first text seen for a glyph stands.
    """

    def __init__(self, face: Face, number: int) -> None:
        self.face = face
        self.resource = f"R{number}"
        self.codes: dict[Code, int] = {}

    def add(self, code: Code) -> None:
        self.codes.setdefault(code, len(self.codes) + 1)

    def subset(self) -> tuple[bytes, dict[int, int]]:
        """The font program with only the used glyphs, and the new id of every used glyph."""
        wanted = hb.SubsetInput()
        wanted.sets(hb.SubsetInputSets.GLYPH_INDEX).update(code.glyph for code in self.codes)
        wanted.sets(hb.SubsetInputSets.DROP_TABLE_TAG).update(_LAYOUT_TABLES)
        # Subsetting empties the missing-glyph box unless told not to, and a name would vanish unseen.
        keep_box = hb.SubsetFlags.NOTDEF_OUTLINE
        wanted.flags = keep_box | hb.SubsetFlags.NO_HINTING | hb.SubsetFlags.NO_LAYOUT_CLOSURE
        if self.face.face.has_var_data:
            wanted.pin_all_axes_to_default(self.face.face)
        plan = hb.SubsetPlan(self.face.face, wanted)
        mapping = plan.old_to_new_glyph_mapping
        program = plan.execute()
        if not self.face.is_cff:
            return program.blob.data, {code.glyph: mapping[code.glyph] for code in self.codes}
        table = program.reference_table("CFF ").data
        cids = cff_cids(table)
        new_ids = {code.glyph: cids[mapping[code.glyph]] for code in self.codes}
        self.codes = {code: new_ids[code.glyph] for code in self.codes}
        return table, new_ids


_LAYOUT_TABLES: Final = [  # a PDF names glyphs, so what turns text into glyphs stays out
    int.from_bytes(tag, "big") for tag in (b"GSUB", b"GPOS", b"GDEF", b"BASE", b"STAT", b"vhea", b"vmtx", b"VORG")
]


def _to_unicode(codes: dict[Code, int]) -> bytes:
    """The PDF CMap which tells a reader what text each character code stands for."""
    texts: dict[int, str] = {}
    for code, number in codes.items():
        texts.setdefault(number, code.text)
    rows = [f"<{number:04X}> <{text.encode('utf-16-be').hex()}>" for number, text in sorted(texts.items())]
    blocks = [rows[i : i + 100] for i in range(0, len(rows), 100)]  # the format allows 100 rows a block
    body = "\n".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks)
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
        "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        "1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n"
        f"{body}\nendcmap\nCMapName currentdict /CMap defineresource pop\nend\nend"
    ).encode("ascii")


def number_text(value: float) -> str:
    """A number as a PDF writes it."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _stream(data: bytes, **entries: object) -> Any:
    """A compressed PDF stream object."""
    return pdfdoc.PDFStream(dictionary=pdfdoc.PDFDictionary(entries), content=data, filters=[pdfdoc.PDFZCompress])


def _descriptor(document: Any, used: UsedFont, program: bytes) -> Any:
    """The font descriptor, holding the font program itself."""
    face = used.face
    extents = face.font.get_font_extents("ltr")
    scale = 1000 / face.upem
    ascent, descent = round(extents.ascender * scale), round(extents.descender * scale)
    if face.is_cff:
        key, stream = "FontFile3", _stream(program, Subtype=pdfdoc.PDFName("CIDFontType0C"))
    else:
        key, stream = "FontFile2", _stream(program, Length1=len(program))
    entries = {
        "Type": pdfdoc.PDFName("FontDescriptor"),
        "FontName": pdfdoc.PDFName(_subset_name(used)),
        "Flags": 4,
        "FontBBox": pdfdoc.PDFArray([-1000, descent, 2000, ascent]),
        "ItalicAngle": 0,
        "Ascent": ascent,
        "Descent": descent,
        "CapHeight": 700,
        "StemV": 140 if face.name == BOLD else 80,
        key: document.Reference(stream),
    }
    return document.Reference(pdfdoc.PDFDictionary(entries))


def _subset_name(used: UsedFont) -> str:
    """The font's name with the six-letter tag that marks a subset; the tag follows from the glyphs used."""
    value = sum((code.glyph + 1) * number for code, number in used.codes.items())
    letters = []
    for _ in range(6):
        value, letter = divmod(value, 26)
        letters.append(chr(65 + letter))
    return "".join(letters) + "+" + used.face.name


def embed(document: Any, used: UsedFont) -> Any:
    """Add a used face to the document as a composite font; gives the reference for its pages."""
    program, new_ids = used.subset()
    face = used.face
    name = pdfdoc.PDFName(_subset_name(used))
    widths: list[object] = []
    numbered = sorted({number: code for code, number in used.codes.items()}.items())
    for number, code in numbered:
        widths += [number, pdfdoc.PDFArray([number_text(code.width * 1000)])]
    descendant = {
        "Type": pdfdoc.PDFName("Font"),
        "Subtype": pdfdoc.PDFName("CIDFontType0" if face.is_cff else "CIDFontType2"),
        "BaseFont": name,
        "CIDSystemInfo": pdfdoc.PDFDictionary(
            {"Registry": pdfdoc.PDFString("Adobe"), "Ordering": pdfdoc.PDFString("Identity"), "Supplement": 0}
        ),
        "DW": 1000,
        "W": pdfdoc.PDFArray(widths),
        "FontDescriptor": _descriptor(document, used, program),
    }
    if not face.is_cff:
        ids = [0] + [new_ids[code.glyph] for _, code in numbered]  # codes run from 1 without gaps
        descendant["CIDToGIDMap"] = document.Reference(_stream(b"".join(i.to_bytes(2, "big") for i in ids)))
    font = {
        "Type": pdfdoc.PDFName("Font"),
        "Subtype": pdfdoc.PDFName("Type0"),
        "BaseFont": name,
        "Encoding": pdfdoc.PDFName("Identity-H"),
        "DescendantFonts": pdfdoc.PDFArray([document.Reference(pdfdoc.PDFDictionary(descendant))]),
        "ToUnicode": document.Reference(_stream(_to_unicode(used.codes))),
    }
    return document.Reference(pdfdoc.PDFDictionary(font))
