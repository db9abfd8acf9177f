"""Every endpoint of every service, found through its OpenAPI document, refuses whom it must."""

import re
from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from common import auth
from common import service as services
from common.testing import ServiceUnderTest

OPEN = {"/healthz", "/readyz", "/metrics"}
# Gateways call these; each finds out by itself who sent it.
CALLBACKS = ("/webhooks/", "/ipn/")


# A service with screens instead of an API is tried in test_screens.
APIS = [name for name in services.names() if services.find(name).make_app is None]


@pytest.fixture(scope="module", params=APIS)
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceUnderTest]:
    found = ServiceUnderTest(request.param, tmp_path_factory.mktemp(request.param))
    yield found
    found.close()


def document(subject: ServiceUnderTest) -> dict[str, Any]:
    return dict(subject.app.test_client().get("/openapi/openapi.json").json)


def endpoints(subject: ServiceUnderTest) -> list[tuple[str, str]]:
    """(method, path) of everything documented, with ids filled in."""
    return [
        (method.upper(), re.sub(r"\{(\w+)\}", lambda match: {"business_id": "b1"}.get(match[1], "some-id"), path))
        for path, operations in document(subject)["paths"].items()
        for method in operations
        if not path.startswith(CALLBACKS)
    ]


def status(subject: ServiceUnderTest, method: str, path: str, header: str | None) -> int:
    headers = {} if header is None else {"Authorization": header}
    return int(subject.app.test_client().open(path, method=method, headers=headers, json={}).status_code)


def test_every_route_is_documented_and_has_rules(subject: ServiceUnderTest) -> None:
    documented = {re.sub(r"\{\w+\}", "{}", path) for path in document(subject)["paths"]}
    for rule in subject.app.url_map.iter_rules():
        if rule.rule in OPEN or rule.rule.startswith(("/openapi", *CALLBACKS)):
            continue
        assert re.sub(r"<[^>]+>", "{}", rule.rule) in documented, f"{rule.rule} is not documented"
        assert hasattr(subject.app.view_functions[rule.endpoint], "rules"), f"{rule.rule} asks for no scope"
    assert len(documented) >= 3
    assert {"/v1/operations/state", "/v1/operations/inbox", "/v1/operations/jobs"} <= documented


def test_without_a_good_token_nothing_answers(subject: ServiceUnderTest) -> None:
    claims = {"sub": "x", "aud": "remit", "exp": 9e9, "jti": "1", "scope": "operator", "business": "*"}
    good = subject.token()
    headers = [
        None,
        "Bearer",
        "Basic b3A6b3A=",
        f"Bearer {subject.token(ttl=-120)}",
        f"Bearer {jwt.encode(claims, None, algorithm='none')}",
        f"Bearer {good[:-8]}AAAAAAAA",
    ]
    for method, path in endpoints(subject):
        for header in headers:
            assert status(subject, method, path, header) == 401, (method, path, header)


def test_without_the_scope_nothing_answers(subject: ServiceUnderTest) -> None:
    for method, path in endpoints(subject):
        assert status(subject, method, path, f"Bearer {subject.token(scope='')}") == 403, (method, path)
        if method != "GET":
            readers = "payments:read billing:read notifications:read gateway:read events:read"
            expected = {403} if not path.endswith(("/lookup", "/preview")) else {404, 422}
            assert status(subject, method, path, f"Bearer {subject.token(scope=readers)}") in expected, (method, path)


def test_another_business_is_not_there(subject: ServiceUnderTest) -> None:
    for method, path in endpoints(subject):
        if "/b1" in path:
            header = f"Bearer {subject.token(business='b2')}"
            assert status(subject, method, path, header) == 404, (method, path)


def test_operations_are_for_those_who_operate_all_of_it(subject: ServiceUnderTest) -> None:
    """Whatever else a token may: staff, clients and teams of a business never get there."""
    operated = [(method, path) for method, path in endpoints(subject) if path.startswith("/v1/operations/")]
    assert len(operated) == 7
    both = "operations:read operations:write"
    everything_else = " ".join(scope for scope in auth.SCOPES if scope not in auth.OPERATING)
    client = {"type": "client", "id": "c1", "name": "Ada"}
    for method, path in operated:
        for token, expected in (
            (subject.token(both, "b1"), 403),
            (subject.token("operator", "b1"), 403),
            (subject.token(everything_else, "*"), 403),
            (subject.token(both, "*", client), 401),
        ):
            assert status(subject, method, path, f"Bearer {token}") == expected, (method, path)
        good = status(subject, method, path, f"Bearer {subject.token(both)}")
        assert good in (200, 404, 422), (method, path, good)


def test_health_and_documents_are_open_and_metrics_are_local(subject: ServiceUnderTest) -> None:
    client = subject.app.test_client()
    assert client.get("/healthz").json["status"] == "ok"
    assert client.get("/readyz").json["checks"]["database"] == "ok"
    assert client.get("/openapi/swagger").status_code == 200
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "10.0.0.9"}).status_code == 401
    assert client.get("/metrics", headers={"X-Forwarded-For": "10.0.0.9"}).status_code == 401
    assert client.get("/nothing").status_code == 404
    assert client.get("/nothing").content_type == "application/problem+json"


# Where a browser is sent, and what stands in a mail.
FOR_PEOPLE = {"return_url", "cancel_url", "pay_url"}


def test_nobody_says_whom_remit_calls(subject: ServiceUnderTest) -> None:
    """The addresses that services call are configuration: no request brings one."""
    bodies = [
        schema
        for operations in document(subject)["paths"].values()
        for operation in operations.values()
        for schema in operation.get("requestBody", {}).get("content", {}).values()
    ]
    named = set(re.findall(r"#/components/schemas/(\w+)", str(bodies)))
    schemas = document(subject)["components"]["schemas"]
    fields = {field for name in named for field in schemas[name].get("properties", {})}
    assert {field for field in fields if re.search("url|uri|host|endpoint|address", field)} <= FOR_PEOPLE
