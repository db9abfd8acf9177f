"""What payments finds of the rows of Add Payments, in words, pure."""

from collections.abc import Sequence
from typing import Any

from common.money import format_money
from portal.domain.sheet import COLUMNS, METHODS, Row
from portal.domain.words import day, plain

_PLACE = {name: place for place, name in enumerate(COLUMNS)} | {"currency": 1}

_ASKED = {
    "client": "Who paid?",
    "amount": "How much?",
    "method": "How was it paid? Choose one above for all rows that do not say.",
}
_WAYS = f"{', '.join(plain(way) for way in METHODS[:-1])} or {METHODS[-1]}"


def of_rows(preview: dict[str, Any], places: Sequence[int], rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One entry for every row that holds anything: `row` its number, `tone`, `name`, `words` about it, `cells` that are
    wrong, and `candidates` where a client fits several."""
    numbers = [place + 1 for place in places]
    return [
        _of_row(found, numbers, preview["currency"], rows[place])
        for found, place in zip(preview["rows"], places, strict=True)
    ]


def _of_row(found: dict[str, Any], numbers: Sequence[int], currency: str, row: Row) -> dict[str, Any]:
    errors, doubts, duplicates, repeats = (
        found["errors"], found["doubts"], found["duplicates"], found["repeats_row"]
    )  # fmt: skip
    errors = sorted(errors, key=lambda error: _PLACE.get(error["field"], len(COLUMNS)))
    words = [_error(error, row) for error in errors]
    words += [_duplicate(other, found["client_id"], currency) for other in duplicates]
    if repeats is not None:
        words.append(f"The same as row {numbers[repeats - 1]}?")
    words += [_sentence(f"{doubt['message']}: it will be the client's credit") for doubt in doubts]
    return {
        "row": numbers[found["row"] - 1],
        "tone": "bad" if errors else "wait" if words else "good",
        "name": found["client_name"] or "",
        "amount": found["amount_minor"] and format_money(found["amount_minor"], currency),
        "words": words,
        "cells": sorted({_PLACE[error["field"]] for error in errors if error["field"] in _PLACE}),
        "candidates": [
            {"id": one["client_id"], "name": one["name"], "note": one.get("external_ref") or one["client_id"][-6:]}
            for error in errors
            for one in error.get("candidates") or []
        ],
        "is_like": bool(duplicates) or repeats is not None,
    }


def deposit_words(total_minor: int, deposit_minor: int | None, currency: str) -> tuple[str, str]:
    """(tone, words) of how the rows stand to what the bank slip says."""
    if deposit_minor is None:
        return "", "Type the total of the deposit slip to hold the rows against it."
    more = total_minor - deposit_minor
    if more == 0:
        return "good", f"The rows match the deposit of {format_money(deposit_minor, currency)}."
    where = "over" if more > 0 else "under"
    apart = format_money(abs(more), currency)
    return "bad", f"The rows are {where} the deposit of {format_money(deposit_minor, currency)} by {apart}."


def summary(rows: Sequence[dict[str, Any]], total_minor: int, currency: str) -> str:
    """The whole in one sentence or two; it is read aloud."""
    if not rows:
        return "No rows yet."
    count = f"{len(rows):,} payment{'s' if len(rows) != 1 else ''}, {format_money(total_minor, currency)}."
    wrong = [row for row in rows if row["tone"] == "bad"]
    like = [row for row in rows if row["is_like"] and row["tone"] != "bad"]
    told = []
    if wrong:
        first = wrong[0]
        told.append(f"{_rows(wrong)} cannot be recorded yet. Row {first['row']}: {first['words'][0]}")
    if like:
        told.append(f"{_rows(like)} may be recorded already.")
    return " ".join([count, *told] if told else [count, "All rows are ready."])


def _rows(rows: Sequence[dict[str, Any]]) -> str:
    return "1 row" if len(rows) == 1 else f"{len(rows):,} rows"


def _error(error: dict[str, Any], row: Row) -> str:
    name, code = error["field"], error.get("code")
    if error["message"] == "this may not be empty":
        return _ASKED.get(name, _sentence(error["message"]))
    if code == "client_unknown":
        return f"There is no client “{row[0][:80]}”. Use the name, the e-mail address or the reference."
    if code == "client_ambiguous":
        return f"“{row[0][:80]}” fits more than one client. Who is it?"
    if name == "method":
        return f"“{row[2][:40]}” is no way to pay here. Use {_WAYS}."
    return _sentence(error["message"])


def _duplicate(other: dict[str, Any], client_id: str, currency: str) -> str:
    money = format_money(other["amount_minor"], currency)
    whose = "" if other["client_id"] == client_id else " of another client"
    reference = f", reference {other['reference']}" if other.get("reference") else ""
    return f"Recorded already? {money}{whose} on {day(other['received_on'])}{reference}."


def _sentence(words: str) -> str:
    words = words.strip()
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."
