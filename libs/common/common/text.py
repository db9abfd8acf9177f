"""Text that people type: tidied, and refused where it holds what Remit must not keep."""

import re
import unicodedata

from common.ids import ID

# Digits in one run, or in groups of three and more with one kind of gap, as cards are printed and typed. A bank
# reference beside a date has other groups and other gaps, and would pass the check digit one time in ten.
_CARD_CANDIDATE = re.compile(r"(?<!\d)(?:\d{13,19}|\d{3,}([ -])\d{3,}(?:\1\d{3,})*)(?!\d)")
_PLAIN = re.compile(r"[ -~]*", re.ASCII)


def luhn_valid(digits: str) -> bool:
    """Whether a string of digits has a correct Luhn check digit."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def refuse_card_number(text: str) -> str:
    """`text`, or ValueError when a card number stands in it."""
    for candidate in _CARD_CANDIDATE.finditer(ID.sub("id", text)):
        digits = re.sub(r"\D", "", candidate[0])
        if 13 <= len(digits) <= 19 and luhn_valid(digits):
            raise ValueError("this looks like a card number; Remit never takes those in text. Remove it")
    return text


def _clean(text: str, allow_breaks: bool) -> str:
    text = text.strip()
    if _PLAIN.fullmatch(text):
        return refuse_card_number(text)
    text = unicodedata.normalize("NFC", text)
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and not (allow_breaks and character in "\n\r\t"):
            raise ValueError("control characters are not allowed here")
    return refuse_card_number(text)


def clean_line(text: str) -> str:
    """One line of text, trimmed and NFC; ValueError for control characters and card numbers."""
    return _clean(text, allow_breaks=False)


def clean_text(text: str) -> str:
    """Text that may have several lines; ValueError for other control characters and card numbers."""
    return _clean(text, allow_breaks=True)
