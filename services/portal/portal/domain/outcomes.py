"""What became of a card payment, in words. The states are the gateway's, as its API answers them."""

from dataclasses import dataclass
from typing import Literal

Tone = Literal["good", "wait", "bad"]


@dataclass(frozen=True)
class Outcome:
    """`tone` colours it, `title` says it, `detail` says what follows. `is_final`: asking again changes nothing."""

    tone: Tone
    title: str
    detail: str
    is_final: bool = True


def on_page(status: str, money: str, *, to_payer: bool) -> Outcome:
    """Of a payment whose card was typed on the page; said to the payer, or to staff who typed it."""
    if status == "succeeded":
        return Outcome("good", "Payment received", f"{money} was paid." + (" Thank you." if to_payer else ""))
    if status == "processing":
        detail = f"The bank is still working on {money}. There is nothing more to do; this page says when it is there."
        return Outcome("wait", "Payment under way", detail, is_final=False)
    if status == "authentication_required":
        return Outcome("bad", "Not paid yet", "The bank wants the payment to be confirmed, and that was not finished.")
    if status == "canceled":
        return Outcome("bad", "Not paid", "This payment was called off. Nothing was charged.")
    return Outcome("bad", "Not paid", "The card was not charged. Try again, or use another card.")


def by_paypal(status: str, money: str) -> Outcome:
    """Of a payment that was begun here and made at PayPal."""
    if status == "paid":
        return Outcome("good", "Payment received", f"{money} was paid by PayPal. Thank you.")
    if status == "pending":
        detail = f"PayPal waits for the bank to send {money}, which takes days. The receipt comes when it is there."
        return Outcome("wait", "On its way", detail)
    if status == "waiting":
        detail = f"PayPal tells us within moments whether {money} was paid. This page says so when it is there."
        return Outcome("wait", "Waiting for PayPal", detail, is_final=False)
    if status == "cancelled":
        return Outcome("bad", "Not paid", "The payment was cancelled at PayPal. Nothing was charged.")
    return Outcome("bad", "Not paid", "PayPal did not take the payment. Try again, or pay another way.")


def one_click(status: str, money: str, client: str, detail: str, decline_code: str) -> Outcome:
    """Of a saved card charged by staff."""
    if status == "succeeded":
        return Outcome("good", "Succeeded", f"{money} was charged to the card of {client}.")
    if status == "processing":
        return Outcome("wait", "Under way", f"The bank is still working on {money}; it is booked when it is there.")
    if status == "authentication_required":
        words = (
            f"The bank wants {client} to confirm it. Nothing was charged. A link to do so goes to {client} by e-mail."
        )
        return Outcome("bad", "Needs the client", words)
    if status == "unknown":
        words = f"{detail} Do not charge another way yet: “Ask again” finds out, and cannot charge twice."
        return Outcome("wait", "Unknown", words, is_final=False)
    reason = decline_code.replace("_", " ")
    return Outcome("bad", "Declined", f"{detail} Reason: {reason}. Nothing was charged.")
