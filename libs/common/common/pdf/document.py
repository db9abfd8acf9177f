"""The document: pages that share their fonts, written to a PDF file by ReportLab."""

import io
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from reportlab.pdfbase import pdfdoc
from reportlab.pdfgen.canvas import Canvas

from common.pdf.embed import UsedFont, embed
from common.pdf.page import HEIGHT, WIDTH, Page


@dataclass
class Document:
    """A file of A4 pages with its properties; `created` is in UTC.

    Every font is embedded once, cut down to the glyphs of all pages together.
    """

    title: str
    author: str
    subject: str
    created: datetime
    pages: list[Page] = field(default_factory=list)
    fonts: dict[str, UsedFont] = field(default_factory=dict)

    def next_page(self) -> Page:
        """A new, empty last page. The earlier ones can still be drawn on, as footers that count pages must be."""
        page = Page(self.fonts)
        self.pages.append(page)
        return page

    def finish(self) -> bytes:
        """Embed the fonts, write the pages and return the file."""
        out = io.BytesIO()
        canvas = self._canvas(out)
        document = canvas._doc
        fonts = {used.resource: embed(document, used) for used in self.fonts.values()}
        document.idToObject[pdfdoc.BasicFonts].dict = fonts
        for page in self.pages:
            page.draw(canvas)
            canvas.showPage()
        canvas.save()
        return out.getvalue()

    def _canvas(self, out: io.BytesIO) -> Any:
        """ReportLab's canvas with the file's properties set."""
        # invariant: the same content must give the same bytes, so no clock and no random id
        canvas: Any = Canvas(out, (WIDTH, HEIGHT), invariant=1, pageCompression=1, lang="en")
        canvas._preamble = ""  # otherwise every page names Helvetica, which nothing here uses
        canvas.setTitle(self.title)
        canvas.setAuthor(self.author)
        canvas.setSubject(self.subject)
        canvas.setCreator("Remit")
        canvas.setViewerPreference("DisplayDocTitle", "true")
        canvas._doc._timeStamp.YMDhms = self.created.timetuple()[:6]
        return canvas
