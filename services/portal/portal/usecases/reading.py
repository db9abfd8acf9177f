"""Forms, read field by field: all that is wrong is said at once, beside its field."""

from collections.abc import Callable, Mapping
from datetime import date, time
from typing import TypeVar

from common.clock import FIRST_DAY, LAST_DAY
from common.errors import FieldError, Invalid, Refused
from common.money import MoneyError, check_amount, parse_major

T = TypeVar("T")


class Form:
    """What was typed. `wrong` collects (field, words) while it is read."""

    def __init__(self, typed: Mapping[str, str]) -> None:
        self.typed = typed
        self.wrong: list[FieldError] = []

    def get(self, field: str) -> str:
        return self.typed.get(field, "").strip()

    def read(self, field: str, parse: Callable[[str], T]) -> T | None:
        """The field's value; None when it is wrong, which is noted. `parse` raises ValueError with words for people."""
        try:
            return parse(self.get(field))
        except ValueError as error:
            self.note(field, str(error))
            return None

    def read_or_none(self, field: str, parse: Callable[[str], T]) -> T | None:
        """Of a field that may be left empty."""
        return self.read(field, parse) if self.get(field) else None

    def note(self, field: str, words: str) -> None:
        self.wrong.append(FieldError(field, words))

    def check(self, detail: str = "Nothing was changed. Look at the fields that are marked.") -> None:
        """Raises Invalid when anything was wrong."""
        if self.wrong:
            raise Invalid("form_wrong", detail, self.wrong)


def money(currency: str) -> Callable[[str], int]:
    """Reads an amount, typed in major units, as minor ones."""

    def parse(typed: str) -> int:
        if not typed:
            raise ValueError("Say how much.")
        try:
            amount_minor = parse_major(typed.removeprefix("$").strip(), currency)
            check_amount(amount_minor)
        except MoneyError as error:
            raise ValueError(f"{str(error).rstrip('.')}.") from None
        return amount_minor

    return parse


def any_money(currency: str) -> Callable[[str], int]:
    """Reads an amount that may be nothing, typed in major units, as minor ones."""

    def parse(typed: str) -> int:
        try:
            return parse_major(typed.removeprefix("$").strip(), currency)
        except MoneyError as error:
            raise ValueError(f"{str(error).rstrip('.')}.") from None

    return parse


def no_less_than_nothing(currency: str) -> Callable[[str], int]:
    """Reads an amount that may be nothing but never less, typed in major units, as minor ones."""

    def parse(typed: str) -> int:
        if not typed:
            raise ValueError("Say how much; 0 is fine.")
        if (amount_minor := any_money(currency)(typed)) < 0:
            raise ValueError("It cannot be less than 0.")
        return amount_minor

    return parse


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Reads a whole number within bounds."""

    def parse(typed: str) -> int:
        digits = typed.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 10 and least <= int(typed) <= most):
            raise ValueError(f"Type a whole number from {least} to {most}.")
        return int(typed)

    return parse


def day(typed: str) -> date:
    """Reads a date, as a browser's date field sends it."""
    if not typed:
        raise ValueError("Say on which day.")
    try:
        found = date.fromisoformat(typed)
    except ValueError:
        raise ValueError("Write the day as year-month-day, such as 2026-03-31.") from None
    if not FIRST_DAY <= found <= LAST_DAY:
        raise ValueError(f"Choose a day from {FIRST_DAY.year} to {LAST_DAY.year}.")
    return found


def clock_time(typed: str) -> time:
    """Reads a time of the day, as a browser's time field sends it."""
    if not typed:
        raise ValueError("Say at what time.")
    try:
        return time.fromisoformat(typed).replace(tzinfo=None)
    except ValueError:
        raise ValueError("Write the time as hours and minutes, such as 15:30.") from None


def line(what: str, longest: int = 200) -> Callable[[str], str]:
    """Reads words that must be there; `what` completes "Say …"."""

    def parse(typed: str) -> str:
        if not typed:
            raise ValueError(f"Say {what}.")
        if len(typed) > longest:
            raise ValueError(f"Use at most {longest} characters.")
        return typed

    return parse


def beside(refused: Refused, known: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a refusal says of each field, as templates take it. `known`: the fields that have another name here."""
    names = known or {}
    return {names.get(error.field, error.field): _sentence(error.message) for error in refused.errors}


def detail_of(refused: Refused) -> str:
    """What is said of the form as a whole. What a service says of single fields stands beside them."""
    if refused.code == "validation_failed" and refused.errors:
        return "Nothing was saved. Look at the fields that are marked."
    return refused.detail


def _sentence(words: str) -> str:
    """What a service says of a field begins and ends as a sentence beside it does."""
    return f"{words[:1].upper()}{words[1:].rstrip('.')}." if words else words
