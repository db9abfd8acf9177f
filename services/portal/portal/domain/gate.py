"""The pre-pay gate's answer, in words: what stands beside the form before a session is added, and after a refusal."""

from dataclasses import dataclass
from typing import Any

from common.errors import Refused
from common.money import describe_balance, format_money

SHUT = ("client_inactive", "balance_below_threshold")


@dataclass(frozen=True)
class Gate:
    """`figures`: (what, how much) as text. `pay_url` pays exactly what is missing."""

    tone: str
    title: str
    detail: str
    figures: list[tuple[str, str]]
    warnings: list[str]
    pay_url: str | None = None
    missing: str | None = None
    is_inactive: bool = False

    @property
    def refusal(self) -> str:
        """After adding was refused; the panel says the rest."""
        if self.missing is None or self.is_inactive:
            return f"No session was added. {self.detail}"
        return f"No session was added: {self.missing} is missing. Beside the form is how it can be paid."


def answered(answer: dict[str, Any], *, prepays: bool) -> Gate:
    """Of the answer that billing gave without adding. `prepays`: whether the business asks for pre-payment."""
    reasons = answer["reasons"]
    is_inactive = "client_inactive" in reasons
    return Gate(
        tone="bad" if reasons else "good",
        title="It cannot be added" if reasons else "It can be added",
        detail=answer["detail"],
        figures=_figures(answer, prepays=prepays),
        warnings=answer["warnings"],
        # Who is inactive cannot pay by a link.
        pay_url=None if is_inactive else answer.get("pay_url"),
        missing=format_money(answer["shortfall_minor"], answer["currency"]) if answer["shortfall_minor"] else None,
        is_inactive=is_inactive,
    )


def refused(refusal: Refused) -> Gate | None:
    """Of adding that was refused; None when it was not the gate that refused."""
    if refusal.code not in SHUT or "shortfall_minor" not in refusal.extra:
        return None
    answer = {**refusal.extra, "reasons": [refusal.code], "detail": refusal.detail, "warnings": []}
    return answered(answer, prepays=True)


def _figures(answer: dict[str, Any], *, prepays: bool) -> list[tuple[str, str]]:
    def money(name: str) -> str:
        return format_money(answer[name], answer["currency"])

    found = [
        ("Balance", describe_balance(answer["balance_minor"], answer["currency"])),
        ("Kept for what is booked", money("reserved_minor")),
        ("Available", money("available_minor")),
        ("Price", money("price_minor")),
    ]
    if prepays:
        found.append(("Least that must be available", money("threshold_minor")))
    if answer["shortfall_minor"]:
        found.append(("Missing", money("shortfall_minor")))
    return found
