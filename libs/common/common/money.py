"""Money: integers in minor units beside a currency code; text only at the edges.

Exponents are the payment gateways' (Stripe's table), not ISO 4217: UGX and ISK travel with two digits.
"""

import re
from copy import copy
from decimal import Decimal
from functools import lru_cache

from babel.core import Locale
from babel.numbers import NumberPattern

ZERO_DECIMAL = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
)
THREE_DECIMAL = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])
TWO_DECIMAL = frozenset(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF
    CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF
    IDR ILS INR IQD IRR ISK JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MKD MMK MNT MOP MRU
    MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG
    SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES WST
    XCD YER ZAR ZMW ZWL
    """.split()  # noqa: SIM905 - a hundred and thirty lines of one code each would say no more
)
CURRENCIES = ZERO_DECIMAL | THREE_DECIMAL | TWO_DECIMAL

# Two orders of magnitude below what a 64-bit sum of a million such payments can hold.
MAX_AMOUNT_MINOR = 1_000_000_000_000
MAX_SUM_MINOR = 1_000_000 * MAX_AMOUNT_MINOR

_MAJOR = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?", re.ASCII)


class MoneyError(ValueError):
    """Text or an amount that is not money in the currency; the message says why."""


def exponent(currency: str) -> int:
    """How many minor digits `currency` has: 0, 2 or 3. Raises MoneyError for an unknown currency."""
    if currency in TWO_DECIMAL:
        return 2
    if currency in ZERO_DECIMAL:
        return 0
    if currency in THREE_DECIMAL:
        return 3
    raise MoneyError(f"'{currency}' is not a currency that Remit knows; use a code such as USD")


def parse_major(text: str, currency: str) -> int:
    """Minor units of an amount written in major units, such as `45.00`. Excess precision is refused, never rounded."""
    digits = exponent(currency)
    if not _MAJOR.fullmatch(text):
        raise MoneyError(f"'{text[:40]}' is not an amount; write it as {_example(digits)}, without signs or separators")
    whole, _, part = text.partition(".")
    if len(part.rstrip("0")) > digits:
        raise MoneyError(f"{text} has more decimals than {currency} has ({digits})")
    return int(whole + part[:digits].ljust(digits, "0"))


def check_amount(amount_minor: int) -> None:
    """Raise MoneyError unless `amount_minor` is a positive amount within the limit."""
    if amount_minor <= 0:
        raise MoneyError("The amount must be more than zero")
    if amount_minor > MAX_AMOUNT_MINOR:
        raise MoneyError("The amount is larger than Remit records in one payment")


def to_decimal(amount_minor: int, currency: str) -> Decimal:
    """The amount in major units with all its decimals, such as Decimal('45.00')."""
    return Decimal(amount_minor).scaleb(-exponent(currency))


def format_money(amount_minor: int, currency: str, locale: str = "en_US") -> str:
    """The amount as people write it, such as $45.00 or ¥1,200, with as many decimals as the currency has here."""
    pattern = _pattern(locale, exponent(currency))
    written = pattern.apply(to_decimal(amount_minor, currency), Locale.parse(locale), currency, currency_digits=False)
    return str(written)


@lru_cache(maxsize=64)
def _pattern(locale: str, digits: int) -> NumberPattern:
    """The locale's way to write money, with `digits` decimals: the locale's own table of currencies is not ours."""
    pattern: NumberPattern = copy(Locale.parse(locale).currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    return pattern


def describe_balance(balance_minor: int, currency: str) -> str:
    """A balance with its words: `has $30.00 left`, `owes $30.00`, `is settled`."""
    if balance_minor > 0:
        return f"has {format_money(balance_minor, currency)} left"
    if balance_minor < 0:
        return f"owes {format_money(-balance_minor, currency)}"
    return "is settled"


def _example(digits: int) -> str:
    return "45" if digits == 0 else "45." + "0" * digits
