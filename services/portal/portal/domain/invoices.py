"""An invoice in words: what was paid of it, and what is left."""

from typing import Any

from common.money import format_money
from portal.domain.words import day


def in_words(invoice: dict[str, Any]) -> str:
    """One sentence or two on where it stands."""
    total = format_money(invoice["total_minor"], invoice["currency"])
    paid = format_money(invoice["paid_minor"], invoice["currency"])
    left = format_money(invoice["outstanding_minor"], invoice["currency"])
    match invoice["status"]:
        case "draft":
            return f"A draft of {total}: it has no number, and nobody was asked to pay it yet."
        case "void":
            why = (invoice.get("void_reason") or "").rstrip(".")
            return (
                f"Void: nothing is asked for any more. Why: {why}." if why else "Void: nothing is asked for any more."
            )
        case "paid":
            return f"{total} was paid. Nothing is left to pay."
    words = f"{left} is left to pay: {paid} of {total} was paid." if invoice["paid_minor"] else f"{left} is to be paid."
    if invoice["overdue"]:
        return f"{words} It was due on {day(invoice['due_on'])}."
    return words


def consequences(invoice: dict[str, Any]) -> list[str]:
    """What voiding it does, in sentences."""
    if invoice["status"] == "draft":
        return ["The draft is thrown away. Its sessions can be put on another invoice."]
    said = [f"Invoice {invoice['number']} asks for nothing any more. It stays in the list, as void."]
    lines = invoice["lines"]
    extra_minor = sum(line["amount_minor"] for line in lines if line["session_id"] is None)
    if extra_minor:
        back = format_money(extra_minor, invoice["currency"])
        said.append(f"The {back} that it charged beside sessions goes back to the balance.")
    if any(line["session_id"] is not None for line in lines):
        said.append("Its sessions stay as they are, and can be put on another invoice.")
    if invoice["paid_minor"]:
        paid = format_money(invoice["paid_minor"], invoice["currency"])
        said.append(f"The {paid} that was paid on it is not given back: it stays with the client as credit.")
    return said
