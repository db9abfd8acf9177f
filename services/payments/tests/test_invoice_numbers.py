"""What people type for an invoice's number, and what it means."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.invoice_number import tidy
from payments.domain import invoice as rules


@dataclass(frozen=True)
class One:
    number: str
    client_id: str = "ada"
    state: str = "pending"


NUMBERS = st.integers(1, 999_999_999)
BLANKS = st.text(" \t\u00a0\u2009\u200b", max_size=2)
PREFIXES = st.sampled_from(
    ["", "#", "INV-", "inv", "Invoice ", "INVOICE no. ", "No. ", "# inv-", "#INV", "invoice #", "Inv. No.: ", "INV–"]
)


@st.composite
def decorated(draw: st.DrawFn, number: int) -> str:
    """The number as somebody may type it."""
    text = f"{draw(PREFIXES)}{'0' * draw(st.integers(0, 8))}{number}"
    spaced = "".join(draw(BLANKS) + letter for letter in text) + draw(BLANKS)
    return draw(st.sampled_from([str.upper, str.lower, str.title, str]))(spaced)


@given(st.data())
def test_every_decorated_form_finds_its_number_and_no_other(data: st.DataObject) -> None:
    number, other = data.draw(NUMBERS), data.draw(NUMBERS)
    typed = data.draw(decorated(number))
    assert tidy(typed) == tidy(f"INV-{number:06}") == str(number)
    assert (tidy(typed) == tidy(f"INV-{other:06}")) is (number == other)


@given(st.one_of(st.text(max_size=60), st.text("INVOno.#-0 12", max_size=20)))
def test_tidying_again_changes_nothing(text: str) -> None:
    assert tidy(tidy(text)) == tidy(text)


@given(st.one_of(st.text(max_size=60), st.text("INVOno.#-0 12", max_size=20)), NUMBERS)
def test_text_means_a_number_only_when_those_are_its_digits(text: str, number: int) -> None:
    if tidy(text) == str(number):
        digits = "".join(letter for letter in text if letter in "0123456789")
        assert digits.lstrip("0") == str(number)


@pytest.mark.parametrize("text", [None, "", "  ", "#", "x" * 51, "12 and 13", "12.00", "INV-12-3", "1,200", "١٢"])
def test_what_is_no_number(text: str | None) -> None:
    assert not (tidy(text) or "x").isascii() or not (tidy(text) or "x").isdigit()


def test_the_exact_number_goes_first_and_several_are_none() -> None:
    one, same = One("INV-000012"), One("12", "sam1")
    assert rules.fitting("inv 12", [one]) is one
    assert rules.fitting("12", [one, same]) is same
    assert rules.fitting("INV-000012", [one, same]) is one
    assert rules.fitting("inv 12", [one, same]) is None
    assert rules.fitting("inv 12", []) is None


def distance(one: str, other: str) -> int:
    """How many digits more, less, other, or changed places make one the other."""
    rows = [list(range(len(other) + 1))]
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


@given(st.integers(1, 9999), st.integers(1, 9999))
def test_near_is_one_step(number: int, other: int) -> None:
    steps = distance(str(number), str(other))
    if steps == 1:
        assert str(other) in rules.near(str(number))
    if str(other) in rules.near(str(number)):  # with the zeros that numbers are written with
        padded = distance(f"{number:06}", f"{other:06}")
        assert min(steps, padded) == 1


def test_text_is_near_nothing() -> None:
    assert rules.near("a-12") == rules.near("1234567890") == set()
    assert "" not in rules.near("1")
    assert "12" not in rules.near("12")
