"""What Stripe takes, pure: minimums by currency, and amounts that it refuses although they have the right decimals."""

from collections.abc import Sequence

from common.errors import FieldError
from common.money import THREE_DECIMAL, format_money

# Minor units. A hint: the binding minimum is the settlement currency's, and Stripe's own refusal is told as well.
MINIMUM_MINOR = {
    "USD": 50, "AED": 200, "ARS": 50, "AUD": 50, "BRL": 50, "CAD": 50, "CHF": 50, "COP": 50, "CZK": 1500, "DKK": 250,
    "EUR": 50, "GBP": 30, "HKD": 400, "HUF": 17500, "IDR": 50, "ILS": 50, "INR": 50, "JPY": 50, "KRW": 50, "MXN": 1000,
    "MYR": 200, "NOK": 300, "NZD": 50, "PHP": 50, "PLN": 200, "RON": 200, "RUB": 50, "SEK": 300, "SGD": 50, "THB": 1000,
    "ZAR": 50,
}  # fmt: skip
# Sent with two decimals, which must be zeros.
WHOLE_ONLY = ("ISK", "UGX")
AMOUNT_CODES = ("amount_too_small", "amount_too_large", "invalid_charge_amount", "parameter_invalid_integer")


def problems(amount_minor: int, currency: str | None, business_currency: str) -> Sequence[FieldError]:
    """What is wrong with an amount for a business; empty when nothing is."""
    if currency is not None and currency != business_currency:
        message = f"this business takes {business_currency}, not {currency}"
        return [FieldError("currency", message, code="currency_mismatch")]
    least_minor = MINIMUM_MINOR.get(business_currency, 1)
    if amount_minor < least_minor:
        message = f"the smallest card payment is {format_money(least_minor, business_currency)}"
        return [FieldError("amount_minor", message, code="amount_too_small")]
    if business_currency in WHOLE_ONLY and amount_minor % 100:
        message = f"card payments in {business_currency} have no decimals"
        return [FieldError("amount_minor", message, code="amount_has_decimals")]
    if business_currency in THREE_DECIMAL and amount_minor % 10:
        message = f"card payments in {business_currency} end in a zero"
        return [FieldError("amount_minor", message, code="amount_has_decimals")]
    return []
