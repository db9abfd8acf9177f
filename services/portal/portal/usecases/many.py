"""Add Payments: what a list of rows would become, and recording it once."""

from dataclasses import dataclass
from typing import Any

from common.errors import Conflict, FieldError, Invalid, Refused
from portal.domain import seen
from portal.domain.sheet import METHODS, Row, as_csv
from portal.peers import Remit
from portal.usecases import attempts, reading


@dataclass(frozen=True)
class Asked:
    """What the form says: the rows, what holds for rows that leave it open, the deposit's total as it was typed."""

    rows: list[Row]
    method: str = ""
    received_on: str = ""
    deposit: str = ""
    allow_duplicates: bool = False

    def csv(self, currency: str) -> tuple[bytes, list[int]]:
        method = self.method if self.method in METHODS else ""
        return as_csv(self.rows, currency, method, self.received_on)


def check(remit: Remit, asked: Asked) -> dict[str, Any]:
    """What would become of the rows, in words: {rows, say, count, total, deposit}. Records nothing."""
    currency = str(remit.billing.business()["currency"])
    csv, places = asked.csv(currency)
    found: dict[str, Any] = {"rows": [], "total_minor": 0, "currency": currency}
    if places:
        found = remit.payments.preview_many(csv)
    rows = seen.of_rows(found, places, asked.rows)
    total_minor = int(found["total_minor"])
    try:
        deposit_minor = _deposit(asked, currency)
        tone, words = seen.deposit_words(total_minor, deposit_minor, currency)
    except Invalid as wrong:
        tone, words = "bad", wrong.detail
    return {
        "rows": rows,
        "say": seen.summary(rows, total_minor, currency),
        "count": len(rows),
        "like": sum(row["is_like"] for row in rows),
        "deposit": {"tone": tone, "words": words},
    }


def record(remit: Remit, asked: Asked, attempt: str) -> str:
    """Record the rows, all or none; answers the batch's id. However often one attempt is sent, it is recorded once.
    Raises Refused with words for the whole; `check` says what is wrong with each row."""
    currency = str(remit.billing.business()["currency"])
    csv, places = asked.csv(currency)
    if not places:
        raise Invalid("nothing_typed", "There is nothing to record yet. Fill in a row, or paste a list.")
    deposit_minor = _deposit(asked, currency)
    query: dict[str, Any] = {"check_repeats": "true"}
    if asked.allow_duplicates:
        query["allow_duplicates"] = "true"
    if deposit_minor is not None:
        query["expected_total_minor"] = deposit_minor
    key = attempts.key(remit, attempt, {"csv": csv.decode(), **query})
    try:
        return str(remit.payments.record_many(csv, query, key)["batch_id"])
    except Refused as refused:
        raise _in_words(refused, deposit_minor, currency) from refused


def _deposit(asked: Asked, currency: str) -> int | None:
    """Raises Invalid."""
    form = reading.Form({"deposit": asked.deposit})
    found = form.read_or_none("deposit", reading.money(currency))
    if form.wrong:
        words = f"The deposit total: {form.wrong[0].message}"
        raise Invalid("deposit_wrong", words, [FieldError("deposit", form.wrong[0].message)])
    return found


def _in_words(refused: Refused, deposit_minor: int | None, currency: str) -> Refused:
    if isinstance(refused, Conflict) and refused.code == "probable_duplicates":
        words = (
            "Nothing was recorded: some of these payments look recorded already. Look at the rows that are marked. If"
            " they are new money, tick “Record all the same” and record again."
        )
        return Conflict(refused.code, words)
    if refused.code == "total_mismatch":
        _, words = seen.deposit_words(int(refused.extra["total_minor"]), deposit_minor, currency)
        return Invalid(refused.code, f"Nothing was recorded. {words}", [FieldError("deposit", words)])
    if isinstance(refused, Invalid):
        return Invalid(refused.code, "Nothing was recorded. Put the rows right that are marked, and record again.")
    return refused
