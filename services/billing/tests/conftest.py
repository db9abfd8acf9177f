"""The billing service, and one business in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.testing import ServiceUnderTest
from services.billing.tests.studio import Studio


@pytest.fixture
def billing(tmp_path: Path) -> Iterator[ServiceUnderTest]:
    subject = ServiceUnderTest("billing", tmp_path)
    yield subject
    subject.close()


@pytest.fixture
def business(billing: ServiceUnderTest) -> dict[str, Any]:
    body = {"name": "Studio", "currency": "USD", "time_zone": "Pacific/Auckland"}
    return dict(billing.call("POST", "/v1/businesses", body).json)


@pytest.fixture
def path(business: dict[str, Any]) -> str:
    return f"/v1/businesses/{business['id']}"


@pytest.fixture
def studio(billing: ServiceUnderTest, path: str) -> Studio:
    """With pre-payment of 30.00 and reservation."""
    return Studio(billing, path, prepayment_required=True, threshold_minor=3000, reserve_scheduled=True)


@pytest.fixture
def open_studio(billing: ServiceUnderTest, path: str) -> Iterator[Studio]:
    """Without a gate; its books must be right at the end."""
    studio = Studio(billing, path)
    yield studio
    assert studio.prove() == {}
