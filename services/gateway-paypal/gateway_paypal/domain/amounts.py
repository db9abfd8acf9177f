"""Amounts as PayPal writes them, pure: decimal text, without decimals for some currencies; any sign."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from common.errors import FieldError
from common.money import MAX_AMOUNT_MINOR, MoneyError, exponent, to_decimal

# PayPal takes whole amounts only, whatever the currency's minor unit is elsewhere.
WHOLE_ONLY = ("HUF", "JPY", "TWD")
TAKEN = frozenset([
    "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "ILS", "JPY", "MXN", "MYR", "NOK",
    "NZD", "PHP", "PLN", "SEK", "SGD", "THB", "TWD", "USD",
])  # fmt: skip


def to_minor(text: str, currency: str) -> int | None:
    """Minor units, without the sign: what an amount means is told by its status. None for what is no amount."""
    try:
        minor = abs(Decimal(text.strip().replace(",", ""))).scaleb(exponent(currency))
    except (InvalidOperation, MoneyError):
        return None
    if not minor.is_finite() or minor != minor.to_integral_value() or minor > MAX_AMOUNT_MINOR:
        return None
    return int(minor)


def to_text(amount_minor: int, currency: str) -> str:
    """As PayPal wants it: `45.00`, or `4500` where it takes no decimals."""
    amount = to_decimal(amount_minor, currency)
    return str(amount.quantize(Decimal(1))) if currency in WHOLE_ONLY else str(amount)


def problems(amount_minor: int, currency: str | None, business_currency: str) -> Sequence[FieldError]:
    """What is wrong with an amount for a business; empty when nothing is."""
    if currency is not None and currency != business_currency:
        message = f"this business takes {business_currency}, not {currency}"
        return [FieldError("currency", message, code="currency_mismatch")]
    if business_currency not in TAKEN:
        return [FieldError("currency", f"PayPal takes no {business_currency}", code="currency_not_taken")]
    if business_currency in WHOLE_ONLY and amount_minor % 10 ** exponent(business_currency):
        message = f"PayPal payments in {business_currency} have no decimals"
        return [FieldError("amount_minor", message, code="amount_has_decimals")]
    return []
