"""Values that no database column holds are refused where they come in, on the stricter of the two databases."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from common.testing import ServiceUnderTest
from common.web.paging import encode_cursor
from tests.contracts.apis import APIS, acquaint

NUL = "a\0b"
NUMBERS = [2**31, 2**63, 2**64, -(2**63) - 1]
PLACES = [[NUL], [2**63], *([first, "x"] for first in (NUL, 2**31, 2**63)), [NUL] * 3, [NUL] * 4]

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
    query = "" if f"{{{name}}}" in path else f"?{name}={quote(str(value), safe='&=')}"
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
    assert tried > 10


@pytest.mark.parametrize("subject", ["billing"], indirect=True)
@pytest.mark.parametrize("field", ["ids", "emails", "external_refs", "names"])
def test_no_text_of_a_body_holds_nul(subject: ServiceUnderTest, field: str) -> None:
    business = f"/v1/businesses/{acquaint(subject)['business_id']}"
    answer = subject.call("POST", f"{business}/clients/lookup", {field: ["x", NUL]})
    assert (answer.status_code, f"{field} holds" in answer.json["detail"]) == (422, True), answer.json


def test_numbers_are_bounded(subject: ServiceUnderTest) -> None:
    ids = acquaint(subject)
    for method, path, operation in operations(subject):
        for parameter in operation.get("parameters", []):
            if "integer" in str(parameter["schema"]):
                for number in NUMBERS:
                    answer = ask(subject, ids, method, path, operation, parameter["name"], number)
                    assert answer.status_code < 500, (method, path, parameter["name"], number)


def test_places_in_lists_are_bounded(subject: ServiceUnderTest) -> None:
    """A cursor is ours, and anybody can write one."""
    ids = acquaint(subject)
    for method, path, operation in operations(subject):
        schemas = {parameter["name"]: parameter["schema"] for parameter in operation.get("parameters", [])}
        for order in schemas.get("sort", {}).get("enum", [None]) if "cursor" in schemas else []:
            for place in PLACES:
                cursor = encode_cursor(place) + (f"&sort={order}" if order else "")
                answer = ask(subject, ids, method, path, operation, "cursor", cursor)
                assert answer.status_code < 500, (path, order, place)


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
