"""TLS in front, with Compose's profile `tls`: the portal and the gateways' callbacks, and nothing else."""

import contextlib
import http.client
import os
import secrets
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from common.testing import free_port_base
from tests.compose.test_compose import OFFSETS, PASSED_ON, Stack, why_no_docker

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(420),
    pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning"),
]

WANTED = ("portal-web", "gateway-stripe-web", "gateway-paypal-web", "proxy")
HTTP, HTTPS = 20, 21  # beside the services' ports


@pytest.fixture(scope="module")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if (reason := why_no_docker()) is not None:
        if os.environ.get("REQUIRE_DOCKER") == "1":
            pytest.fail(f"REQUIRE_DOCKER=1, but no Docker engine answers: {reason}")
        pytest.skip(f"no Docker engine answers: {reason}")
    stack = Stack(f"remit-tls-{secrets.token_hex(4)}", free_port_base())
    stack.environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    stack.environment |= {f"{name}_PORT": str(stack.port_base + offset) for name, offset in OFFSETS.items()}
    stack.environment |= {
        "PORT_BASE": str(stack.port_base),
        "REMIT_VERSION": "tls-test",
        "COMPOSE_PROFILES": "tls",
        "TLS_DIR": str(tmp_path_factory.mktemp("tls")),
        "HTTP_PORT": str(stack.port_base + HTTP),
        "HTTPS_PORT": str(stack.port_base + HTTPS),
    }
    failed_before = request.session.testsfailed
    try:
        stack.compose("up", "--build", "--wait", *WANTED, timeout=360)
        yield stack
    finally:
        if request.session.testsfailed > failed_before:
            print(stack.compose("ps", "-a", check=False))
            print(stack.compose("logs", "--tail", "30", "--no-color", check=False)[-20_000:])
        stack.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", check=False)


def ask(stack: Stack, method: str, path: str, *, port: int = HTTPS, **options: object) -> requests.Response:
    scheme = "https" if port == HTTPS else "http"
    url = f"{scheme}://localhost:{stack.port_base + port}{path}"
    options = {"verify": False, "timeout": 20, "allow_redirects": False, **options}
    return requests.request(method, url, **options)  # type: ignore[arg-type]


def test_the_portal_is_served_with_cookies_that_only_https_carries(stack: Stack) -> None:
    page = ask(stack, "GET", "/sign-in")
    assert page.status_code == 200
    assert "max-age=31536000" in page.headers["Strict-Transport-Security"]
    cookies = page.raw.headers.getlist("Set-Cookie")
    assert cookies
    for cookie in cookies:
        assert cookie.startswith("__Host-remit-"), cookie
        assert {"Secure", "HttpOnly", "Path=/"} <= {part.strip() for part in cookie.split(";")}, cookie
    assert "nginx/" not in page.headers["Server"]


def test_http_leads_to_https_at_our_own_name_whatever_the_caller_says(stack: Stack) -> None:
    here = f"https://localhost:{stack.port_base + HTTPS}"
    for headers in ({}, {"Host": "evil.example"}):
        answer = ask(stack, "GET", "/sign-in?next=%2Fclients", port=HTTP, headers=headers)
        assert (answer.status_code, answer.headers["Location"]) == (301, f"{here}/sign-in?next=%2Fclients")


@pytest.mark.parametrize("path", ["/webhooks/stripe/b1", "/webhooks/paypal/b1", "/ipn/paypal/b1"])
def test_callbacks_reach_the_gateways(stack: Stack, path: str) -> None:
    answer = ask(stack, "POST", path, data=b"{}", headers={"Content-Type": "application/json"})
    assert "X-Request-Id" in answer.headers, answer.text  # a service of ours answered
    assert answer.json()["code"] in ("callback_refused", "not_found"), "there is no such business"
    assert "remit" not in answer.headers.get("Set-Cookie", ""), "the portal does not answer callbacks"


def test_the_tokens_of_teams_are_fetched_through_it(stack: Stack) -> None:
    refused = ask(stack, "POST", "/oauth/token", data={"grant_type": "client_credentials"}, auth=("nobody", "wrong"))
    assert refused.status_code == 401
    assert refused.json()["error"] == "invalid_client"


