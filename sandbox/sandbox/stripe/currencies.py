"""Amounts in Stripe's minor units: which decimals a currency has on the wire, and its least amount."""

from __future__ import annotations

from sandbox.stripe.errors import StripeError, invalid

MOST = 99_999_999
ZERO_DECIMAL = frozenset({
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf",
})  # fmt: skip
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
# Without decimals in life, with two on the wire.
HUNDREDS_ONLY = frozenset(["isk", "ugx"])
OTHERS = frozenset({
    "usd", "aed", "afn", "all", "amd", "ang", "aoa", "ars", "aud", "awg", "azn", "bam", "bbd", "bdt", "bgn", "bmd",
    "bnd", "bob", "brl", "bsd", "bwp", "byn", "bzd", "cad", "cdf", "chf", "cny", "cop", "crc", "cve", "czk", "dkk",
    "dop", "dzd", "egp", "etb", "eur", "fjd", "fkp", "gbp", "gel", "gip", "gmd", "gtq", "gyd", "hkd", "hnl", "htg",
    "huf", "idr", "ils", "inr", "jmd", "kes", "kgs", "khr", "kyd", "kzt", "lak", "lbp", "lkr", "lrd", "lsl", "mad",
    "mdl", "mkd", "mmk", "mnt", "mop", "mur", "mvr", "mwk", "mxn", "myr", "mzn", "nad", "ngn", "nio", "nok", "npr",
    "nzd", "pab", "pen", "pgk", "php", "pkr", "pln", "qar", "ron", "rsd", "rub", "sar", "sbd", "scr", "sek", "sgd",
    "shp", "sle", "sos", "srd", "std", "szl", "thb", "tjs", "top", "try", "ttd", "twd", "tzs", "uah", "uyu", "uzs",
    "wst", "xcd", "yer", "zar", "zmw",
})  # fmt: skip
CURRENCIES = OTHERS | ZERO_DECIMAL | THREE_DECIMAL | HUNDREDS_ONLY
LEAST = {
    "usd": 50, "aed": 200, "ars": 50, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "cop": 50, "czk": 1500, "dkk": 250,
    "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "idr": 50, "ils": 50, "inr": 50, "jpy": 50, "krw": 50, "mxn": 1000,
    "myr": 200, "nok": 300, "nzd": 50, "php": 50, "pln": 200, "ron": 200, "rub": 50, "sek": 300, "sgd": 50,
    "thb": 1000, "zar": 50,
}  # fmt: skip


def currency(text: str) -> str:
    """The currency in lower case. Raises StripeError when Stripe has no such."""
    found = text.lower()
    if found not in CURRENCIES:
        raise invalid(f"Invalid currency: {text}. It has to be a currency that Stripe supports.", "currency")
    return found


def check_amount(amount: int, unit: str) -> None:
    """Refuse an amount in minor units that cannot be charged in this currency."""
    least = LEAST.get(unit, 1)
    if amount < least:
        message = f"Amount must be at least {worded(least, unit)}"
        raise StripeError(400, message, "amount_too_small", "amount")
    if amount > MOST:
        message = f"Amount must be no more than {worded(MOST, unit)}"
        raise StripeError(400, message, "amount_too_large", "amount")
    check_decimals(amount, unit)


def check_decimals(amount: int, unit: str) -> None:
    """Refuse decimals that the currency has on the wire but not in life."""
    if unit in HUNDREDS_ONLY and amount % 100:
        message = f"{unit.upper()} has no decimals: the amount must be a multiple of 100."
        raise invalid(message, "amount", "invalid_charge_amount_no_decimal_compatible")
    if unit in THREE_DECIMAL and amount % 10:
        raise invalid(f"The last digit of an amount in {unit.upper()} must be 0.", "amount", "invalid_charge_amount")


def worded(amount: int, unit: str) -> str:
    """An amount as errors tell it: "0.50 usd"."""
    digits = 0 if unit in ZERO_DECIMAL else 3 if unit in THREE_DECIMAL else 2
    whole, rest = divmod(amount, 10**digits)
    return f"{whole}.{rest:0{digits}d} {unit}" if digits else f"{whole} {unit}"
