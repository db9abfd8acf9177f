"""Amounts: minor units inside, decimal texts on PayPal's wire; and PayPal's fee."""

from __future__ import annotations

import re

ZERO_DECIMAL = frozenset(["HUF", "JPY", "TWD"])
CURRENCIES = ZERO_DECIMAL | {
    "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "ILS", "MXN", "MYR", "NOK", "NZD", "PHP",
    "PLN", "SEK", "SGD", "THB", "USD",
}  # fmt: skip
WITH_DECIMALS = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,2}))?")
WITHOUT_DECIMALS = re.compile(r"[0-9]{1,10}")
MOST_MINOR = 10**9 - 1
FEE_THOUSANDTHS = 29
FEE_FIXED_MINOR = 30
# Of the currencies without decimals.
FEE_FIXED_WHOLE = 40


class AmountError(ValueError):
    """No amount of money; issue: what PayPal's API calls it."""

    def __init__(self, issue: str, text: str) -> None:
        super().__init__(text)
        self.issue = issue


def parse_amount(text: object, currency: object) -> int:
    """The amount in minor units. Raises AmountError unless it is more than zero and fits the currency."""
    if currency not in CURRENCIES:
        raise AmountError("CURRENCY_NOT_SUPPORTED", f"Currency code is not supported: {currency}")
    written = str(text)
    if currency in ZERO_DECIMAL:
        if not WITHOUT_DECIMALS.fullmatch(written):
            raise AmountError("DECIMALS_NOT_SUPPORTED", f"{currency} is written without decimals, not as {written}")
        amount_minor = int(written)
    else:
        match = WITH_DECIMALS.fullmatch(written)
        if match is None:
            raise AmountError("DECIMAL_PRECISION", f"This is no amount with at most two decimals: {written}")
        amount_minor = int(match[1]) * 100 + int((match[2] or "0").ljust(2, "0"))
    if not 0 < amount_minor <= MOST_MINOR:
        raise AmountError("CANNOT_BE_ZERO_OR_NEGATIVE", "The amount must be more than zero and not too large.")
    return amount_minor


def worded(amount_minor: int, currency: str) -> str:
    """An amount as PayPal writes it: 45.00, -3.20, and 500 for JPY."""
    if currency in ZERO_DECIMAL:
        return str(amount_minor)
    whole, rest = divmod(abs(amount_minor), 100)
    return f"{'-' if amount_minor < 0 else ''}{whole}.{rest:02d}"


def value(amount_minor: int, currency: str) -> dict[str, str]:
    """An amount as PayPal's API shows it."""
    return {"currency_code": currency, "value": worded(amount_minor, currency)}


def share(amount_minor: int) -> int:
    """The part of the fee that grows with the amount: 2.9 %, half up. A refund gives it back."""
    return (amount_minor * FEE_THOUSANDTHS + 500) // 1000


def fee(amount_minor: int, currency: str) -> int:
    """PayPal's fee in minor units: 2.9 % and 0.30, or 40 without decimals; at most the amount."""
    fixed = FEE_FIXED_WHOLE if currency in ZERO_DECIMAL else FEE_FIXED_MINOR
    return min(amount_minor, share(amount_minor) + fixed)
