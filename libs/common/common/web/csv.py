"""CSV out: streamed, and safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from flask import Response

from common.cells import safe_cell

FLUSH_ROWS = 500


def stream(header: Sequence[str], rows: Iterable[Sequence[Any]], filename: str) -> Response:
    """A text/csv answer that is written as `rows` are read."""

    def lines() -> Iterator[str]:
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow(header)
        for number, row in enumerate(rows, start=1):
            writer.writerow([safe_cell(cell) for cell in row])
            if number % FLUSH_ROWS == 0:
                yield buffer.getvalue()
                buffer.seek(0)
                buffer.truncate()
        yield buffer.getvalue()

    return Response(
        lines(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{filename}"'},
    )
