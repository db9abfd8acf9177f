"""The little of CFF, the format of the East Asian and symbol fonts, that embedding such a font takes."""

from collections.abc import Iterator
from typing import Final


def _index(data: bytes, at: int) -> tuple[list[tuple[int, int]], int]:
    """Read a CFF INDEX at an offset: (start, end) of each object, and the offset after the INDEX."""
    count = int.from_bytes(data[at : at + 2], "big")
    if count == 0:
        return [], at + 2
    size = data[at + 2]
    raw = data[at + 3 : at + 3 + (count + 1) * size]
    base = at + 2 + (count + 1) * size
    offsets = [base + int.from_bytes(raw[i : i + size], "big") for i in range(0, len(raw), size)]
    return list(zip(offsets[:-1], offsets[1:], strict=True)), offsets[-1]


def _operands(data: bytes) -> Iterator[tuple[int, list[int]]]:
    """Operators of a CFF DICT with their integer operands; real numbers count as 0, none are needed."""
    operands: list[int] = []
    i = 0
    while i < len(data):
        byte = data[i]
        i += 1
        if byte <= 21:
            if byte == 12:
                byte = 1200 + data[i]
                i += 1
            yield byte, operands
            operands = []
        elif byte in (28, 29):
            size = 2 if byte == 28 else 4
            operands.append(int.from_bytes(data[i : i + size], "big", signed=True))
            i += size
        elif byte == 30:
            while data[i] & 15 != 15 and data[i] >> 4 != 15:
                i += 1
            i += 1
            operands.append(0)
        elif byte <= 246:
            operands.append(byte - 139)
        else:
            above, below = (byte - 247) * 256 + data[i] + 108, (251 - byte) * 256 - data[i] - 108
            operands.append(above if byte <= 250 else below)
            i += 1


_ROS: Final = 1230  # the operator (12 30) that only fonts with CIDs have


def cff_cids(data: bytes) -> list[int]:
    """The number by which a PDF text string names each glyph id of a CFF table.

    That is the glyph's CID where the font has CIDs; a font whose glyphs have names goes by glyph id.
    """
    _, at = _index(data, data[2])  # the Name INDEX follows the header
    tops, _ = _index(data, at)
    top = dict(_operands(data[slice(*tops[0])]))
    glyphs, _ = _index(data, top[17][0])
    charset = top.get(15, [0])[0]
    if charset <= 2 or _ROS not in top:  # a predefined charset, or one that lists names
        return list(range(len(glyphs)))
    kind, at = data[charset], charset + 1
    cids = [0]
    left = {0: 0, 1: 1, 2: 2}[kind]  # bytes of the "and this many more" count in a range
    while len(cids) < len(glyphs):
        first = int.from_bytes(data[at : at + 2], "big")
        more = int.from_bytes(data[at + 2 : at + 2 + left], "big")
        cids.extend(range(first, first + more + 1))
        at += 2 + left
    return cids[: len(glyphs)]
