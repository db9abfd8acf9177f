"""A service that brings pages instead of an API: each page says whom it is for, and every form is guarded."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask

from common import service as services
from common.testing import ServiceUnderTest

HEALTH = {"/healthz", "/readyz", "/metrics"}
# What anybody may open: each checks what it was given, a password or a signature.
OPEN = {
    "/", "/sign-in", "/sign-in/choice", "/sign-out", "/forgot", "/welcome", "/help/signing-in", "/pay", "/pay/done",
    "/pay/paypal", "/pay/paypal/back", "/pay/paypal/cancelled",
}  # fmt: skip
# What programs post to instead of forms: each looks at a secret of its own, and at no cookie.
PROGRAMS = {"/oauth/token"}
SCREENS = [name for name in services.names() if services.find(name).make_app is not None]


@pytest.fixture(scope="module", params=SCREENS)
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    found = ServiceUnderTest(request.param, tmp_path_factory.mktemp(request.param))
    yield found.app
    found.close()


def test_every_page_is_open_by_name_or_asks_who_it_is(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        if rule.rule in HEALTH or rule.endpoint == "static":
            continue
        roles = app.view_functions[rule.endpoint].roles  # type: ignore[attr-defined]
        assert bool(roles) == (rule.rule not in OPEN | PROGRAMS), rule.rule
        if roles and "GET" in (rule.methods or ()):
            answer = app.test_client().get(re.sub(r"<[^>]+>", "some-id", rule.rule))
            assert answer.status_code == 303, rule.rule
            assert answer.headers["Location"].startswith("/sign-in?next=")


def test_only_what_is_named_here_is_taken_without_a_form(app: Flask) -> None:
    views = app.view_functions
    found = {rule.rule for rule in app.url_map.iter_rules() if getattr(views[rule.endpoint], "for_programs", False)}
    assert found == PROGRAMS
    for path in PROGRAMS:
        answer = app.test_client().post(path, data={"grant_type": "client_credentials"})
        assert answer.status_code == 401, path
        assert "Set-Cookie" not in answer.headers


def test_no_form_is_taken_without_its_token(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        if rule.rule in PROGRAMS:
            continue
        for method in (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}:
            path = re.sub(r"<[^>]+>", "some-id", rule.rule)
            assert app.test_client().open(path, method=method).status_code == 403, path
            forged = app.test_client().open(path, method=method, data={"csrf": "x" * 86})
            assert forged.status_code == 403, path


def test_health_is_open_and_metrics_are_local(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/healthz").get_json()["status"] == "ok"
    assert client.get("/readyz").get_json()["checks"]["database"] == "ok"
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "10.0.0.9"}).status_code == 401
    assert client.get("/metrics", headers={"X-Forwarded-For": "10.0.0.9"}).status_code == 401
    assert client.get("/nothing").status_code == 404
