"""Invoice numbers as people type them, pure: what they mean, which invoice fits, and what they may have meant."""

import re
from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

# What a number may be long; a longer text names nothing.
MAX_NUMBER = 50
# Longer runs of digits are no invoice's number, and would be like very many.
MAX_NEAR_DIGITS = 9
_BLANKS = re.compile(r"[\s\u00ad\u200b-\u200d\u2060\ufeff]+")
_DECORATED = re.compile(r"(?:invoice|inv|number|no|nr|n[º°]|[#№\-‐‑–—._:/])*0*([0-9]+)")


class Known(Protocol):
    """An invoice as it is known here."""

    @property
    def number(self) -> str: ...
    @property
    def client_id(self) -> str: ...
    @property
    def state(self) -> str: ...


Invoice = TypeVar("Invoice", bound=Known)


def tidy(text: str | None) -> str | None:
    """What `inv 12`, `#INV-000012`, `Invoice no. 12` and `12` have in common: `12`. Text that is no such number loses
    its blanks, its case and a leading `#`. None when nothing is left, or too much to be a number."""
    folded = _BLANKS.sub("", text or "").casefold()
    found = _DECORATED.fullmatch(folded)
    tidied = found[1] if found else folded.lstrip("#")
    return tidied if 0 < len(tidied) <= MAX_NUMBER else None


def fitting(typed: str | None, named: Sequence[Invoice]) -> Invoice | None:
    """The one of `named`, which are those of the same tidied number, that is meant: the one of exactly the typed
    number, else the only one."""
    fits = [invoice for invoice in named if invoice.number == typed] or named
    return fits[0] if len(fits) == 1 else None


def doubt(typed: str, named: Sequence[Invoice], client_id: str) -> tuple[str, str] | None:
    """(code, words) when money of this client may not reach the invoice that was typed; `named` are those of the same
    tidied number."""
    invoice = fitting(typed, named)
    if invoice is None:
        return "invoice_unknown", f"no invoice '{typed}' is known here"
    if invoice.client_id != client_id:
        return "invoice_of_another_client", f"{invoice.number} is another client's invoice"
    if invoice.state != "pending":
        return f"invoice_{invoice.state}", f"{invoice.number} is {invoice.state}, and asks for nothing"
    return None


def near(tidied: str) -> set[str]:
    """The numbers that differ from this one by one digit more, less or other, or by two that changed places. None for
    what is no number."""
    if not _is_digits(tidied):
        return set()
    found = {other.lstrip("0") for other in _mistyped(tidied)}
    return found - {tidied, ""}


def _is_digits(tidied: str) -> bool:
    return tidied.isascii() and tidied.isdigit() and len(tidied) <= MAX_NEAR_DIGITS


def _mistyped(digits: str) -> Iterator[str]:
    for place in range(len(digits) + 1):
        before, after = digits[:place], digits[place:]
        for digit in "0123456789":
            yield before + digit + after
            if after:
                yield before + digit + after[1:]
        if after:
            yield before + after[1:]
        if len(after) > 1:
            yield before + after[1] + after[0] + after[2:]
