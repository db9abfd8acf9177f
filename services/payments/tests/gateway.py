"""What the tests of gateway money share: the events of one payment at Stripe, as its gateway tells them."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from common.events.gateways import (
    GatewayDisputeClosed,
    GatewayDisputeOpened,
    GatewayFeeKnown,
    GatewayFundsReinstated,
    GatewayFundsWithdrawn,
    GatewayPaymentFailed,
    GatewayPaymentPending,
    GatewayPaymentSucceeded,
    GatewayRefundFailed,
    GatewayRefundSucceeded,
)
from common.testing import ServiceUnderTest
from payments.models import WaitingFact

B = "/v1/businesses/b1"
AT = datetime(2026, 3, 14, 15, 0, tzinfo=UTC)  # already the 15th in Auckland


class Told:
    """Tells of the payment `id` of 100.00 at Stripe."""

    def __init__(self, id_: str = "pi_1") -> None:
        self.id = id_
        self._at = {"business_id": "b1", "gateway": "stripe", "gateway_account": "acct_1", "gateway_payment_id": id_}

    def _money(self, more: dict[str, Any]) -> dict[str, Any]:
        facts = {
            "amount_minor": 10000, "currency": "USD", "client_id": "ada", "method": "card", "source": "client",
            "happened_at": AT,
        }  # fmt: skip
        return {**self._at, **facts, **more}

    def pending(self, **more: Any) -> GatewayPaymentPending:
        return GatewayPaymentPending(**self._money({"reason": "processing", **more}))

    def succeeded(self, **more: Any) -> GatewayPaymentSucceeded:
        return GatewayPaymentSucceeded(**self._money(more))

    def failed(self, **more: Any) -> GatewayPaymentFailed:
        return GatewayPaymentFailed(**self._at, code="card_declined", reason="The card was declined.", **more)

    def fee(self, fee_minor: int, currency: str | None = None) -> GatewayFeeKnown:
        return GatewayFeeKnown(**self._at, fee_minor=fee_minor, currency=currency)

    def _refund(self, id_: str, amount_minor: int, refund_id: str | None, currency: str) -> dict[str, Any]:
        return {
            **self._at, "gateway_refund_id": id_, "refund_id": refund_id, "amount_minor": amount_minor,
            "currency": currency, "happened_at": AT, "reason": "requested_by_customer",
        }  # fmt: skip

    def refunded(
        self, id_: str, amount_minor: int, refund_id: str | None = None, currency: str = "USD"
    ) -> GatewayRefundSucceeded:
        return GatewayRefundSucceeded(**self._refund(id_, amount_minor, refund_id, currency))

    def refund_failed(self, id_: str, amount_minor: int, refund_id: str | None = None) -> GatewayRefundFailed:
        return GatewayRefundFailed(**self._refund(id_, amount_minor, refund_id, "USD"))

    def disputed(self, id_: str = "dp_1", amount_minor: int = 5000) -> GatewayDisputeOpened:
        facts = {"gateway_dispute_id": id_, "amount_minor": amount_minor, "reason": "fraudulent", "happened_at": AT}
        return GatewayDisputeOpened(**self._at, **facts)

    def closed(self, outcome: str, id_: str = "dp_1") -> GatewayDisputeClosed:
        facts: dict[str, Any] = {"gateway_dispute_id": id_, "outcome": outcome, "happened_at": AT}
        return GatewayDisputeClosed(**self._at, **facts)

    def _funds(self, id_: str, amount_minor: int) -> dict[str, Any]:
        return {
            **self._at, "gateway_dispute_id": "dp_1", "gateway_movement_id": id_, "amount_minor": amount_minor,
            "currency": "USD", "happened_at": AT,
        }  # fmt: skip

    def withdrawn(self, id_: str = "txn_1", amount_minor: int = 5000) -> GatewayFundsWithdrawn:
        return GatewayFundsWithdrawn(**self._funds(id_, amount_minor))

    def reinstated(self, id_: str = "txn_2", amount_minor: int = 5000) -> GatewayFundsReinstated:
        return GatewayFundsReinstated(**self._funds(id_, amount_minor))


def found(payments: ServiceUnderTest, told: Told) -> dict[str, Any]:
    """The payment as the API shows it."""
    return dict(payments.call("GET", f"{B}/payments/by-gateway/stripe/{told.id}").json)


def reasons(payments: ServiceUnderTest) -> list[str]:
    """Why facts wait."""
    with payments.runtime.database.read() as session:
        return list(session.scalars(select(WaitingFact.reason).order_by(WaitingFact.fact)))
