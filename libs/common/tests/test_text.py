"""Text that people type."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.cells import plain_cell, safe_cell
from common.logs import redact
from common.text import clean_line, clean_text, luhn_valid

CARD = "4242 4242 4242 4242"


@pytest.mark.parametrize(
    "text",
    [CARD, f"card {CARD} please", "4242-4242-4242-4242", "378282246310005", "3782 822463 10005", "6011000990139424"],
)
def test_card_numbers_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="card number"):
        clean_line(text)


@pytest.mark.parametrize("name", ["{}", "client {}, as agreed"])
def test_an_id_whose_digits_pass_for_a_card_is_none(name: str) -> None:
    its_digits, client_id = "7451-8051-545954", "01a2132c-cb2f-7451-8051-545954d360d9"
    with pytest.raises(ValueError, match="card number"):
        clean_line(name.format(its_digits))
    assert clean_line(name.format(client_id)) == name.format(client_id)


@pytest.mark.parametrize("text", ["{}", "client {}, as agreed", '{{"id": "{}"}}'])
def test_an_id_whose_digits_pass_for_a_card_stays_in_the_log(text: str) -> None:
    told = text.format("01a2132c-cb2f-7451-8051-545954013645")
    assert redact(told) == told
    assert "8051" not in redact(text.format("8051-545954013645"))


@pytest.mark.parametrize("text", ["4242424242424241", "TRF-2026-0001", "+49 30 1234567", "20261122000000000000000001"])
def test_other_numbers_are_taken(text: str) -> None:
    assert clean_line(text) == text


@pytest.mark.parametrize("text", ["a\x00b", "a\nb", "a\x1bb", "\x7f"])
def test_control_characters_are_refused_in_a_line(text: str) -> None:
    with pytest.raises(ValueError, match="control characters"):
        clean_line(text)


@given(st.integers(0, 99_999), st.dates())
def test_a_bank_reference_beside_a_date_is_no_card(number: int, day: date) -> None:
    text = f"bank {number:05} {day}"
    assert clean_line(text) == text


def test_text_may_have_lines_and_is_normalised() -> None:
    assert clean_text(" a\nb ") == "a\nb"
    assert clean_line("e\u0301") == "\u00e9"


@given(st.integers(min_value=10**12, max_value=10**17))
def test_luhn_accepts_exactly_one_check_digit(prefix: int) -> None:
    assert sum(luhn_valid(f"{prefix}{digit}") for digit in range(10)) == 1


def test_a_spreadsheet_cannot_run_a_cell() -> None:
    assert [safe_cell(cell) for cell in ("=1+1", "@x", "+1", "-1", "plain", None, 5)] == [
        "'=1+1", "'@x", "'+1", "'-1", "plain", "", 5,
    ]  # fmt: skip


@given(st.text() | st.text("'=+-@\t\rx", max_size=5))
def test_a_cell_is_read_as_it_was_before_it_was_made_safe(text: str) -> None:
    assert plain_cell(safe_cell(text)) == text
    assert text.startswith("'") or plain_cell(text) == text


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("key sk_live_abc123DEF used", "sk_live_abc123DEF"),
        ("whsec_abcdef", "whsec_abcdef"),
        ("postgresql://remit:hunter2@db/x", "hunter2"),  # pragma: allowlist secret
        ("Bearer eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ4In0.c2ln", "eyJzdWIiOiJ4In0"),  # pragma: allowlist secret
        ("paid by ada.lovelace@example.com", "ada.lovelace"),
        (f"memo {CARD}", CARD),
    ],
)
def test_logs_hold_no_secret(text: str, secret: str) -> None:
    assert secret not in redact(text)
