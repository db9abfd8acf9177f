"""A receipt's content, pure: what one revision of it says."""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from common.money import format_money


@dataclass(frozen=True)
class ReceiptDocument:
    """What a receipt says. Amounts ending in `_minor` are in the currency's smallest unit.

    The `_text` amounts are already formatted for the reader and are what is printed; the `_minor` ones
    only decide the wording. `issued_at` is in UTC and is shown in `time_zone` (an IANA name).
    """

    business_name: str
    client_name: str
    receipt_number: int
    revision: int
    payment_id: str
    status: str
    method: str
    amount_minor: int
    refunded_minor: int
    net_minor: int
    currency: str
    amount_text: str
    refunded_text: str
    net_text: str
    received_on: date
    issued_at: datetime
    time_zone: str
    reference: str | None = None
    memo: str | None = None
    invoice_number: str | None = None
    reply_to_email: str | None = None
    withdrawn_minor: int = 0
    withdrawn_text: str = ""


def document(payment: Any, receipt: Any, business: Any) -> ReceiptDocument:
    """The receipt of `payment` as it stood at the revision `receipt`, from the business it was paid to."""
    refunded_minor, withdrawn_minor = receipt.refunded_minor, receipt.withdrawn_minor
    net_minor = 0 if receipt.is_void else payment.amount_minor - refunded_minor - withdrawn_minor
    if receipt.is_void:
        status = "voided"
    elif withdrawn_minor:
        status = "disputed"
    elif refunded_minor == payment.amount_minor:
        status = "refunded"
    else:
        status = "partially_refunded" if refunded_minor else "recorded"
    return ReceiptDocument(
        business_name=business.name,
        client_name=payment.client_name,
        receipt_number=receipt.number,
        revision=receipt.revision,
        payment_id=payment.payment_id,
        status=status,
        method=payment.method,
        amount_minor=payment.amount_minor,
        refunded_minor=refunded_minor,
        net_minor=net_minor,
        currency=payment.currency,
        amount_text=format_money(payment.amount_minor, payment.currency),
        refunded_text=format_money(refunded_minor, payment.currency),
        net_text=format_money(net_minor, payment.currency),
        received_on=payment.received_on,
        issued_at=receipt.issued_at,
        time_zone=business.time_zone,
        reference=payment.reference,
        memo=payment.memo,
        invoice_number=payment.invoice_number,
        reply_to_email=business.reply_to_email,
        withdrawn_minor=withdrawn_minor,
        withdrawn_text=format_money(withdrawn_minor, payment.currency),
    )


def as_json(receipt: ReceiptDocument) -> dict[str, Any]:
    return asdict(receipt)