DOORS = ["/metrics", "/healthz", "/readyz", "/openapi", "/v1/businesses", "/v1/operations/status", "/webhooks", "/ipn/"]
WAYS_ROUND = [
    "//metrics", "/x/../metrics", "/%6detrics", "/webhooks/stripe/../../metrics",
    "/webhooks/stripe/%2e%2e/%2e%2e/metrics",
    f"/webhooks/stripe/{quote('../../v1/businesses', safe='')}", "/webhooks/stripe/b1/../../../v1/businesses",
    "/ipn/paypal/..%2f..%2fmetrics", "/webhooks/stripe/b1%3f/v1",
]  # fmt: skip


@pytest.mark.parametrize("path", DOORS + WAYS_ROUND)
def test_nothing_else_of_the_services_is_reachable(stack: Stack, path: str) -> None:
    blind = ssl._create_unverified_context()
    connection = http.client.HTTPSConnection("localhost", stack.port_base + HTTPS, timeout=10, context=blind)
    with contextlib.closing(connection):
        connection.request("GET", path)  # as it stands: this client tidies nothing up
        answer = connection.getresponse()
        assert answer.status in (400, 404)
        assert b"remit_" not in answer.read()
        assert answer.headers["X-Request-Id"] is None, "the proxy itself refuses"


def test_who_calls_is_told_by_the_proxy_and_not_by_the_caller(stack: Stack) -> None:
    environment = stack.compose("exec", "-T", "portal-web", "sh", "-c", "echo $TRUSTED_PROXIES $PORTAL_PUBLIC_URL")
    assert environment.split() == ["01", f"https://localhost:{stack.port_base + HTTPS}"]
    # Guessing is slowed down by address: were the claimed one believed, each of these would be a new caller.
    statuses = []
    for number in range(8):
        claimed = {"X-Forwarded-For": f"203.0.113.{number}"}
        guess = {"grant_type": "client_credentials"}
        answer = ask(stack, "POST", "/oauth/token", headers=claimed, data=guess, auth=("somebody", "wrong"))
        statuses.append(answer.status_code)
    assert 429 in statuses, statuses


def test_large_bodies_are_refused_and_callbacks_of_any_size_that_ours_take_pass(stack: Stack) -> None:
    headers = {"Content-Type": "application/json"}
    ours = ask(stack, "POST", "/webhooks/stripe/b1", data=b" " * 600_000, headers=headers)
    assert "X-Request-Id" in ours.headers  # the gateway says no, and notes it
    assert ours.status_code == 413
    assert (
        "X-Request-Id" not in ask(stack, "POST", "/webhooks/stripe/b1", data=b" " * 1_100_000, headers=headers).headers
    )


def test_the_certificate_is_made_once_and_never_overwritten(stack: Stack) -> None:
    folder = Path(stack.environment["TLS_DIR"])
    before = {name: (folder / name).read_bytes() for name in ("fullchain.pem", "privkey.pem")}
    assert stat.S_IMODE((folder / "privkey.pem").stat().st_mode) == 0o600
    served = ssl.get_server_certificate(("localhost", stack.port_base + HTTPS))
    assert served.strip() == before["fullchain.pem"].decode().strip()
    stack.compose("run", "--rm", "--no-deps", "-T", "certificate")
    assert {name: (folder / name).read_bytes() for name in before} == before
    (folder / "privkey.pem").rename(folder / "away.pem")
    try:
        stack.compose("run", "--rm", "--no-deps", "-T", "certificate", check=False)
        assert not (folder / "privkey.pem").exists(), "half a pair is the operator's to mend"
        assert (folder / "fullchain.pem").read_bytes() == before["fullchain.pem"]
    finally:
        (folder / "away.pem").rename(folder / "privkey.pem")


def test_the_proxy_runs_without_root_and_sees_no_data(stack: Stack) -> None:
    (proxy,) = [c for c in stack.containers() if c["Config"]["Labels"]["com.docker.compose.service"] == "proxy"]
    assert proxy["Config"]["User"] == "10001:10001"
    assert proxy["HostConfig"]["ReadonlyRootfs"]
    assert proxy["HostConfig"]["CapAdd"] is None
    assert list(proxy["NetworkSettings"]["Networks"]) == [f"{stack.project}_outer"]
