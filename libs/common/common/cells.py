"""Cells of CSV files, pure: written so that no spreadsheet runs them, and read as they were before."""

from typing import Any

# A spreadsheet takes a cell that begins with one of these for a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(value: Any) -> Any:
    """`value`, with text that a spreadsheet would run as a formula made plain by a leading apostrophe."""
    if isinstance(value, str) and _is_formula(value):
        return "'" + value
    return "" if value is None else value


def plain_cell(text: str) -> str:
    """What `safe_cell` was given: text without the apostrophe that it set before."""
    return text[1:] if text.startswith("'") and _is_formula(text) else text


def _is_formula(text: str) -> bool:
    """Apostrophes before it count as well, so that one that was typed is told from one that was set."""
    return text.lstrip("'").startswith(_FORMULA_STARTS)
