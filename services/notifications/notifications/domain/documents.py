"""The PDFs that mails carry, pure: which service makes one, and where it is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Document:
    """A PDF of another service. `path` stands below the business's own, such as /payments/p1/receipt.pdf."""

    service: str
    path: str
    file_name: str
    params: dict[str, int] = field(default_factory=dict)


def receipt(facts: Facts) -> Document:
    """The receipt of a payment, in the revision that the mail speaks of."""
    return Document(
        service="payments",
        path=f"/payments/{facts['payment_id']}/receipt.pdf",
        file_name=f"receipt-{facts['receipt_number']}.pdf",
        params={"revision": facts["receipt_revision"]},
    )


def invoice(facts: Facts) -> Document:
    """The invoice as it stands when it is fetched."""
    number = facts["invoice_number"]
    return Document(service="billing", path=f"/invoices/{number}.pdf", file_name=f"{number}.pdf")


def reminded_of(facts: Facts) -> Document | None:
    """The invoice that a reminder is about; a balance has no document."""
    return invoice(facts) if facts["reminded_of"] == "invoice" else None
