"""Which invoice a typed number means, and which it may have meant; pure."""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

# Longer runs of digits are no invoice's number, and would be like very many.
MAX_NEAR_DIGITS = 9


class Known(Protocol):
    """An invoice as it is known here."""

    @property
    def number(self) -> str: ...
    @property
    def client_id(self) -> str: ...
    @property
    def state(self) -> str: ...


Invoice = TypeVar("Invoice", bound=Known)


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
