"""One line of text as glyphs: cleaned, cut into runs of one font, script and direction, and shaped."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import uharfbuzz as hb  # type: ignore[import-untyped]  # ships no types

from common.pdf.bidi import base_level, embedding_levels
from common.pdf.fonts import Face, base_face, find_face
from common.pdf.scripts import COMMON, LATIN, script_of

MAX_CHARS: Final = 2000  # no field may cost more layout time than this many characters
# Explicit direction controls let a name rearrange the words printed after it, so they are dropped.
_BIDI_CONTROLS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
JOINERS: Final = frozenset("\u200c\u200d")


def clean(text: str) -> str:
    """Text fit to lay out on one paragraph: composed, single-spaced, bounded, no control characters."""
    kept = []
    for char in unicodedata.normalize("NFC", text[:MAX_CHARS]):
        category = unicodedata.category(char)
        if char.isspace():
            kept.append(" ")
        elif category == "Cs":
            kept.append("\ufffd")  # half a surrogate pair cannot be written to a PDF
        elif category not in ("Cc", "Cn", "Co") and char not in _BIDI_CONTROLS:
            kept.append(char)
    return " ".join("".join(kept).split())


def clings(char: str) -> bool:
    """Whether a character only makes sense on the one before it: a mark, joiner or variation selector."""
    return unicodedata.category(char) in ("Mn", "Mc", "Me", "Cf")


def uncovered_characters(text: str) -> set[str]:
    """The characters of a text which no installed font can draw; each prints as an empty box."""
    return {c for c in clean(text) if not clings(c) and find_face(c, bold=False, region="zh") is None}


class Run(NamedTuple):
    """Neighbouring characters that one font shapes in one go."""

    text: str
    face: Face
    script: str
    level: int


def _scripts(text: str) -> list[str]:
    """Script per character; common characters join what precedes them, leading ones what follows."""
    scripts = [script_of(char) for char in text]
    known = next((script for script in scripts if script != COMMON), LATIN)
    for i, script in enumerate(scripts):
        if script == COMMON:
            scripts[i] = known
        known = scripts[i]
    return scripts


def cut_runs(text: str, base: int, *, bold: bool, region: str) -> list[Run]:
    """Cut a line into runs of one font, script and direction, in reading order."""
    runs: list[Run] = []
    face = base_face(bold)
    for i, (char, script, level) in enumerate(zip(text, _scripts(text), embedding_levels(text, base), strict=True)):
        stays = i > 0 and (char in JOINERS or ((clings(char) or char == " ") and face.has(char)))
        if not stays:
            face = find_face(char, bold=bold, region=region) or base_face(bold)
        run = Run(char, face, script, level)
        if runs and runs[-1][1:] == run[1:]:
            runs[-1] = run._replace(text=runs[-1].text + char)
        else:
            runs.append(run)
    return runs


def visual_order(runs: list[Run]) -> list[Run]:
    """The runs as they stand on the line from left to right (UAX 9, rule L2)."""
    ordered = list(runs)
    for level in range(max((run.level for run in runs), default=0), 0, -1):
        i = 0
        while i < len(ordered):
            end = i
            while end < len(ordered) and ordered[end].level >= level:
                end += 1
            ordered[i:end] = reversed(ordered[i:end])
            i = end + 1
    return ordered


class Glyph(NamedTuple):
    """A placed glyph: its id in the face, the characters it stands for, and its metrics in em."""

    face: Face
    id: int
    text: str
    advance: float
    dx: float
    dy: float


def _shape(run: Run) -> Iterator[Glyph]:
    """Shape a run; glyphs come out left to right, the run's characters shared out among them."""
    buffer = hb.Buffer()
    buffer.cluster_level = hb.BufferClusterLevel.MONOTONE_CHARACTERS
    buffer.add_str(run.text)
    buffer.direction = "rtl" if run.level % 2 else "ltr"
    buffer.script = run.script
    buffer.language = "en"
    hb.shape(run.face.font, buffer)
    infos = buffer.glyph_infos
    texts = _shared_text([info.cluster for info in infos], run.text, rtl=run.level % 2 == 1)
    upem = run.face.upem
    for info, pos, text in zip(infos, buffer.glyph_positions, texts, strict=True):
        x, dx, dy = pos.x_advance / upem, pos.x_offset / upem, pos.y_offset / upem
        yield Glyph(run.face, info.codepoint, text, x, dx, dy)


_NO_TEXT: Final = "\u2060"  # a glyph must stand for something or viewers invent a letter; this has no width


def _shared_text(clusters: list[int], text: str, *, rtl: bool) -> list[str]:
    """The characters each glyph stands for, given the offset its cluster starts at in the text.

    Within a cluster (a ligature, a letter with its marks) shape order need not be reading order, so the
    characters are dealt out in the order in which a reader of the file will put the glyphs together.
    """
    starts = sorted(set(clusters))
    ends = dict(zip(starts, [*starts[1:], len(text)], strict=True))
    shared = [""] * len(clusters)
    order = range(len(clusters) - 1, -1, -1) if rtl else range(len(clusters))
    left = {start: clusters.count(start) for start in starts}
    at = {start: start for start in starts}
    for i in order:
        cluster = clusters[i]
        left[cluster] -= 1
        end = min(at[cluster] + 1, ends[cluster]) if left[cluster] else ends[cluster]
        shared[i] = text[at[cluster] : end] or _NO_TEXT
        at[cluster] = end
    return shared


class Line(NamedTuple):
    """A shaped line: glyphs from left to right, width in em, and whether it reads right to left."""

    glyphs: list[Glyph]
    width: float
    rtl: bool


Colour = tuple[float, float, float]  # red, green and blue from 0 to 1


@dataclass(frozen=True)
class Style:
    """How to set a text: size in points, colour, weight, and East Asian letter shapes."""

    size: float
    colour: Colour
    bold: bool = False
    region: str = "zh"

    @property
    def leading(self) -> float:
        """Distance between baselines; room enough for stacked Thai and Devanagari marks."""
        return round(self.size * 1.4, 1)


def shape_line(text: str, style: Style, base: int | None = None) -> Line:
    """Shape one line; `base` is the paragraph's direction level where the line is part of one."""
    base = base_level(text) if base is None else base
    runs = cut_runs(text, base, bold=style.bold, region=style.region)
    glyphs = [glyph for run in visual_order(runs) for glyph in _shape(run)]
    return Line(glyphs, sum(glyph.advance for glyph in glyphs), bool(base))
