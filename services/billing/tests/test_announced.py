"""Money that gateways announced: beside the balance, in no sum, whatever the order in which it is told."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from common.events import Event
from common.events.gateways import GatewayPaymentFailed, GatewayPaymentPending, GatewayPaymentSucceeded
from common.events.payments import PaymentRecorded
from common.testing import ServiceUnderTest

AT = datetime(2026, 3, 14, 15, tzinfo=UTC)


@pytest.fixture
def place(billing: ServiceUnderTest) -> tuple[str, str]:
    body = {"name": "Studio", "currency": "USD", "time_zone": "UTC"}
    business_id = billing.call("POST", "/v1/businesses", body).json["id"]
    return business_id, billing.call("POST", f"/v1/businesses/{business_id}/clients", {"name": "Ada"}).json["id"]


def told(place: tuple[str, str], payment_id: str) -> dict[str, Any]:
    return {
        "business_id": place[0], "gateway": "paypal", "gateway_account": "M1", "gateway_payment_id": payment_id,
        "client_id": place[1],
    }  # fmt: skip


def money(place: tuple[str, str], payment_id: str, **more: Any) -> dict[str, Any]:
    facts = {"amount_minor": 4500, "currency": "USD", "method": "paypal", "source": "paypal", "happened_at": AT}
    return {**told(place, payment_id), **facts, **more}


def figures(billing: ServiceUnderTest, place: tuple[str, str]) -> tuple[int, int, int]:
    shown = billing.call("GET", f"/v1/businesses/{place[0]}/clients/{place[1]}/balance").json
    return shown["balance_minor"], shown["available_minor"], shown["provisional_minor"]


def test_an_echeck_is_beside_the_balance_until_it_clears(billing: ServiceUnderTest, place: tuple[str, str]) -> None:
    billing.take(GatewayPaymentPending(**money(place, "T1"), reason="echeck"))
    billing.take(GatewayPaymentPending(**money(place, "T2", currency="EUR"), reason="echeck"))
    billing.take(GatewayPaymentPending(**money(place, "T3", client_id=None), reason="echeck"))
    assert figures(billing, place) == (0, 0, 4500)
    billing.take(GatewayPaymentSucceeded(**money(place, "T1")))
    assert figures(billing, place) == (0, 0, 0)  # payments tells what is to be posted


@pytest.mark.parametrize("end", ["succeeded", "failed"])
def test_any_order_ends_the_same(billing: ServiceUnderTest, place: tuple[str, str], end: str) -> None:
    for number, order in enumerate(permutations(range(3))):
        payment_id = f"{end}-{number}"
        last: Event = (
            GatewayPaymentSucceeded(**money(place, payment_id))
            if end == "succeeded"
            else GatewayPaymentFailed(**told(place, payment_id), code="failed", reason="bounced")
        )
        events = [
            GatewayPaymentPending(**money(place, payment_id), reason="echeck"), last,
            GatewayPaymentPending(**money(place, payment_id, happened_at=AT - timedelta(days=1)), reason="echeck"),
        ]  # fmt: skip
        for which in order:
            billing.take(events[which])
    assert figures(billing, place) == (0, 0, 0)


def test_announced_money_opens_no_gate(billing: ServiceUnderTest, place: tuple[str, str]) -> None:
    path = f"/v1/businesses/{place[0]}"
    control = {"session_control": {"prepayment_required": True, "threshold_minor": 3000}}
    assert billing.call("PATCH", path, control).status_code == 200
    service = {"name": "Lesson", "price_minor": 2000, "duration_minutes": 45}
    service_id = billing.call("POST", f"{path}/services", service).json["id"]
    session = {"client_id": place[1], "service_id": service_id, "starts_at": "2031-03-02T15:00:00Z"}
    billing.take(GatewayPaymentPending(**money(place, "T1"), reason="echeck"))
    refused = billing.call("POST", f"{path}/sessions", session)
    assert (refused.status_code, refused.json["shortfall_minor"]) == (409, 3000)
    billing.take(
        PaymentRecorded(
            business_id=place[0], client_id=place[1], payment_id="p1", amount_minor=4500, currency="USD",
            method="paypal", source="paypal", received_on=AT.date(), receipt_number=1, receipt_revision=1,
        )
    )  # fmt: skip
    assert billing.call("POST", f"{path}/sessions", session).status_code == 201
