"""The Compose stack as an operator meets it: brought up from nothing, used, broken, and taken down."""

import json
import os
import re
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from common.testing import free_port_base
from tests.integration import story

pytestmark = [pytest.mark.docker, pytest.mark.timeout(420)]

ROOT = Path(__file__).parents[2]
OFFSETS = {
    "PORTAL": 0,
    "PAYMENTS": 1,
    "BILLING": 2,
    "GATEWAY_STRIPE": 3,
    "GATEWAY_PAYPAL": 4,
    "NOTIFICATIONS": 5,
    "SANDBOX": 9,
}
SERVICES = ("payments", "billing", "notifications", "gateway-stripe", "gateway-paypal")
WEBS = (*SERVICES, "portal")  # which takes no events, and has no worker
CLIENTS = 10
PAYMENTS = 30
# The operator's own .env and shell must not reach the test: they may name a real mail server.
PASSED_ON = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_BUILDKIT", "TMPDIR")


@dataclass
class Stack:
    """One Compose project of its own, on ports of its own."""

    project: str
    port_base: int
    token: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    def compose(self, *arguments: str, timeout: float = 120, check: bool = True) -> str:
        command = [
            "docker",
            "compose",
            "--env-file",
            os.devnull,
            "-p",
            self.project,
            "--profile",
            "sandbox",
            *arguments,
        ]
        return run(command, self.environment, timeout, check=check)

    def containers(self) -> list[dict[str, Any]]:
        ids = self.compose("ps", "-q").split()
        return json.loads(run(["docker", "inspect", *ids], self.environment, 30))  # type: ignore[no-any-return]

    def url(self, name: str, path: str) -> str:
        return f"http://127.0.0.1:{self.port_base + OFFSETS[name.upper().replace('-', '_')]}{path}"

    def call(self, method: str, name: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        answer = requests.request(method, self.url(name, path), headers=headers, timeout=20, **options)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:2000]}"
        return answer.json()

    def inside(self, container: str, program: str) -> str:
        """What `program`, in Python, prints in a running container that knows its own secrets."""
        return self.compose("exec", "-T", container, "/app/deploy/with-secrets.sh", "python", "-c", program)


@dataclass(frozen=True)
class Business:
    path: str
    clients: dict[str, str]  # e-mail → id


def run(command: list[str], environment: dict[str, str], timeout: float, *, check: bool = True) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )
    if check and done.returncode != 0:
        pytest.fail(f"{' '.join(command)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-6000:]}")
    return done.stdout


