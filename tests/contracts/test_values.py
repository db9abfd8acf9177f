"""Values that no database column holds are refused where they come in, on the stricter of the two databases."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from common.testing import ServiceUnderTest
from tests.contracts.apis import APIS, acquaint

NUL = "a\0b"

pytestmark = pytest.mark.broker


@pytest.fixture(params=APIS)
def subject(request: pytest.FixtureRequest, tmp_path: Path, postgresql_url: str) -> Iterator[ServiceUnderTest]:
    found = ServiceUnderTest(request.param, tmp_path, DATABASE_URL=postgresql_url)
    yield found
    found.close()


def operations(subject: ServiceUnderTest) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(method, path, its definition) of all that the service's document names."""
    document = subject.app.test_client().get("/openapi/openapi.json").get_json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def ask(
    subject: ServiceUnderTest, ids: dict[str, str], method: str, path: str, operation: dict[str, Any], name: str,
    value: Any,
) -> Any:  # fmt: skip
    """With this value of one parameter, and of the others only those that the path needs."""
    in_path = [found["name"] for found in operation["parameters"] if found["in"] == "path"]
    given = {found: ids.get(found, "x") for found in in_path} | {name: value}
    query = "" if f"{{{name}}}" in path else f"?{name}={quote(str(value))}"
    for key, part in given.items():
        path = path.replace(f"{{{key}}}", quote(str(part)))
    return subject.call(method, path + query)


def test_no_text_holds_nul(subject: ServiceUnderTest) -> None:
    ids, tried = acquaint(subject), 0
    for method, path, operation in operations(subject):
        for parameter in operation.get("parameters", []):
            answer = ask(subject, ids, method, path, operation, parameter["name"], NUL)
            assert (answer.status_code, answer.json["code"]) == (400, "bad_request"), (method, path, parameter["name"])
            tried += 1
        # Callbacks are for whoever signed them to answer for.
        if path.startswith("/v1/") and "application/json" in operation.get("requestBody", {}).get("content", {}):
            answer = subject.call(method, path, {"name": [NUL]})
            assert answer.status_code == 400, (method, path)
    assert tried > 10


@pytest.mark.parametrize(
    ("subject", "path", "body"),
    [
        ("payments", "/payments", {"client_id": "c1", "amount_minor": 100, "method": "cash"}),
        ("gateway-stripe", "/stripe/charges", {"client_id": "c1", "amount_minor": 100}),
        (
            "gateway-paypal", "/paypal/checkouts",
            {"client_id": "c1", "amount_minor": 100, "return_url": "https://x.example", "cancel_url": "https://x.example"},
        ),
    ],
    indirect=["subject"],
)  # fmt: skip
def test_keys_fit_their_column(subject: ServiceUnderTest, path: str, body: dict[str, Any]) -> None:
    """Also where an operation keeps the key itself, because it calls the outside."""
    business = f"/v1/businesses/{acquaint(subject)['business_id']}"
    for key in ("k" * 256, "k\tk"):
        answer = subject.call("POST", business + path, body, key=key)
        assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_invalid")
