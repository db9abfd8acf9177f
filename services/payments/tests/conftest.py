"""The payments service with one business and three clients that it has heard of."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common import clock
from common.events.billing import BusinessRegistered, ClientRegistered
from common.testing import ServiceUnderTest

B = "/v1/businesses/b1"


def payment_row(**facts: Any) -> dict[str, Any]:
    """A row of `payments` as recording one by hand writes it, for tests that write the table themselves; the facts
    name its `payment_id`."""
    return {
        "business_id": "b1", "client_id": "ada", "client_name": "Ada", "amount_minor": 1, "refunded_minor": 0,
        "refund_pending_minor": 0, "disputed_minor": 0, "currency": "USD", "method": "cash", "source": "manual",
        "received_on": clock.today("UTC"), "recorded_at": clock.now(), "recorded_by_type": "staff",
        "recorded_by_id": "s1", "recorded_by_name": "Sam", "receipt_revision": 1, **facts,
    }  # fmt: skip


@pytest.fixture
def payments(tmp_path: Path) -> Iterator[ServiceUnderTest]:
    subject = ServiceUnderTest("payments", tmp_path)
    subject.take(
        BusinessRegistered(business_id="b1", name="Studio", currency="USD", time_zone="Pacific/Auckland"),
        BusinessRegistered(business_id="b2", name="Other", currency="EUR", time_zone="Europe/Berlin"),
        ClientRegistered(
            business_id="b1", client_id="ada", name="Ada Byron", email="ada@example.com", external_ref="C-1"
        ),
        ClientRegistered(business_id="b1", client_id="sam1", name="Sam Twin", email="sam@example.com"),
        ClientRegistered(business_id="b1", client_id="sam2", name="Sam Twin", email="Sam@example.com"),
        ClientRegistered(business_id="b2", client_id="eve", name="Eve", email="eve@example.com"),
    )
    yield subject
    subject.close()


@pytest.fixture
def payments_on_postgresql(postgresql_url: str, tmp_path: Path) -> Iterator[ServiceUnderTest]:
    """As `payments`, with fewer clients; for tests that are marked `broker`."""
    subject = ServiceUnderTest("payments", tmp_path, DATABASE_URL=postgresql_url)
    subject.take(
        BusinessRegistered(business_id="b1", name="Studio", currency="USD", time_zone="UTC"),
        ClientRegistered(business_id="b1", client_id="ada", name="Ada Byron"),
        ClientRegistered(business_id="b1", client_id="sam1", name="Sam Twin"),
    )
    yield subject
    subject.close()
