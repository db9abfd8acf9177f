"""What all documents share in looks: colours, header, notice, large figure, table of facts, footer.

Every function that draws takes the y of its top edge and gives the y at which the next part may begin.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from common.pdf.document import Document
from common.pdf.page import HEIGHT, WIDTH, Page
from common.pdf.text import Colour, Style, clean, shape_line
from common.pdf.wrap import wrap

MARGIN: Final = 62.0
INNER: Final = WIDTH - 2 * MARGIN
EDGE: Final = MARGIN + INNER  # the right edge of what is printed
TOP: Final = HEIGHT - MARGIN
FOOT: Final = 96.0  # nothing but the footer stands below this
LABELS: Final = 128.0  # width of the column that holds the labels

INK: Final = (0.12, 0.13, 0.16)
MUTED: Final = (0.40, 0.42, 0.46)
FAINT: Final = (0.86, 0.87, 0.89)
BLUE: Final = (0.08, 0.30, 0.62)
RED: Final = (0.66, 0.12, 0.12)

TITLE: Final = Style(17, INK, bold=True)
KIND: Final = Style(17, MUTED)
BIG: Final = Style(34, INK, bold=True)
BODY: Final = Style(10.5, INK)
LINK: Final = Style(10.5, BLUE)
BODY_BOLD: Final = Style(10.5, INK, bold=True)
LABEL: Final = Style(10.5, MUTED)
SMALL: Final = Style(8.5, MUTED)


class Tone(NamedTuple):
    """The colours of a notice: its letters and its box."""

    ink: Colour
    fill: Colour


GOOD: Final = Tone((0.07, 0.37, 0.20), (0.93, 0.975, 0.945))
CAUTION: Final = Tone((0.50, 0.32, 0.03), (0.995, 0.97, 0.91))
ALARM: Final = Tone(RED, (0.99, 0.945, 0.94))


class Notice(NamedTuple):
    """What a document must say first when it is not a plain one: a heading and a sentence."""

    heading: str
    sentence: str
    tone: Tone


class Fact(NamedTuple):
    """A labelled value, how many lines it may take, and the web address it opens when clicked."""

    label: str
    value: str | None
    max_lines: int = 1
    bold: bool = False
    url: str = ""


def header(page: Page, business_name: str, kind: str, number: str, remark: str = "", *, region: str) -> float:
    """Business name on the left, the document's kind, number and a remark on the right."""
    name = wrap(business_name, TITLE, INNER * 0.58, 3, region)
    left = page.paragraph(name, MARGIN, TOP)
    room = INNER * 0.38
    right = page.paragraph(wrap(kind, KIND, room, 1), EDGE, TOP, right=True)
    right = page.paragraph(wrap(number, BODY, room, 2), EDGE, right - 3, right=True)
    right = page.paragraph(wrap(remark, SMALL, room, 2), EDGE, right, right=True)
    bottom = min(left, right) - 14
    page.rule(bottom, MARGIN, INNER, FAINT, 0.8)
    return bottom - 22


def running_header(page: Page, business_name: str, name: str, *, region: str) -> float:
    """One small line for the pages after the first: whose document it is, and which."""
    page.paragraph(wrap(business_name, SMALL, INNER * 0.58, 1, region), MARGIN, TOP)
    bottom = page.paragraph(wrap(name, SMALL, INNER * 0.38, 1), EDGE, TOP, right=True) - 6
    page.rule(bottom, MARGIN, INNER, FAINT, 0.8)
    return bottom - 14


def banner(page: Page, notice: Notice, top: float) -> float:
    """The tinted box with the notice."""
    heading = wrap(notice.heading, Style(12, notice.tone.ink, bold=True), INNER - 32, 2)
    sentence = wrap(notice.sentence, Style(10, notice.tone.ink), INNER - 32, 5)
    height = heading.height + sentence.height + 23
    page.box(MARGIN, top - height, INNER, height, notice.tone.fill)
    below = page.paragraph(heading, MARGIN + 16, top - 10)
    page.paragraph(sentence, MARGIN + 16, below - 1)
    return top - height - 22


def figure(
    page: Page, label: str, text: str, code: str, top: float, *, struck: bool = False, region: str = "zh"
) -> float:
    """The document's main amount, large, with the currency's code; struck through when it no longer counts."""
    y = page.paragraph(wrap(label, LABEL, INNER, 1, region), MARGIN, top)
    unit = wrap(code, Style(13, MUTED), 70, 1)
    room = INNER - unit.width - 10
    text = clean(text)
    natural = shape_line(text, BIG).width
    size = max(14.0, min(BIG.size, room / natural)) if natural else BIG.size
    amount = wrap(text, Style(size, MUTED if struck else INK, bold=True), room, 2)
    bottom = page.paragraph(amount, MARGIN, y - 2)
    baseline = y - 2 - size - (len(amount.lines) - 1) * amount.style.leading
    last = amount.lines[-1].width * size if amount.lines else 0.0
    for line in unit.lines:
        page.line(line, unit.style, MARGIN + last + 9, baseline)
    if struck:
        for number, line in enumerate(amount.lines):
            middle = y - 2 - size * 0.66 - number * amount.style.leading
            page.rule(middle, MARGIN, line.width * size, RED, 1.6)
    return bottom - 14


def facts(page: Page, rows: Sequence[Fact], top: float, *, region: str) -> float:
    """Labelled values, each under a hairline; one without a value is left out, one too long for the page cut."""
    y = top
    for row in rows:
        if not row.value or not clean(row.value):
            continue
        page.rule(y, MARGIN, INNER, FAINT, 0.6)
        style = LINK if row.url else BODY_BOLD if row.bold else BODY
        fits = max(1, int((y - FOOT - 16) // style.leading))
        value = wrap(row.value, style, INNER - LABELS, min(row.max_lines, fits), region)
        page.paragraph(wrap(row.label, LABEL, LABELS - 8, 1), MARGIN, y - 8)
        page.link(MARGIN + LABELS, y - 8 - value.height, value.width, value.height, row.url)
        y = page.paragraph(value, MARGIN + LABELS, y - 8) - 8
    page.rule(y, MARGIN, INNER, FAINT, 0.6)
    return y


def footers(document: Document, lines: Sequence[str | None]) -> None:
    """Up to three small lines at the foot of every page, and which page it is when there are several."""
    count = len(document.pages)
    for number, page in enumerate(document.pages, 1):
        y = FOOT - 18
        if count > 1:
            page.paragraph(wrap(f"Page {number} of {count}", SMALL, 80, 1), EDGE, y, right=True)
        for line in filter(None, lines):
            y = page.paragraph(wrap(line, SMALL, INNER - 90 if count > 1 else INNER, 1), MARGIN, y)


def questions(reply_to_email: str | None) -> str | None:
    """The footer's line that says whom to ask, where there is someone."""
    return f"Questions? Write to {reply_to_email}" if reply_to_email else None
