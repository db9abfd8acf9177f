"""The billing service, and one business in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.testing import ServiceUnderTest


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
