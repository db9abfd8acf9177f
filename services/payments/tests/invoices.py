"""What the tests of attribution share: an invoice's events as billing tells them, and the tray."""

from typing import Any

from common.events.billing import InvoiceIssued, InvoicePaid, InvoiceReopened, InvoiceVoided
from common.testing import ServiceUnderTest
from services.payments.tests.gateway import B


class Asked:
    """Tells of the invoice INV-000012 of 100.00, Ada's."""

    def __init__(self, number: int = 12, client_id: str = "ada", **more: Any) -> None:
        self.number = f"INV-{number:06}"
        self._facts = {
            "business_id": "b1", "invoice_id": f"id-{number}", "invoice_number": self.number, "client_id": client_id,
            "total_minor": 10000, "paid_minor": 0, "currency": "USD", **more,
        }  # fmt: skip

    def issued(self, sequence: int = 2) -> InvoiceIssued:
        return InvoiceIssued(**self._facts, sequence=sequence)

    def paid(self, sequence: int = 3) -> InvoicePaid:
        return InvoicePaid(**{**self._facts, "paid_minor": self._facts["total_minor"]}, sequence=sequence)

    def reopened(self, sequence: int = 4, paid_minor: int = 4000) -> InvoiceReopened:
        return InvoiceReopened(**{**self._facts, "paid_minor": paid_minor}, sequence=sequence)

    def voided(self, sequence: int = 5) -> InvoiceVoided:
        return InvoiceVoided(**self._facts, sequence=sequence, reason="billed twice")


def tray(payments: ServiceUnderTest, query: str = "") -> list[dict[str, Any]]:
    answer = payments.call("GET", f"{B}/unmatched?{query}")
    assert answer.status_code == 200, answer.text
    return list(answer.json["items"])


def assign(payments: ServiceUnderTest, unmatched_id: str, **body: Any) -> Any:
    return payments.call("POST", f"{B}/unmatched/{unmatched_id}/assign", {"client_id": "ada", **body})
