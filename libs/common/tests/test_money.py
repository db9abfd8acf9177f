"""Money is exact: what is written is what is read, and nothing is rounded."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.money import (
    CURRENCIES,
    MAX_AMOUNT_MINOR,
    MoneyError,
    check_amount,
    describe_balance,
    exponent,
    format_money,
    parse_major,
    to_decimal,
)

currencies = st.sampled_from(sorted(CURRENCIES))
amounts = st.integers(min_value=0, max_value=MAX_AMOUNT_MINOR)


@given(amounts, currencies)
def test_major_text_and_minor_units_are_the_same_amount(amount_minor: int, currency: str) -> None:
    assert parse_major(str(to_decimal(amount_minor, currency)), currency) == amount_minor


@given(st.decimals(min_value=0, max_value=10**9, places=4), currencies)
def test_excess_precision_is_refused_and_never_rounded(amount: Decimal, currency: str) -> None:
    minor = amount.scaleb(exponent(currency))
    if minor == minor.to_integral_value():
        assert parse_major(str(amount), currency) == minor
    else:
        with pytest.raises(MoneyError, match="more decimals"):
            parse_major(str(amount), currency)


@given(st.text(max_size=20))
def test_any_text_is_an_exact_amount_or_an_error(text: str) -> None:
    try:
        amount_minor = parse_major(text, "USD")
    except MoneyError:
        return
    assert Decimal(text).scaleb(2) == amount_minor


@pytest.mark.parametrize(
    "text", ["", " ", "1,00", "$5", "1e3", "NaN", "Infinity", "٣", "1_000", "0x10", "1.", ".5", "--1"]
)
def test_what_is_no_plain_amount_is_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        parse_major(text, "USD")


def test_exponents_are_the_gateways() -> None:
    assert [exponent(code) for code in ("USD", "JPY", "KWD", "UGX", "ISK", "HUF")] == [2, 0, 3, 2, 2, 2]
    with pytest.raises(MoneyError, match="not a currency"):
        exponent("XXX")


@pytest.mark.parametrize("amount_minor", [0, -1, MAX_AMOUNT_MINOR + 1])
def test_amounts_out_of_range_are_refused(amount_minor: int) -> None:
    with pytest.raises(MoneyError):
        check_amount(amount_minor)


def test_money_is_shown_with_words() -> None:
    assert describe_balance(3000, "USD") == "has $30.00 left"
    assert describe_balance(-3000, "USD") == "owes $30.00"
    assert describe_balance(0, "USD") == "is settled"
    assert format_money(1200, "JPY") == "¥1,200"
    assert format_money(1234567, "KWD") == "KWD1,234.567"
