"""What may run over several pages: rows under repeated column heads, and their sums."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from common.pdf.document import Document
from common.pdf.layout import EDGE, FAINT, FOOT, INK, INNER, MARGIN, MUTED, SMALL, Fact
from common.pdf.page import Page
from common.pdf.text import Style
from common.pdf.wrap import Paragraph, wrap

ROW: Final = Style(9.5, INK)
ROW_BOLD: Final = Style(9.5, INK, bold=True)
ROW_MUTED: Final = Style(9.5, MUTED)
_PAD: Final = 4.5  # above and below the text of a row
_GAP: Final = 12.0  # between neighbouring columns
_SUMS: Final = 250.0  # width of the block of sums at the right edge
_ABOVE_SUMS: Final = 8.0


@dataclass
class Flow:
    """Where a document goes on: down to `y` on `page`, and then on to a new page.

    `start` draws what stands at the top of every further page and gives the y below it.
    """

    document: Document
    page: Page
    y: float
    start: Callable[[Page], float]
    region: str

    def need(self, height: float) -> bool:
        """Go on to a new page unless the next `height` points fit on this one; says whether it did."""
        if self.y - height >= FOOT:
            return False
        self.page = self.document.next_page()
        self.y = self.start(self.page)
        return True


class Column(NamedTuple):
    """A column of a table: its head, width in points, side, and how many lines a cell may take."""

    title: str
    width: float
    right: bool = False
    max_lines: int = 2


@dataclass
class Table:
    """Rows under column heads, which are repeated on every page the rows run on to."""

    flow: Flow
    columns: Sequence[Column]
    # Dates, amounts and descriptions repeat within a document, and shaping them is most of the work.
    known: dict[tuple[str, float, int, Style], Paragraph] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.flow.need(4 * ROW.leading + 4 * _PAD)  # heads with no row under them would help nobody
        self._heads()

    def row(self, cells: Sequence[str], style: Style = ROW, *, keep: float = 0.0) -> None:
        """One row under a hairline, never torn between two pages nor from the `keep` points that follow it."""
        paragraphs = [self._cell(column, cell, style) for column, cell in zip(self.columns, cells, strict=True)]
        height = max(style.leading, *(paragraph.height for paragraph in paragraphs)) + 2 * _PAD
        if self.flow.need(height + keep):
            self._heads()
        self.flow.page.rule(self.flow.y, MARGIN, INNER, FAINT, 0.6)
        self._put(paragraphs, self.flow.y - _PAD)
        self.flow.y -= height

    def end(self) -> None:
        """The hairline under the last row."""
        self.flow.page.rule(self.flow.y, MARGIN, INNER, FAINT, 0.6)

    def _heads(self) -> None:
        titles = [self._cell(column, column.title, SMALL) for column in self.columns]
        self._put(titles, self.flow.y)
        self.flow.y -= SMALL.leading + _PAD

    def _cell(self, column: Column, text: str, style: Style) -> Paragraph:
        key = (text, column.width, column.max_lines, style)
        if key not in self.known:
            room = column.width - _GAP
            self.known[key] = wrap(text, style, room, column.max_lines, self.flow.region)
        return self.known[key]

    def _put(self, paragraphs: Sequence[Paragraph], top: float) -> None:
        x = MARGIN
        for column, paragraph in zip(self.columns, paragraphs, strict=True):
            last = column is self.columns[-1]
            right_edge = EDGE if last else x + column.width - _GAP
            self.flow.page.paragraph(paragraph, right_edge if column.right else x, top, right=column.right)
            x += column.width


def sums_height(count: int) -> float:
    """The height of so many sums: what the last row of a table keeps free, so that they never stand alone."""
    return count * (ROW.leading + 2 * _PAD) + _ABOVE_SUMS


def sums(flow: Flow, rows: Sequence[Fact]) -> None:
    """Labelled amounts under the right side of a table, kept together on one page."""
    left, half = EDGE - _SUMS, _SUMS / 2
    styles = [ROW_BOLD if row.bold else ROW for row in rows]
    values = [wrap(row.value or "", style, half, 2) for row, style in zip(rows, styles, strict=True)]
    flow.need(sum(value.height for value in values) + len(rows) * 2 * _PAD + _ABOVE_SUMS)
    flow.y -= _ABOVE_SUMS
    for row, style, value in zip(rows, styles, values, strict=True):
        label = Style(style.size, MUTED, style.bold)
        flow.page.paragraph(wrap(row.label, label, half - _GAP, 1), left, flow.y - _PAD)
        flow.page.paragraph(value, EDGE, flow.y - _PAD, right=True)
        flow.y -= max(value.height, style.leading) + 2 * _PAD
