"""The font catalogue: every font a PDF can use, and which of them draws a character.

Fonts come from installed Python packages, never from the machine.
"""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import uharfbuzz as hb  # type: ignore[import-untyped]  # ships no types

from common.pdf.scripts import COMMON, EAST_ASIAN, LATIN, script_of


def _from_module(module: str) -> hb.Blob | None:
    """A font that a pymupdf_fonts module holds as bytes, or None when the package is absent."""
    if find_spec("pymupdf_fonts") is None:
        return None
    return hb.Blob(import_module(f"pymupdf_fonts.{module}").fontbuffer)


def _from_file(package: str, path: str) -> hb.Blob | None:
    """A font file inside an installed package, mapped rather than read, or None when it is absent.

    The package is found, not imported: only its data is wanted. Mapping keeps an 8 MB font out of the
    process's own memory; only the pages touched are ever read.
    """
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(folder) / path
        if file.is_file():
            return hb.Blob.from_file_path(str(file))
    return None


def _google(pack: str, family: str) -> Callable[[], hb.Blob | None]:
    """A loader for a variable Noto family from one of the justmytype font packs."""
    path = f"fonts/ofl/{family.lower()}/{family}[wdth,wght].ttf"
    return partial(_from_file, f"justmytype_intl_{pack}", path)


BASE: Final = "FiraGO-Regular"
BOLD: Final = "FiraGO-Bold"

# By PostScript name. FiraGO alone covers Latin, Cyrillic, Greek, Arabic, Hebrew, Devanagari, Thai and
# Georgian; the others are opened only when a character asks for them.
_LOADERS: Final[dict[str, Callable[[], hb.Blob | None]]] = {
    BASE: partial(_from_module, "FiraGO_Regular"),
    BOLD: partial(_from_module, "FiraGO_Bold"),
    "NotoSans-Regular": partial(_from_module, "NotoSans_Regular"),
    "NotoSansSymbols-Regular": partial(_from_module, "NotoSansSymbols_Regular"),
    "NotoSansSymbols2-Regular": partial(_from_module, "NotoSansSymbols2_Regular"),
    "NotoSansDevanagari-Regular": _google("south_asia", "NotoSansDevanagari"),
    "NotoSansBengali-Regular": _google("south_asia", "NotoSansBengali"),
    "NotoSansTamil-Regular": _google("south_asia", "NotoSansTamil"),
    "NotoSansTelugu-Regular": _google("south_asia", "NotoSansTelugu"),
    "NotoSansLao-Regular": _google("sea", "NotoSansLao"),
    "NotoSansKhmer-Regular": _google("sea", "NotoSansKhmer"),
    "NotoSansMyanmar-Regular": _google("sea", "NotoSansMyanmar"),
    "NotoSansEthiopic-Regular": _google("africa", "NotoSansEthiopic"),
    "NotoSansJP-Regular": partial(_from_file, "pylopdf_fonts_jp", "NotoSansJP-Regular.otf"),
    "NotoSansKR-Regular": partial(_from_file, "pylopdf_fonts_ko", "NotoSansKR-Regular.otf"),
    "NotoSansSC-Regular": partial(_from_file, "pylopdf_fonts_zh_cn", "NotoSansSC-Regular.otf"),
}


class Face:
    """One opened font: its HarfBuzz face and font, and per-glyph widths in em."""

    def __init__(self, name: str, blob: hb.Blob) -> None:
        self.name = name
        self.face = hb.Face(blob)
        self.font = hb.Font(self.face)
        self.upem: int = self.face.upem
        self.is_cff = "CFF " in self.face.table_tags

    def has(self, char: str) -> bool:
        return self.font.get_nominal_glyph(ord(char)) is not None

    def width(self, glyph: int) -> float:
        """Width of a glyph in em, rounded the way it is written to the PDF."""
        return round(float(self.font.get_glyph_h_advance(glyph)) / self.upem, 4)


_faces: dict[str, Face | None] = {}
_faces_lock = threading.Lock()


def open_face(name: str) -> Face | None:
    """The font of that name, opened once per process; None when its package is not installed."""
    try:
        return _faces[name]
    except KeyError:
        pass
    with _faces_lock:
        if name not in _faces:
            blob = _LOADERS[name]()
            _faces[name] = None if blob is None else Face(name, blob)
        return _faces[name]


def base_face(bold: bool) -> Face:
    face = open_face(BOLD if bold else BASE)
    if face is None:
        raise RuntimeError("PDFs need the pymupdf-fonts package, which is not installed")
    return face


_SCRIPT_FONTS: Final = {
    "Deva": "NotoSansDevanagari-Regular",
    "Beng": "NotoSansBengali-Regular",
    "Taml": "NotoSansTamil-Regular",
    "Telu": "NotoSansTelugu-Regular",
    "Laoo": "NotoSansLao-Regular",
    "Khmr": "NotoSansKhmer-Regular",
    "Mymr": "NotoSansMyanmar-Regular",
    "Ethi": "NotoSansEthiopic-Regular",
}
_CJK_FONTS: Final = {
    "ja": ("NotoSansJP-Regular", "NotoSansSC-Regular", "NotoSansKR-Regular"),
    "ko": ("NotoSansKR-Regular", "NotoSansSC-Regular", "NotoSansJP-Regular"),
    "zh": ("NotoSansSC-Regular", "NotoSansJP-Regular", "NotoSansKR-Regular"),
}


def _chain(char: str, *, bold: bool, region: str) -> Iterator[str]:
    """Names of the fonts to try for a character, best first."""
    script = script_of(char)
    if script in EAST_ASIAN:
        yield from _CJK_FONTS["ko" if script == "Hang" else region]
    if bold:
        yield BOLD
    yield BASE
    if script in _SCRIPT_FONTS:
        yield _SCRIPT_FONTS[script]
    yield "NotoSans-Regular"
    yield "NotoSansSymbols-Regular"
    yield "NotoSansSymbols2-Regular"
    if script in (LATIN, COMMON):
        yield from _CJK_FONTS[region]


def find_face(char: str, *, bold: bool, region: str) -> Face | None:
    """The first font in the chain that has the character, or None when none has."""
    for name in _chain(char, bold=bold, region=region):
        face = open_face(name)
        if face is not None and face.has(char):
            return face
    return None
