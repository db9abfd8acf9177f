"""Which script a character is written in, as far as choosing a font and shaping it care."""

from bisect import bisect_right
from typing import Final, NamedTuple


class _Block(NamedTuple):
    """A span of code points and its ISO 15924 script."""

    first: int
    last: int
    script: str


_BLOCKS: Final = (
    _Block(0x0370, 0x03FF, "Grek"),
    _Block(0x0400, 0x052F, "Cyrl"),
    _Block(0x0590, 0x05FF, "Hebr"),
    _Block(0x0600, 0x06FF, "Arab"),
    _Block(0x0750, 0x077F, "Arab"),
    _Block(0x08A0, 0x08FF, "Arab"),
    _Block(0x0900, 0x097F, "Deva"),
    _Block(0x0980, 0x09FF, "Beng"),
    _Block(0x0B80, 0x0BFF, "Taml"),
    _Block(0x0C00, 0x0C7F, "Telu"),
    _Block(0x0E00, 0x0E7F, "Thai"),
    _Block(0x0E80, 0x0EFF, "Laoo"),
    _Block(0x1000, 0x109F, "Mymr"),
    _Block(0x10A0, 0x10FF, "Geor"),
    _Block(0x1100, 0x11FF, "Hang"),
    _Block(0x1200, 0x139F, "Ethi"),
    _Block(0x1780, 0x17FF, "Khmr"),
    _Block(0x1F00, 0x1FFF, "Grek"),
    _Block(0x2D80, 0x2DDF, "Ethi"),
    _Block(0x2E80, 0x303F, "Hani"),
    _Block(0x3040, 0x30FF, "Kana"),
    _Block(0x3100, 0x312F, "Hani"),
    _Block(0x3130, 0x318F, "Hang"),
    _Block(0x3190, 0x31EF, "Hani"),
    _Block(0x31F0, 0x31FF, "Kana"),
    _Block(0x3200, 0x9FFF, "Hani"),
    _Block(0xAC00, 0xD7FF, "Hang"),
    _Block(0xF900, 0xFAFF, "Hani"),
    _Block(0xFB1D, 0xFB4F, "Hebr"),
    _Block(0xFB50, 0xFDFF, "Arab"),
    _Block(0xFE30, 0xFE4F, "Hani"),
    _Block(0xFE70, 0xFEFE, "Arab"),
    _Block(0xFF00, 0xFFEF, "Hani"),
    _Block(0x20000, 0x3FFFF, "Hani"),
)
_BLOCK_STARTS: Final = [block.first for block in _BLOCKS]

EAST_ASIAN: Final = ("Hani", "Kana", "Hang")
LATIN: Final = "Latn"
COMMON: Final = "Zyyy"  # digits, marks and punctuation


def script_of(char: str) -> str:
    """The script of a character; outside the blocks above, Latin for a letter and common for the rest."""
    index = bisect_right(_BLOCK_STARTS, ord(char)) - 1
    if index >= 0 and ord(char) <= _BLOCKS[index].last:
        return _BLOCKS[index].script
    return LATIN if char.isalpha() else COMMON


def region_of(text: str, default: str) -> str:
    """Which East Asian letter shapes a text wants: "ja", "ko" or "zh".

    Chinese characters are shared by the three languages but drawn differently in each, so kana or
    hangul beside them decide; a text with neither takes the default.
    """
    scripts = {script_of(char) for char in text if ord(char) >= 0x1100}
    if "Kana" in scripts:
        return "ja"
    return "ko" if "Hang" in scripts else default
