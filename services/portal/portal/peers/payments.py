"""payments: what was received, receipts, refunds, the unmatched tray, and revenue."""

import requests

from common.errors import NotFound
from portal.peers.asking import Answer, Peer, Query, safe

# Ten thousand rows take their time.
MANY_SECONDS = 60.0


class Payments(Peer):
    name = "payments"
    reads = "payments:read"
    writes = "payments:write"

    def history(self, query: Query) -> Answer:
        """Payment history, newest first; filters as the API's; sort received_on, amount, client_name, each with `-`."""
        return self.get("/payments", query)

    def csv(self, query: Query) -> requests.Response:
        return self.file("/payments", query, "text/csv")

    def one(self, payment_id: str) -> Answer:
        return self.get(f"/payments/{safe(payment_id)}")

    def last(self, client_id: str, limit: int) -> list[Answer]:
        return self.items("/payments", {"client_id": client_id, "limit": limit})

    def of_gateway(self, gateway_payment_id: str, gateway: str = "stripe") -> Answer | None:
        """The payment that was recorded of a gateway's, once it is."""
        try:
            return self.get(f"/payments/by-gateway/{safe(gateway)}/{safe(gateway_payment_id)}")
        except NotFound:
            return None

    def record(self, body: Answer, key: str) -> Answer:
        """With `check_duplicates` it is refused when it looks recorded already: `probable_duplicates`."""
        return self.post("/payments", body, key)

    def record_many(self, csv: bytes, query: Query, key: str) -> Answer:
        """All of a CSV's payments, or none: {batch_id, count, total_minor}; query expected_total_minor,
        allow_duplicates, check_repeats."""
        headers = {"Content-Type": "text/csv", "Idempotency-Key": key}
        answer = self.ask(
            "POST", "/payments/batch", data=csv, headers=headers, params=query, timeout_seconds=MANY_SECONDS
        )
        return dict(answer.json())

    def preview_many(self, csv: bytes) -> Answer:
        """What recording them would find: {count, total_minor, rows}."""
        headers = {"Content-Type": "text/csv"}
        answer = self.ask(
            "POST", "/payments/batch/preview", data=csv, headers=headers, scope=self.reads,
            timeout_seconds=MANY_SECONDS,
        )  # fmt: skip
        return dict(answer.json())

    def batch(self, batch_id: str) -> Answer:
        """What was recorded together, and what of it is undone."""
        return self.get(f"/payments/batch/{safe(batch_id)}")

    def undo_batch(self, batch_id: str) -> Answer:
        return self.post(f"/payments/batch/{safe(batch_id)}/undo", timeout_seconds=MANY_SECONDS)

    def void(self, payment_id: str, reason: str, key: str | None = None) -> Answer:
        return self.post(f"/payments/{safe(payment_id)}/void", {"reason": reason}, key)

    def refunds(self, payment_id: str) -> list[Answer]:
        return self.items(f"/payments/{safe(payment_id)}/refunds")

    def refund(self, payment_id: str, body: Answer, key: str) -> Answer:
        return self.post(f"/payments/{safe(payment_id)}/refunds", body, key, scope="payments:refund")

    def disputes(self, payment_id: str) -> list[Answer]:
        return self.items(f"/payments/{safe(payment_id)}/disputes")

    def receipt(self, payment_id: str, revision: int | None = None) -> Answer:
        return self.get(f"/payments/{safe(payment_id)}/receipt", {"revision": revision})

    def receipt_pdf(self, payment_id: str) -> requests.Response:
        return self.file(f"/payments/{safe(payment_id)}/receipt.pdf")

    def email_receipt(self, payment_id: str, to: str | None, key: str | None = None) -> Answer:
        """To the client's own address unless told."""
        return self.post(f"/payments/{safe(payment_id)}/receipt/email", {"to": to} if to else {}, key)

    def unmatched(self, query: Query) -> Answer:
        return self.get("/unmatched", query)

    def unmatched_one(self, unmatched_id: str) -> Answer:
        return self.get(f"/unmatched/{safe(unmatched_id)}")

    def assign(self, unmatched_id: str, body: Answer, key: str) -> Answer:
        return self.post(f"/unmatched/{safe(unmatched_id)}/assign", body, key)

    def forget_payer(self, gateway: str, payer_id: str) -> None:
        self.delete(f"/remembered-payers/{safe(gateway)}/{safe(payer_id)}")

    def pending(self, query: Query) -> Answer:
        """Money that gateways announced and that is not certain yet."""
        return self.get("/payments/pending", query)

    def waiting(self, query: Query) -> Answer:
        """What gateways told that is not part of a payment yet, and why."""
        return self.get("/payments/waiting", query)

    def revenue(self, query: Query) -> Answer:
        """Gross, refunded, withdrawn and net; query from, to, by (day, week, month, method, source)."""
        return self.get("/revenue", query)

    def revenue_csv(self, query: Query) -> requests.Response:
        return self.file("/revenue", query, "text/csv")
