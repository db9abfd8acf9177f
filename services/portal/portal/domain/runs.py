"""Runs, in words: what becomes of clients who are charged, or mailed what they owe, one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from common.money import format_money

Kind = Literal["charge", "email"]

# Of a client in a run. What is open is asked, or asked again; of what is held nobody may charge the same balance
# again, because it is charged, or may be. What has not begun was decided before the charge.
WAITING, ASKED, UNKNOWN = "waiting", "asked", "unknown"
OPEN = (WAITING, ASKED, UNKNOWN)
HELD = (ASKED, UNKNOWN, "charged", "processing")
NOT_BEGUN = ("changed", "elsewhere")

# state → (tone of its tag, its word)
WORDS: dict[str, tuple[str, str]] = {
    "waiting": ("off", "not yet"),
    "asked": ("", "under way"),
    "unknown": ("late", "unknown"),
    "charged": ("good", "charged"),
    "processing": ("", "bank is working on it"),
    "declined": ("late", "declined"),
    "needs_client": ("late", "needs the client"),
    "no_card": ("late", "no saved card"),
    "no_address": ("late", "no e-mail address"),
    "refused": ("late", "not possible"),
    "changed": ("off", "amount changed"),
    "elsewhere": ("off", "in another run"),
    "mailed": ("good", "mailed"),
    "left": ("off", "left out"),
}


@dataclass(frozen=True)
class Result:
    """What became of one client, and what there is to say of it."""

    state: str
    detail: str = ""


@dataclass(frozen=True)
class Line:
    """One client of a run, as its page shows it."""

    client_id: str
    amount_minor: int
    currency: str
    state: str
    detail: str

    @property
    def tone(self) -> str:
        return WORDS[self.state][0]

    @property
    def word(self) -> str:
        return WORDS[self.state][1]

    @property
    def is_open(self) -> bool:
        return self.state in OPEN


def of_charge(answer: dict[str, str]) -> Result:
    """What the gateway answered of a saved card's charge."""
    status = answer["status"]
    if status == "succeeded":
        return Result("charged")
    if status == "processing":
        return Result("processing", "It is booked when the money is there.")
    if status == "authentication_required":
        return Result(
            "needs_client", "The bank wants them to confirm it. They get a link by e-mail. Nothing was charged."
        )
    if status == "unknown":
        return Result(UNKNOWN, "Stripe did not answer. Ask again: it cannot charge twice.")
    reason = (answer.get("decline_code") or status).replace("_", " ")
    return Result("declined", f"{answer.get('detail') or 'The card was not charged.'} Reason: {reason}.")


def of_changed_balance(owed_minor: int, provisional_minor: int, currency: str) -> Result:
    """What was agreed to is not what is owed any more; both amounts in minor units."""
    if provisional_minor > 0:
        coming = format_money(provisional_minor, currency)
        return Result("changed", f"{coming} is on its way from them already. Nothing was charged.")
    if owed_minor <= 0:
        return Result("changed", "They owe nothing any more. Nothing was charged.")
    return Result("changed", f"They owe {format_money(owed_minor, currency)} by now. Nothing was charged.")


def summary(lines: Sequence[Line]) -> str:
    """How far a run is: how many are done, and what came of them."""
    done = [line for line in lines if not line.is_open]
    counts: dict[str, int] = {}
    for line in lines:
        if line.state not in (WAITING, ASKED):
            counts[line.word] = counts.get(line.word, 0) + 1
    told = f"{len(done)} of {len(lines)} done"
    parts = [f"{count} {word}" for word, count in counts.items()]
    charged_minor = sum(line.amount_minor for line in lines if line.state == "charged")
    if charged_minor:
        parts.append(f"{format_money(charged_minor, lines[0].currency)} came in")
    return f"{told}: {', '.join(parts)}." if parts else f"{told}."
