"""What gateways tell, through payments into billing: whatever the order on either way, the books agree."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.events import Event
from common.testing import ServiceUnderTest
from services.payments.tests.gateway import Told
from tests.contracts.passed_on import assert_books_prove, meant_for

System = tuple[ServiceUnderTest, ServiceUnderTest]


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    found = ServiceUnderTest("payments", tmp_path / "payments"), ServiceUnderTest("billing", tmp_path / "billing")
    yield found
    for subject in found:
        subject.close()


class GatewayOf(Told):
    """Tells of a payment of one client of one business."""

    def __init__(self, id_: str, business_id: str, client_id: str) -> None:
        super().__init__(id_)
        self._at["business_id"] = business_id
        self._client_id = client_id

    def everything(self, refund_id: str | None) -> list[Event]:
        return [
            self.succeeded(client_id=self._client_id), self.refunded("re_ours", 2000, refund_id),
            self.refunded("re_site", 1000), self.refund_failed("re_bad", 500), self.disputed(amount_minor=7000),
            self.withdrawn(amount_minor=7000), self.closed("won"), self.reinstated(amount_minor=4000),
        ]  # fmt: skip


def setting(system: System) -> tuple[str, str]:
    """A business and a client that both services know."""
    payments, billing = system
    body = {"name": "Studio", "currency": "USD", "time_zone": "UTC"}
    business_id = billing.call("POST", "/v1/businesses", body).json["id"]
    path = f"/v1/businesses/{business_id}"
    client_id = billing.call("POST", f"{path}/clients", {"name": "Ada"}).json["id"]
    payments.take(*meant_for("payments", billing, business_id))
    return business_id, client_id


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_books_agree_whatever_the_order(system: System, data: st.DataObject) -> None:
    payments, billing = system
    business_id, client_id = setting(system)
    gateway = GatewayOf("pi_1", business_id, client_id)
    payments.take(gateway.succeeded(client_id=client_id))
    path = f"/v1/businesses/{business_id}"
    payment_id = payments.call("GET", f"{path}/payments/by-gateway/stripe/pi_1").json["id"]
    refund = {"amount_minor": 2000, "reason": "late"}
    refund_id = payments.call("POST", f"{path}/payments/{payment_id}/refunds", refund).json["refund_id"]
    for event in data.draw(st.permutations(gateway.everything(refund_id))):
        payments.take(event)
    told = data.draw(st.permutations(meant_for("billing", payments, business_id)))
    cut = data.draw(st.integers(0, len(told)))
    billing.take(*told[:cut])
    billing.take(*told[cut:])
    _assert_agreement(system, business_id, client_id, payment_id)


def _assert_agreement(system: System, business_id: str, client_id: str, payment_id: str) -> None:
    payments, billing = system
    assert_books_prove(billing, business_id)
    path = f"/v1/businesses/{business_id}"
    payment: dict[str, Any] = payments.call("GET", f"{path}/payments/{payment_id}").json
    assert (payment["refunded_minor"], payment["disputed_minor"], payment["refund_pending_minor"]) == (3000, 3000, 0)
    balance = billing.call("GET", f"{path}/clients/{client_id}/balance").json
    kept_minor = payment["amount_minor"] - payment["refunded_minor"] - payment["disputed_minor"]
    assert (balance["balance_minor"], balance["available_minor"]) == (kept_minor, kept_minor)