def why_no_docker() -> str | None:
    for command in (["docker", "version", "--format", "{{.Server.Version}}"], ["docker", "compose", "version"]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"`{' '.join(command)}` did not run: {error}"
        if done.returncode != 0:
            return f"`{' '.join(command)}` said: {(done.stderr or done.stdout).strip()[:300]}"
    return None


def wait_until(what: str, holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"after {seconds:.0f} s still not so: {what}"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    if (reason := why_no_docker()) is not None:
        if os.environ.get("REQUIRE_DOCKER") == "1":
            pytest.fail(f"REQUIRE_DOCKER=1, but no Docker engine answers: {reason}")
        pytest.skip(f"no Docker engine answers: {reason}")
    stack = Stack(f"remit-test-{secrets.token_hex(4)}", free_port_base())
    stack.environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    stack.environment |= {f"{name}_PORT": str(stack.port_base + offset) for name, offset in OFFSETS.items()}
    stack.environment |= {"PORT_BASE": str(stack.port_base), "REMIT_VERSION": "test"}
    stack.environment |= {
        "STRIPE_API_BASE": "http://sandbox:8009/stripe",
        "STRIPE_JS_URL": f"http://127.0.0.1:{stack.port_base + OFFSETS['SANDBOX']}/stripe/js/v3/",
        "CALLBACK_BASE_URL": "http://gateway-stripe-web:8003",
        "PAYPAL_CALLBACK_BASE_URL": "http://gateway-paypal-web:8004",
        "PAYPAL_API_BASE": "http://sandbox:8009/paypal",
        "PAYPAL_IPN_VERIFY_URL": "http://sandbox:8009/paypal/cgi-bin/webscr",
    }
    failed_before = request.session.testsfailed
    try:
        started = time.monotonic()
        stack.compose("up", "--build", "--wait", "--scale", "billing-worker=2", timeout=360)
        print(f"the stack was up after {time.monotonic() - started:.0f} s")
        stack.token = stack.compose("run", "--rm", "--no-deps", "-T", "operator").strip()
        yield stack
    finally:
        if request.session.testsfailed > failed_before or not stack.token:
            print(stack.compose("ps", "-a", check=False))
            print(stack.compose("logs", "--tail", "30", "--no-color", check=False)[-20_000:])
        stack.compose("--profile", "tools", "down", "--volumes", "--remove-orphans", "--timeout", "5", check=False)


@pytest.fixture(scope="module")
def business(stack: Stack) -> Business:
    made = stack.call(
        "POST",
        "billing",
        "/v1/businesses",
        json={"name": "Compose Studio", "currency": "EUR", "time_zone": "Europe/Rome"},
    )
    path = f"/v1/businesses/{made['id']}"
    clients = {}
    for number in range(CLIENTS):
        email = f"client{number}@studio.example"
        body = {"name": f"Client Zoë {number}", "email": email}
        clients[email] = stack.call("POST", "billing", f"{path}/clients", json=body)["id"]
    return Business(path, clients)


def upload(stack: Stack, business: Business, first_cents: int) -> dict[str, int]:
    """Send PAYMENTS payments as CSV; answers what each client, by e-mail, has paid with them."""
    emails = list(business.clients)
    rows, paid = ["client,amount,method"], dict.fromkeys(emails, 0)
    for number in range(PAYMENTS):
        email, cents = emails[number % CLIENTS], first_cents + 137 * number
        rows.append(f"{email},{cents // 100}.{cents % 100:02},cash")
        paid[email] += cents
    answer = stack.call(
        "POST",
        "payments",
        f"{business.path}/payments/batch",
        data="\n".join(rows).encode(),
        headers={"Content-Type": "text/csv", "Idempotency-Key": secrets.token_hex(8)},
    )
    assert answer["count"] == PAYMENTS
    assert answer["total_minor"] == sum(paid.values())
    return paid


def balances(stack: Stack, business: Business) -> dict[str, int]:
    return {
        email: stack.call("GET", "billing", f"{business.path}/clients/{client_id}/balance")["balance_minor"]
        for email, client_id in business.clients.items()
    }


def mails(stack: Stack, email: str) -> list[dict[str, Any]]:
    return stack.call("GET", "sandbox", f"/mail/messages?to={email}&limit=1000")["items"]  # type: ignore[no-any-return]


def assert_one_receipt_each(stack: Stack, business: Business, per_client: int) -> None:
    for email in business.clients:
        wait_until(f"{per_client} receipts for {email}", lambda e=email: len(mails(stack, e)) >= per_client)
    time.sleep(2)  # what comes twice comes now
    for email in business.clients:
        found = mails(stack, email)
        assert len(found) == len({mail["message_id"] for mail in found}) == per_client
        names = {attachment["name"] for mail in found for attachment in mail["attachments"]}
        assert len(names) == per_client, "each receipt has a number of its own"
        for mail in found:
            (attachment,) = mail["attachments"]
            assert attachment["content_type"] == "application/pdf"
            pdf = requests.get(stack.url("sandbox", attachment["url"]), timeout=20).content
            assert pdf.startswith(b"%PDF-")


def test_uploaded_payments_reach_balances_and_inboxes_also_after_the_broker_was_away(
    stack: Stack, business: Business
) -> None:
    paid = upload(stack, business, first_cents=4_501)
    wait_until("the balances are what was paid", lambda: balances(stack, business) == paid)
    assert_one_receipt_each(stack, business, PAYMENTS // CLIENTS)

    stack.compose("stop", "rabbitmq")
    assert "(0)" in stack.compose("ps", "-a", "--format", "{{.Status}}", "rabbitmq"), "the broker did not stop cleanly"
    paid_meanwhile = upload(stack, business, first_cents=12_009)  # 201, although nobody can be told
    assert balances(stack, business) == paid
    status = json.loads(stack.compose("exec", "-T", "payments-worker", "remit", "payments", "status"))
    assert status["outbox_waiting"] == PAYMENTS
    assert requests.get(stack.url("payments", "/readyz"), timeout=10).status_code == 503
    assert requests.get(stack.url("payments", "/healthz"), timeout=10).status_code == 200

    stack.compose("start", "rabbitmq")
    total = {email: paid[email] + paid_meanwhile[email] for email in paid}
    wait_until("the balances have caught up", lambda: balances(stack, business) == total, seconds=90)
    assert_one_receipt_each(stack, business, 2 * PAYMENTS // CLIENTS)


class Remit:
    """A business of the stack, as the story wants it."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        body = {"name": "Story Studio", "currency": "USD", "time_zone": "Europe/Rome"}
        self.id: str = stack.call("POST", "billing", "/v1/businesses", json=body)["id"]

    def url(self, service: str) -> str:
        return self._stack.url(service, "")

    def call(self, method: str, service: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self._stack.token}", **options.pop("headers", {})}
        url = self._stack.url(service, f"/v1/businesses/{self.id}{path}")
        return requests.request(method, url, headers=headers, timeout=60, **options)


def test_the_story_and_the_example_file(stack: Stack) -> None:
    story.tell(Remit(stack))


def test_the_example_file_while_the_broker_is_away(stack: Stack) -> None:
    remit = Remit(stack)
    story.add_example_clients(remit)
    wait_until("payments has its copy", lambda: remit.call("GET", "payments", "/payments").ok)
    stack.compose("stop", "rabbitmq")
    made = story.upload_example(remit)
    stack.compose("start", "rabbitmq")
    story.check_example(remit, made, seconds=120)


def test_the_books_prove_clean(stack: Stack) -> None:
    printed = stack.compose("exec", "-T", "billing-worker", "remit", "billing", "do", "prove")
    assert ": clean" in printed
    assert "DRIFT" not in printed
    assert "not compared" not in printed


def test_each_service_has_a_web_and_worker_container_and_billing_two_workers(stack: Stack) -> None:
    names = [container["Config"]["Labels"]["com.docker.compose.service"] for container in stack.containers()]
    workers = [f"{service}-worker" for service in SERVICES]
    assert sorted(names) == sorted(
        [*(f"{service}-web" for service in WEBS), *workers, "billing-worker", "postgres", "rabbitmq", "sandbox"]
    )


def processes_of(container: dict[str, Any], stack: Stack) -> list[tuple[str, str]]:
    """The uid and command line of the container's main process and of all that came of it. A health check is not among
    them: Docker starts it as the image's user, root for RabbitMQ's, and it steps down by itself."""
    shown = run(["docker", "top", container["Id"], "-eo", "uid,pid,ppid,args"], stack.environment, 30)
    rows = [line.split(maxsplit=3) for line in shown.splitlines()[1:]]
    family = {str(container["State"]["Pid"])}
    while more := {pid for _, pid, parent, _ in rows if parent in family} - family:
        family |= more
    return [(uid, args) for uid, pid, _, args in rows if pid in family]


def test_containers_run_without_root_and_within_limits(stack: Stack) -> None:
    for container in stack.containers():
        name, host = container["Name"], container["HostConfig"]
        own = processes_of(container, stack)
        assert own, name
        assert [line for uid, line in own if uid == "0"] == [], f"{name} runs as root"
        assert host["CapDrop"] == ["ALL"], name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
        assert host["Memory"] > 0, name
        assert host["NanoCpus"] > 0, name
        assert host["PidsLimit"] > 0, name
        assert host["RestartPolicy"]["Name"] == "unless-stopped", name
        assert container["State"]["Health"]["Status"] in ("healthy", "starting"), name
        if container["Config"]["Image"].startswith("remit"):
            assert container["Config"]["User"] == "remit", name
            assert host["ReadonlyRootfs"] is True, name
            assert host["CapAdd"] is None, name


def test_only_the_webs_are_published_and_on_loopback_only(stack: Stack) -> None:
    published = {}
    for container in stack.containers():
        for bindings in (container["NetworkSettings"]["Ports"] or {}).values():
            for binding in bindings or []:
                published[container["Config"]["Labels"]["com.docker.compose.service"]] = binding["HostIp"]
    assert published == dict.fromkeys([*(f"{service}-web" for service in WEBS), "sandbox"], "127.0.0.1")


def test_no_password_stands_in_the_configuration_nor_in_what_docker_shows(stack: Stack) -> None:
    configuration = stack.compose("--profile", "tools", "config")
    assert not re.search(r"://[^/\s:]+:[^/\s@]+@", configuration)
    assert not re.search(r"(?i)(password|_pass|secret_key)\s*[:=]\s*\S", configuration)
    vault = stack.compose("run", "--rm", "--no-deps", "-T", "init", "sh", "-c", "tail -n +1 /vault/passwords/*")
    passwords = re.findall(r"^[0-9a-f]{48}$", vault, re.MULTILINE)
    assert len(set(passwords)) == 2 + 3 * len(WEBS), "each has one of its own; so has each web role"
    shown = configuration + json.dumps(stack.containers()) + stack.compose("logs", "--no-color")
    assert [password for password in passwords if password in shown] == []


def test_a_service_reaches_nothing_that_is_anothers(stack: Stack) -> None:
    refused = stack.inside(
        "payments-worker",
        """
import os, amqp, kombu, psycopg

def attempt(name, act):
    try:
        act()
    except (psycopg.Error, amqp.exceptions.AMQPError) as error:
        print(name, "refused" if "permission denied" in str(error) or "ACCESS_REFUSED" in str(error) else error)
    else:
        print(name, "allowed")

def channel():
    return kombu.Connection(os.environ["AMQP_URL"]).channel()

def publish(key):
    opened = channel()
    opened.confirm_select()
    opened.basic_publish_confirm(amqp.Message(b"{}"), exchange="remit.events", routing_key=key)

server = os.environ["DATABASE_URL"].rpartition("/")[0]
attempt("own-database", lambda: psycopg.connect(server + "/payments").close())
attempt("other-database", lambda: psycopg.connect(server + "/billing").close())
attempt("own-name", lambda: publish("payments.nobody_listens.v1"))
attempt("other-name", lambda: publish("billing.nobody_listens.v1"))
attempt("other-queue", lambda: channel().basic_get("remit.billing"))
attempt("declare", lambda: channel().queue_declare("mine"))
attempt("bind", lambda: channel().queue_bind("remit.payments", "remit.events", "#"))
""",
    )
    assert dict(line.split(maxsplit=1) for line in refused.splitlines()) == {
        "own-database": "allowed",
        "own-name": "allowed",
        "other-database": "refused",
        "other-name": "refused",
        "other-queue": "refused",
        "declare": "refused",
        "bind": "refused",
    }
    others = stack.compose("exec", "-T", "payments-web", "sh", "-c", "find / -xdev -name '*.key.json'; ls /secrets")
    assert others.split() == ["env", "service.key.json"]


def test_starting_again_keeps_every_secret_and_makes_no_container_anew(stack: Stack) -> None:
    before = {container["Id"]: container["State"]["StartedAt"] for container in stack.containers()}
    stack.compose("up", "--wait", "--scale", "billing-worker=2")
    assert {container["Id"]: container["State"]["StartedAt"] for container in stack.containers()} == before
    stack.call("GET", "billing", "/v1/businesses")


def test_ports_that_would_not_follow_port_base_are_refused(stack: Stack) -> None:
    environment = {**stack.environment, "PORT_BASE": "9000", "PAYMENTS_PORT": ""}
    command = [
        "docker",
        "compose",
        "--env-file",
        os.devnull,
        "-p",
        stack.project,
        "run",
        "--rm",
        "--no-deps",
        "-T",
        "init",
    ]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "PAYMENTS_PORT=9001" in done.stdout + done.stderr


def test_rotating_the_operators_key_ends_its_old_tokens_at_once(stack: Stack) -> None:
    old = stack.token
    stack.compose(
        "run", "--rm", "--no-deps", "-T", "init", "python", "/app/deploy/make_secrets.py", "--rotate", "operator"
    )
    refused = requests.get(
        stack.url("billing", "/v1/businesses"), headers={"Authorization": f"Bearer {old}"}, timeout=10
    )
    assert refused.status_code == 401
    stack.token = stack.compose("run", "--rm", "--no-deps", "-T", "operator").strip()
    stack.call("GET", "billing", "/v1/businesses")
