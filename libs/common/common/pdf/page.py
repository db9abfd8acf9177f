"""The page: placed glyphs, lines, boxes and links as PDF operators."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from common.pdf.embed import Code, UsedFont, number_text
from common.pdf.fonts import BOLD, Face
from common.pdf.text import Colour, Glyph, Line, Style
from common.pdf.wrap import Paragraph

WIDTH: Final = 595.28  # A4
HEIGHT: Final = 841.89


class _Spot(NamedTuple):
    """A glyph as written to the page: the advance declared for it, and where it stands, in em.

    `shift` is how far right of the previous glyph's end it starts, `rise` how far above the baseline.
    """

    face: Face
    id: int
    text: str
    width: float
    shift: float
    rise: float

    @property
    def code(self) -> Code:
        return Code(self.id, self.text, self.width)


def _place(glyphs: list[Glyph]) -> list[_Spot]:
    """Turn shaped glyphs into what the PDF declares.

    Readers take a jump to the right for a space between words, and accents are set by such jumps. So a
    jump is declared as extra width of the glyph before it, which looks the same and reads as one word.
    CFF fonts have one width per glyph; their scripts need no such jumps.
    """
    spots: list[_Spot] = []
    owed = 0.0
    for glyph in glyphs:
        width = glyph.face.width(glyph.id)
        shift = owed + glyph.dx
        if spots and shift > 0.05 and spots[-1].face is glyph.face and not glyph.face.is_cff:
            spots[-1] = spots[-1]._replace(width=round(spots[-1].width + shift, 4))
            shift = 0.0
        spots.append(_Spot(glyph.face, glyph.id, glyph.text, width, shift, glyph.dy))
        owed = glyph.advance - glyph.dx - width
    return spots


class Page:
    """One A4 page, held until the fonts of all pages are subset: only then is it known how its texts are written."""

    def __init__(self, fonts: dict[str, UsedFont]) -> None:
        """An empty page of a document whose used fonts, by name, are `fonts`; what the page uses is added there."""
        self._fonts = fonts
        self._shapes: list[Callable[[Any], None]] = []
        self._texts: list[tuple[list[_Spot], Style, float, float]] = []

    def line(self, text: Line, style: Style, x: float, y: float) -> None:
        """Put a line with its left end and baseline at (x, y) from the page's lower left corner."""
        spots = _place(text.glyphs)
        for spot in spots:
            name = spot.face.name
            if name not in self._fonts:
                self._fonts[name] = UsedFont(spot.face, len(self._fonts) + 1)
            self._fonts[name].add(spot.code)
        self._texts.append((spots, style, x, y))

    def paragraph(self, paragraph: Paragraph, x: float, top: float, *, right: bool = False) -> float:
        """Draw a paragraph from its top edge down; gives the y of its bottom edge.

        With `right`, x is the right edge. Right-to-left lines align on the paragraph's right side.
        """
        style = paragraph.style
        for number, line in enumerate(paragraph.lines):
            slack = paragraph.width - line.width * style.size if line.rtl else 0.0
            left = x - line.width * style.size if right else x + slack
            self.line(line, style, left, top - number * style.leading - style.size)
        return top - paragraph.height

    def rule(self, y: float, x: float, width: float, colour: Colour, weight: float) -> None:
        def draw(canvas: Any) -> None:
            canvas.setStrokeColorRGB(*colour)
            canvas.setLineWidth(weight)
            canvas.line(x, y, x + width, y)

        self._shapes.append(draw)

    def box(self, x: float, y: float, width: float, height: float, fill: Colour) -> None:
        def draw(canvas: Any) -> None:
            canvas.setFillColorRGB(*fill)
            canvas.roundRect(x, y, width, height, 4, stroke=0, fill=1)

        self._shapes.append(draw)

    def link(self, x: float, y: float, width: float, height: float, url: str) -> None:
        """Make a rectangle open a web address. An address that is not http(s) stays mere text."""
        if not url.startswith(("https://", "http://")):
            return
        # A PDF holds addresses in ASCII; what is escaped already stays as it is.
        target = quote(url, safe="%/:?#[]@!$&'()*+,;=-._~", errors="replace")
        self._shapes.append(lambda canvas: canvas.linkURL(target, (x, y, x + width, y + height)))

    def draw(self, canvas: Any) -> None:
        """Put the page on ReportLab's canvas, texts above shapes. Every font must have been embedded."""
        for shape in self._shapes:
            shape(canvas)
        for text in self._texts:
            canvas._code.append(self._operators(*text))

    def _operators(self, spots: list[_Spot], style: Style, x: float, y: float) -> str:
        """PDF operators which show a line."""
        colour = " ".join(number_text(part) for part in style.colour)
        # The outline, in the text's colour, is drawn only where a bold face is missing and is imitated.
        parts = [f"q {colour} rg {colour} RG {number_text(style.size * 0.028)} w BT"]
        parts.append(f"1 0 0 1 {number_text(x)} {number_text(y)} Tm")
        face: Face | None = None
        rise = 0.0
        shown: list[str] = []
        for spot in spots:
            if shown and (spot.face is not face or spot.rise != rise):
                parts.append(_show(shown))
                shown = []
            used = self._fonts[spot.face.name]
            if spot.face is not face:
                face = spot.face
                parts.append(f"/{used.resource} {number_text(style.size)} Tf")
                parts.append("2 Tr" if style.bold and face.name != BOLD else "0 Tr")
            if spot.rise != rise:
                rise = spot.rise
                parts.append(f"{number_text(rise * style.size)} Ts")
            shown += [_shift(-spot.shift), f"<{used.codes[spot.code]:04X}>"]
        return " ".join([*parts, _show(shown), "ET Q"])


def _show(strings: list[str]) -> str:
    return f"[{' '.join(filter(None, strings))}] TJ"


def _shift(ems: float) -> str:
    """A TJ displacement to the left in thousandths of an em, or nothing when there is none to speak of."""
    return number_text(ems * 1000) if abs(ems) >= 0.0005 else ""
