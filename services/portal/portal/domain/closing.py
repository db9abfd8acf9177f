"""Before a client is made inactive: what stands in the way, in words, and what to do about each."""

from dataclasses import dataclass, field
from typing import Any

from common.money import format_money


@dataclass(frozen=True)
class Obstacle:
    """`words` says what there is, `advice` what to do; the link leads to where it is done."""

    words: str
    advice: str
    link_words: str
    endpoint: str
    query: dict[str, str] = field(default_factory=dict)


def obstacles(check: dict[str, Any]) -> list[Obstacle]:
    """Of billing's closing check."""
    currency = check["currency"]
    found = []
    if check["owed_minor"]:
        words = f"{format_money(check['owed_minor'], currency)} is owed"
        advice = "Take a payment first, or correct the balance if it will not be paid."
        found.append(Obstacle(words, advice, "Take a payment", "assist.show"))
    if check["credit_minor"]:
        words = f"{format_money(check['credit_minor'], currency)} is left"
        advice = "Refund the payment that it came from, or use it up."
        found.append(Obstacle(words, advice, "See the payments", "clients.history"))
    if check["future_sessions"]:
        words = _many(check["future_sessions"], "session is", "sessions are", "still scheduled")
        advice = "Cancel what will not take place: nothing is cancelled by itself."
        found.append(Obstacle(words, advice, "See the sessions", "clients.show"))
    if check["pending_invoices"]:
        words = _many(check["pending_invoices"], "invoice waits", "invoices wait", "to be paid")
        words += f": {format_money(check['pending_minor'], currency)}"
        advice = "Take the payment, or void what will not be paid."
        found.append(Obstacle(words, advice, "See the invoices", "invoices.show_all", {"status": "pending"}))
    if check["draft_invoices"]:
        words = _many(check["draft_invoices"], "invoice is", "invoices are", "a draft" if check["draft_invoices"] == 1
                      else "drafts")  # fmt: skip
        advice = "Issue what is to be paid, or void it."
        found.append(Obstacle(words, advice, "See the drafts", "invoices.show_all", {"status": "draft"}))
    return found


def _many(count: int, one: str, more: str, rest: str) -> str:
    return f"{count} {one if count == 1 else more} {rest}"
