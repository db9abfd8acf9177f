"""Line wrapping: a text of any length as a paragraph of lines no wider than their room."""

import unicodedata
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from common.pdf.bidi import base_level
from common.pdf.scripts import region_of, script_of
from common.pdf.text import JOINERS, Line, Style, clean, clings, shape_line

_NOT_FIRST: Final = frozenset("、。，．！？：；）］｝」』】〕〉》〟ー々…·ぁぃぅぇぉっゃゅょァィゥェォッャュョ")
_NOT_LAST: Final = frozenset("（［｛「『【〔〈《〝")
_THAI_BEFORE: Final = frozenset("\u0e40\u0e41\u0e42\u0e43\u0e44\u0ec0\u0ec1\u0ec2\u0ec3\u0ec4")
_THAI_AFTER: Final = frozenset("\u0e30\u0e32\u0e33\u0e45\u0eb0\u0eb2\u0eb3")
_MAX_TOKEN: Final = 300  # longer than any line; keeps the cost of measuring an endless word down


def _clusters(text: str) -> list[str]:
    """Split text where a line may break in an emergency: never inside what a reader sees as one letter."""
    clusters: list[str] = []
    for char in text:
        last = clusters[-1][-1] if clusters else ""
        joined = last and (
            clings(char)
            or char in _THAI_AFTER
            or last in _THAI_BEFORE
            or last in JOINERS
            or unicodedata.combining(last) == 9  # a virama ties the next consonant to this one
        )
        if joined:
            clusters[-1] += char
        else:
            clusters.append(char)
    return clusters


def _breaks_around(char: str) -> bool:
    return script_of(char) in ("Hani", "Kana")


def _tokens(text: str) -> list[str]:
    """Split text where a line may break: after spaces and hyphens, and around East Asian characters."""
    tokens: list[str] = []
    for cluster in _clusters(text):
        last = tokens[-1][-1] if tokens else " "
        may_break = last in " -" or _breaks_around(cluster[0]) or _breaks_around(last)
        if cluster == " " or cluster in _NOT_FIRST or last in _NOT_LAST:
            may_break = False
        if may_break or not tokens or len(tokens[-1]) > _MAX_TOKEN:
            tokens.append(cluster)
        else:
            tokens[-1] += cluster
    return tokens


@dataclass
class _Wrapper:
    """Fills lines of one paragraph style; `width` is the room in points."""

    style: Style
    width: float
    widths: dict[str, float] = field(default_factory=dict)

    def measure(self, text: str) -> float:
        """Width of a piece of text in points, remembered because East Asian text repeats its pieces."""
        if text not in self.widths:
            self.widths[text] = shape_line(text, self.style).width * self.style.size
        return self.widths[text]

    def cut(self, token: str, room: float, at_least: int) -> tuple[str, str]:
        """Split a long token into the letters that fit in `room` points (`at_least` so many) and the rest."""
        clusters = _clusters(token)
        low, high = at_least, len(clusters)
        while low < high:
            middle = (low + high + 1) // 2
            if self.measure("".join(clusters[:middle])) <= room:
                low = middle
            else:
                high = middle - 1
        return "".join(clusters[:low]), "".join(clusters[low:])

    def fill(self, text: str, max_lines: int) -> list[str]:
        """The text as at most `max_lines` lines, the last ending in an ellipsis when text is left over."""
        lines: list[str] = []
        current, used = "", 0.0
        for token in _tokens(text):
            rest = token
            while used + self.measure(rest.rstrip()) > self.width and len(lines) <= max_lines:
                if self.measure(rest.rstrip()) > self.width:  # longer than any line: fill up this one
                    piece, rest = self.cut(rest, self.width - used, at_least=0 if current else 1)
                    current += piece
                lines.append(current.rstrip())
                current, used = "", 0.0
            if len(lines) > max_lines:
                break
            current += rest
            used += self.measure(rest)
        if current.strip():
            lines.append(current.rstrip())
        if len(lines) > max_lines:
            lines[max_lines - 1 :] = [self.shorten(lines[max_lines - 1])]
        return lines

    def shorten(self, line: str) -> str:
        """A line with an ellipsis, giving up letters at its end to make room for it."""
        clusters = _clusters(line)
        while clusters and self.measure("".join(clusters).rstrip() + "…") > self.width:
            clusters.pop()
        return "".join(clusters).rstrip() + "…"


class Paragraph(NamedTuple):
    """Lines ready to draw and the style they were set in."""

    lines: list[Line]
    style: Style

    @property
    def height(self) -> float:
        return len(self.lines) * self.style.leading

    @property
    def width(self) -> float:
        return max((line.width for line in self.lines), default=0.0) * self.style.size


def wrap(text: str, style: Style, width: float, max_lines: int, region: str = "zh") -> Paragraph:
    """Clean, wrap and shape a text into at most `max_lines` lines no wider than `width` points."""
    text = clean(text)
    style = Style(style.size, style.colour, style.bold, region_of(text, region))
    base = base_level(text)
    whole = shape_line(text, style, base) if len(text) <= _MAX_TOKEN else None
    if whole and whole.width * style.size <= width:  # most cells of a table: shaped once, not word by word as well
        return Paragraph([whole] if text else [], style)
    lines = [shape_line(line, style, base) for line in _Wrapper(style, width).fill(text, max_lines)]
    # Kerning across tokens can make a line a hair wider than its measured parts; shrink rather than overflow.
    widest = max((line.width for line in lines), default=0.0) * style.size
    size = style.size if widest <= width else style.size * width / widest
    return Paragraph(lines, Style(size, style.colour, style.bold, style.region))
