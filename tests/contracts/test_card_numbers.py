"""No text field of any API takes a card number; every one is tried, through its service's OpenAPI document."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common import service as services
from common.events.billing import BusinessRegistered, ClientRegistered
from common.testing import ServiceUnderTest

APIS = [name for name in services.names() if services.find(name).make_app is None]
# Gateways send these: what they hold is checked where it is translated (payments.domain.gateway).
CALLBACKS = ("/webhooks/", "/ipn/")
CARDS = ("4242 4242 4242 4242", "paid with 5555-5555-5555-4444 by phone", "378282246310005")
# Fields that are no text that people type and Remit keeps: only looked up, sealed when kept, or an address to go to.
NOT_TEXT = {
    "ids.0", "emails.0", "external_refs.0", "names.0", "kind", "key",
    "client_secret", "test_secret_key", "live_secret_key", "test_publishable_key", "live_publishable_key",
    "return_url", "cancel_url", "pay_url", "link",
}  # fmt: skip
# Batches are read by hand, so that a wrong row says its number: their documents do not say what a row is.
CLIENT = {"name": "Ada", "email": "", "phone": "", "external_ref": "", "status": "active", "inactive_on": ""}
PAYMENT = {
    "client_id": "c1", "method": "cash", "received_on": "2026-01-31", "currency": "USD", "invoice_number": "",
    "reference": "", "memo": "",
}  # fmt: skip


@pytest.fixture(scope="module", params=APIS)
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceUnderTest]:
    found = ServiceUnderTest(request.param, tmp_path_factory.mktemp(request.param))
    yield found
    found.close()


def test_no_text_field_takes_one(subject: ServiceUnderTest) -> None:
    document = subject.app.test_client().get("/openapi/openapi.json").json
    tried = 0
    for path, operations in document["paths"].items():
        if path.startswith(CALLBACKS):
            continue
        url = path.replace("{business_id}", "b1").replace("{kind}", "receipt").replace("{", "").replace("}", "")
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {})
            for place, schema in _strings(content.get("application/json", {}).get("schema", {}), document):
                name = ".".join(map(str, place))
                if name in NOT_TEXT or _is_id(schema):
                    continue
                for card in CARDS:
                    answer = subject.call(method.upper(), url, _holding(place, card))
                    wrong = {error["field"] for error in answer.json.get("errors", ())}
                    assert (answer.status_code, name in wrong) == (422, True), (method, path, name, answer.json)
                tried += 1
    assert tried >= 3


def _strings(schema: dict[str, Any], document: dict[str, Any], place: tuple[Any, ...] = ()) -> Iterator[Any]:
    """(where it stands in a body, its schema) of each string."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from _strings(choice, document, place)
    for name, inner in schema.get("properties", {}).items():
        yield from _strings(inner, document, (*place, name))
    if "items" in schema:
        yield from _strings(schema["items"], document, (*place, 0))
    if schema.get("type") == "string":
        yield place, schema


def _is_id(schema: dict[str, Any]) -> bool:
    """Ids are looked up; what is not there is refused."""
    return schema.get("pattern") == r"^[\w-]+$"


def _holding(place: tuple[Any, ...], value: str) -> Any:
    """A body with nothing but this value; what else is missing is refused beside it."""
    found: Any = value
    for name in reversed(place):
        found = [found] if isinstance(name, int) else {name: found}
    return found


def test_no_row_of_a_batch_takes_one(tmp_path: Path) -> None:
    billing, payments = (ServiceUnderTest(name, tmp_path / name) for name in ("billing", "payments"))
    studio = billing.call("POST", "/v1/businesses", {"name": "Studio", "currency": "USD", "time_zone": "UTC"}).json
    payments.take(
        BusinessRegistered(business_id=studio["id"], name="Studio", currency="USD", time_zone="UTC"),
        ClientRegistered(business_id=studio["id"], client_id="c1", name="Ada", email="ada@example.com"),
    )
    try:
        _try_rows(billing, f"/v1/businesses/{studio['id']}/clients/batch", "clients", CLIENT, {})
        paid = {**PAYMENT, "amount_minor": 100}
        _try_rows(payments, f"/v1/businesses/{studio['id']}/payments/batch", "payments", paid, {"amount": "1.00"})
    finally:
        billing.close()
        payments.close()


def _try_rows(subject: ServiceUnderTest, url: str, key: str, row: dict[str, Any], more: dict[str, str]) -> None:
    """With a card number in each of a row's fields, as JSON and as CSV, which has columns of its own (`more`)."""
    for field in (field for field in row if not field.endswith(("_id", "_minor"))):
        for card in CARDS:
            answer = subject.call("POST", url, {key: [{**row, field: card}]})
            assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, field), answer.json
            cells = {name: value for name, value in row.items() if not name.endswith("_minor")} | more | {field: card}
            header = ",".join(cells).replace("client_id", "client")
            answer = subject.call("POST", url, csv=f"{header}\n{','.join(map(str, cells.values()))}\n")
            assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, field), answer.json
