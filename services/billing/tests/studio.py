"""One business with a service and a client, as the tests of sessions, invoices and schedules use it."""

from datetime import date
from typing import Any

from billing.reports import books
from common.events.payments import (
    PaymentFundsReinstated,
    PaymentFundsWithdrawn,
    PaymentRecorded,
    PaymentRefunded,
    PaymentRefundReversed,
    PaymentVoided,
    RefundAbandoned,
    RefundRequested,
)
from common.testing import ServiceUnderTest

AT = "2026-03-02T15:00:00+13:00"


class Studio:
    """One business with a service and a client."""

    def __init__(self, billing: ServiceUnderTest, path: str, **control: Any) -> None:
        self.billing, self.path, self._payments = billing, path, 0
        if control:
            assert self.call("PATCH", "", {"session_control": control}).status_code == 200
        self.client_id = self.client("Ada")
        body = {"name": "Piano", "price_minor": 3000, "duration_minutes": 45}
        self.service_id = self.call("POST", "/services", body).json["id"]

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        return self.billing.call(method, self.path + path, body, **options)

    def client(self, name: str, **more: Any) -> str:
        return str(self.call("POST", "/clients", {"name": name, **more}).json["id"])

    def pay(self, amount_minor: int, client_id: str = "", **more: Any) -> str:
        """Money received, as billing hears of it; answers the payment's id."""
        self._payments += 1
        payment_id = f"payment-{self._payments}"
        self.billing.take(
            PaymentRecorded(
                **self._facts(payment_id, amount_minor, client_id),
                source="manual",
                received_on=date(2026, 3, 1),
                **more,
            )
        )
        return payment_id

    def refund(self, payment_id: str, amount_minor: int, refund_id: str = "refund", client_id: str = "") -> None:
        """Money given back, as billing hears of it."""
        self.billing.take(
            PaymentRefunded(
                **self._facts(payment_id, amount_minor, client_id), refund_id=f"{refund_id}-{payment_id}",
                refunded_on=date(2026, 3, 2), refunded_total_minor=amount_minor, reason="x",
            )
        )  # fmt: skip

    def void_payment(self, payment_id: str, amount_minor: int) -> None:
        self.billing.take(
            PaymentVoided(**self._facts(payment_id, amount_minor, ""), voided_on=date(2026, 3, 2), reason="x")
        )

    def reverse_refund(self, payment_id: str, amount_minor: int, refund_id: str = "refund") -> None:
        """A refund that came back."""
        self.billing.take(
            PaymentRefundReversed(
                **self._facts(payment_id, amount_minor, ""), refund_id=f"{refund_id}-{payment_id}",
                reversed_on=date(2026, 3, 3), refunded_total_minor=0, reason="x",
            )
        )  # fmt: skip

    def withdraw(self, payment_id: str, amount_minor: int, movement_id: str = "txn_1") -> None:
        """Money of a disputed payment, taken back by the bank."""
        self.billing.take(PaymentFundsWithdrawn(**self._funds(payment_id, amount_minor, movement_id)))

    def reinstate(self, payment_id: str, amount_minor: int, movement_id: str = "txn_2") -> None:
        """Money of a disputed payment, given back by the bank."""
        self.billing.take(PaymentFundsReinstated(**self._funds(payment_id, amount_minor, movement_id)))

    def _funds(self, payment_id: str, amount_minor: int, movement_id: str) -> dict[str, Any]:
        return {
            **self._facts(payment_id, amount_minor, ""), "movement_id": movement_id, "moved_on": date(2026, 3, 4),
            "withdrawn_total_minor": amount_minor,
        }  # fmt: skip

    def request_refund(self, payment_id: str, amount_minor: int, refund_id: str = "refund") -> None:
        """A gateway is to give money back."""
        self.billing.take(
            RefundRequested(
                **self._under_way(payment_id, amount_minor, refund_id), gateway="stripe", gateway_account="acct_1",
                gateway_payment_id="pi_1",
            )
        )  # fmt: skip

    def abandon_refund(self, payment_id: str, amount_minor: int, refund_id: str = "refund") -> None:
        """It will not give it back."""
        self.billing.take(RefundAbandoned(**self._under_way(payment_id, amount_minor, refund_id)))

    def _under_way(self, payment_id: str, amount_minor: int, refund_id: str) -> dict[str, Any]:
        return {
            "business_id": self.path.rsplit("/", 1)[1], "refund_id": f"{refund_id}-{payment_id}",
            "payment_id": payment_id, "client_id": self.client_id, "amount_minor": amount_minor, "currency": "USD",
            "reason": "x",
        }  # fmt: skip

    def _facts(self, payment_id: str, amount_minor: int, client_id: str) -> dict[str, Any]:
        return {
            "business_id": self.path.rsplit("/", 1)[1], "client_id": client_id or self.client_id,
            "payment_id": payment_id, "amount_minor": amount_minor, "currency": "USD", "method": "cash",
            "receipt_number": 1, "receipt_revision": 1,
        }  # fmt: skip

    def add(self, starts_at: str = AT, **more: Any) -> Any:
        body = {"client_id": self.client_id, "service_id": self.service_id, "starts_at": starts_at, **more}
        return self.call("POST", "/sessions", body)

    def balance(self) -> dict[str, Any]:
        return dict(self.call("GET", f"/clients/{self.client_id}/balance").json)

    def figures(self) -> tuple[int, int, int]:
        found = self.balance()
        return found["balance_minor"], found["reserved_minor"], found["available_minor"]

    def invoice(self, *lines: int, **more: Any) -> Any:
        """Make an invoice of ad hoc lines with these amounts."""
        named = [{"description": f"Line {n}", "amount_minor": amount_minor} for n, amount_minor in enumerate(lines, 1)]
        return self.call("POST", "/invoices", {"client_id": self.client_id, "lines": named, **more})

    def done(self, starts_at: str = AT, outcome: str = "complete", **more: Any) -> str:
        """A session that was held; answers its id."""
        session_id = str(self.add(starts_at, **more).json["id"])
        assert self.call("POST", f"/sessions/{session_id}/{outcome}").status_code == 200
        return session_id

    def shown(self, reference: str) -> dict[str, Any]:
        return dict(self.call("GET", f"/invoices/{reference}").json)

    def state(self, reference: str) -> tuple[str, int]:
        found = self.shown(reference)
        return found["status"], found["paid_minor"]

    def prove(self) -> dict[str, list[str]]:
        """What billing's own checks find wrong."""
        business_id = self.path.rsplit("/", 1)[1]
        with self.billing.runtime.database.snapshot() as session:
            found = {name: list(check(session, business_id)) for name, check in books.CHECKS.items()}
        return {name: sentences for name, sentences in found.items() if sentences}
