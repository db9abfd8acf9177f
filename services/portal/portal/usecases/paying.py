"""Paying by card: what is to be paid, begun once however often it is sent, and what became of it."""

from dataclasses import dataclass
from typing import Any

from common.errors import FieldError, Invalid, NotFound, Refused
from common.money import MoneyError, check_amount, format_money, parse_major
from portal.peers import Remit
from portal.usecases import attempts


@dataclass(frozen=True)
class CardDesk:
    """Whether the business takes cards, whether clients may begin, and whether a card that staff type for a client who
    is not there is charged as a mail or telephone order. `publishable_key` is what Stripe.js is opened with."""

    is_open: bool
    for_clients: bool = False
    by_telephone: bool = False
    publishable_key: str | None = None


@dataclass(frozen=True)
class Due:
    """What is to be paid."""

    amount_minor: int
    currency: str
    invoice_number: str | None = None

    @property
    def money(self) -> str:
        return format_money(self.amount_minor, self.currency)


def card_desk(remit: Remit) -> CardDesk:
    """Asked as the portal itself: settings are the staff's. A gateway that is away takes no cards right now."""
    try:
        found = remit.as_portal().stripe.settings()
    except Refused:
        return CardDesk(is_open=False)
    mode = found["mode"]
    publishable_key = found[f"{mode}_publishable_key"]
    if not (publishable_key and found[f"{mode}_secret_key"] and found["keys_open"]):
        return CardDesk(is_open=False)
    return CardDesk(
        is_open=True,
        for_clients=bool(found["allow_client_initiated_payments"]),
        by_telephone=bool(found["mail_and_telephone_orders"]),
        publishable_key=publishable_key,
    )


def takes_paypal(remit: Remit) -> bool:
    """Whether clients may pay by PayPal. Asked as the portal itself; a gateway that is away takes nothing right now."""
    try:
        found = remit.as_portal().paypal.settings()
    except Refused:
        return False
    return bool(found["is_ready"] and found["allow_client_initiated_payments"])


def what_is_due(remit: Remit, client_id: str, choice: str, amount: str) -> Due:
    """From a form: `choice` is an invoice's number, or "" for the amount that was typed. Raises Invalid, NotFound."""
    if choice:
        invoice = remit.billing.invoice(choice)
        if invoice["client_id"] != client_id:
            raise NotFound("not_found", "There is no such invoice.")
        return of_invoice(invoice)
    currency = str(remit.billing.balance(client_id)["currency"])
    try:
        amount_minor = parse_major(amount.strip().removeprefix("$"), currency)
        check_amount(amount_minor)
    except MoneyError as error:
        words = f"{str(error).rstrip('.')}."
        raise Invalid("amount_wrong", words, [FieldError("amount", words)]) from None
    return Due(amount_minor, currency)


def of_invoice(invoice: dict[str, Any]) -> Due:
    """What is left to pay of it. Raises Invalid when that is nothing."""
    if invoice["status"] != "pending" or invoice["outstanding_minor"] <= 0:
        raise Invalid("invoice_not_pending", f"Invoice {invoice['number']} is not waiting to be paid.")
    return Due(invoice["outstanding_minor"], invoice["currency"], invoice["number"])


def begin(
    remit: Remit, client_id: str, due: Due, attempt: str, *, by_staff: bool = False, save_card: bool = False
) -> tuple[dict[str, Any], bool]:
    """Begin a payment, or take up the one that this attempt began: an attempt pays once. Answers what Stripe.js
    needs, and whether it is paid already, or under way."""
    body = {
        "client_id": client_id, "amount_minor": due.amount_minor, "currency": due.currency,
        "invoice_number": due.invoice_number, "initiated_by": "staff" if by_staff else "client",
        "save_card": save_card,
    }  # fmt: skip
    begun, is_repeat = remit.stripe.start_payment(body, attempts.key(remit, attempt, body))
    if not is_repeat:
        return begun, False
    status = remit.stripe.sync(begun["payment_intent_id"])["status"]
    if status == "canceled":  # Stripe gave it up; the next is a new one, and itself begun once
        begun, _ = remit.stripe.start_payment(
            body, attempts.key(remit, f"{attempt}:{begun['payment_intent_id']}", body)
        )
        return begun, False
    return begun, status in ("succeeded", "processing")


def begin_paypal(
    remit: Remit, client_id: str, due: Due, attempt: str, return_url: str, cancel_url: str
) -> dict[str, Any]:
    """Begin a payment at PayPal, or take up the one that this attempt began: an attempt pays once. Answers where the
    browser goes; `is_over` when there is nothing to do there any more."""
    body = {
        "client_id": client_id, "amount_minor": due.amount_minor, "currency": due.currency,
        "invoice_number": due.invoice_number, "return_url": return_url, "cancel_url": cancel_url,
    }  # fmt: skip
    begun, is_repeat = remit.paypal.start_checkout(body, attempts.key(remit, attempt, body))
    is_over = is_repeat and remit.paypal.checkout(begun["checkout_id"])["status"] in ("paid", "pending")
    return {**begun, "is_over": is_over}


def charge(remit: Remit, client_id: str, due: Due, card_id: str, attempt: str) -> dict[str, Any]:
    """Charge a saved card by one click; the same attempt charges once."""
    body = {
        "client_id": client_id, "amount_minor": due.amount_minor, "currency": due.currency,
        "invoice_number": due.invoice_number, "payment_method_id": card_id,
    }  # fmt: skip
    return remit.stripe.charge_saved_card(body, attempts.key(remit, attempt, body))


def take_order(
    remit: Remit, client_id: str, due: Due, card_id: str, attempt: str, *, save_card: bool = False
) -> dict[str, Any]:
    """Charge a card that staff typed, as a mail or telephone order; one attempt charges one card once."""
    body = {
        "client_id": client_id, "amount_minor": due.amount_minor, "currency": due.currency,
        "invoice_number": due.invoice_number, "payment_method_id": card_id, "save_card": save_card,
    }  # fmt: skip
    return remit.stripe.take_order(body, attempts.key(remit, attempt, body))
