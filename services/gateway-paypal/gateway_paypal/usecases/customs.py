"""PayPal's `custom` field: which checkout a payment is of, signed, so that no payer can name another's."""

import base64
import hmac

from sqlalchemy import select
from sqlalchemy.orm import Session

from common.auth import Signer
from gateway_paypal.models import Checkout

MARK = "remit:"


class Foreign(Exception):
    """A custom field of Remit's kind that was not signed for this business; the message says so."""


def custom_of(signer: Signer, business_id: str, checkout_id: str) -> str:
    """At most 255 characters, the same each time."""
    signature = signer.sign_bytes(f"{business_id}/{checkout_id}".encode())
    return f"{MARK}{checkout_id}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def checkout_of(session: Session, signer: Signer, business_id: str, custom: str, invoice_id: str) -> Checkout | None:
    """The checkout that a payment is of, by its custom field, else by the invoice id that was made for it alone; None
    for a payment that was not begun here. Raises Foreign."""
    by_invoice = select(Checkout).where(Checkout.business_id == business_id, Checkout.invoice_id == invoice_id)
    found = session.scalars(by_invoice).one_or_none() if invoice_id else None
    if not custom.startswith(MARK):
        return found
    checkout_id = custom.removeprefix(MARK).partition(".")[0]
    if hmac.compare_digest(custom.encode(), custom_of(signer, business_id, checkout_id).encode()):
        return session.get(Checkout, (business_id, checkout_id)) or found
    if found is None:  # of a key that was rotated since, it is known all the same
        raise Foreign("its custom field was not signed for this business")
    return found
