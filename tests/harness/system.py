"""Remit as it runs in production, for tests: each service's web and worker a process of its own, with a real broker
and a database per service. Any process can be killed and started again."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import psycopg
import requests

from common import auth, sealing, topology
from common.bus import rabbit
from common.settings import PORT_OFFSETS, SMTP_OFFSET
from common.testing import free_port_base
from deploy import databases
from tests.harness.servers import PASSWORD, Servers

SERVICES = ("payments", "billing", "notifications", "gateway-stripe", "gateway-paypal")
_PROCESS = re.compile(r"(.+)-(web|worker|bare)(-\d+)?")
START_SECONDS = 120
FIRST_METRICS_PORT = 30  # beside the services' own
IN_HAND = 1_000  # messages that workers may have taken from a queue and not yet answered, and more
REMIT = [sys.executable, "-m", "common.runner"]


class System:
    """The running services. Use as a context manager."""

    def __init__(
        self, servers: Servers, *, workers: dict[str, int] | None = None, environ: dict[str, str] | None = None,
        portal: bool = False,
    ):  # fmt: skip
        self.servers = servers
        self.webs = (*SERVICES, "portal") if portal else SERVICES
        self.folder = Path(tempfile.mkdtemp(prefix="remit-system-"))
        self.port_base = free_port_base()
        self.id = uuid4().hex[:8]
        self._workers = workers or {}
        self._extra = environ or {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        auth.make_keys(self.folder / "keys")
        sealing.make_key(self.folder / "keys" / "seal.key.json")

    # --- life ---

    def __enter__(self) -> Self:
        try:
            self._reset_broker()
            self.create_databases()
            self.fill_databases()
            for name in self.names:
                self.start(name)
            for name in self.names:
                self.wait_ready(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()
            process.wait()
        with contextlib.suppress(psycopg.Error):
            self.drop_databases()

    def drop_databases(self) -> None:
        with psycopg.connect(self.servers.database.url, autocommit=True) as admin:
            for service in self.webs:
                admin.execute(f'DROP DATABASE IF EXISTS "{self._database(service)}" WITH (FORCE)')
            admin.execute(f'DROP ROLE IF EXISTS "{self._web_role}"')

    def fill_databases(self) -> None:
        """Bring the new, empty databases to their shape."""
        self._in_parallel([[*REMIT, name, "migrate"] for name in self.webs])

    @property
    def names(self) -> list[str]:
        """Every process: payments-web, payments-worker, billing-worker-2 …, sandbox, portal-web where it is wanted."""
        found = ["sandbox"]
        for service in SERVICES:
            found += [f"{service}-web", f"{service}-worker"]
            found += [f"{service}-worker-{n}" for n in range(2, self._workers.get(service, 1) + 1)]
        return [*found, *(f"{web}-web" for web in self.webs if web not in SERVICES)]

    def start(self, name: str, **environ: str) -> None:
        """Start a process, or start it again; with `environ` besides its own."""
        service, role = _parts(name)
        command = [sys.executable, "-m", "sandbox"] if service == "sandbox" else [*REMIT, service, role]
        log = (self.folder / f"{name}.log").open("ab")
        self._processes[name] = subprocess.Popen(
            command, env={**self._environ_of(name), "CRASH_FILE": str(self._crash_file(name)), **environ},
            cwd=self.folder, stdout=log, stderr=log,
        )  # fmt: skip

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal and wait until the process is gone; answers its exit status. A web's gunicorn workers die with
        their parent."""
        import psutil

        process = self._processes[name]
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.send_signal(number)
        if number == signal.SIGKILL:
            for child in children:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
        return process.wait(30)

    def crash_at(self, name: str, point: str) -> None:
        """Let the process die when it next comes to a point of `common.crash`; `has_crashed` tells when it did."""
        self._crash_file(name).write_text(point)

    def has_crashed(self, name: str) -> bool:
        return not self._crash_file(name).exists()

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    def is_alive(self, name: str) -> bool:
        return self._processes[name].poll() is None

    def wait_ready(self, name: str) -> None:
        """Wait until it answers: a worker with its metrics, which it serves once it can be told to stop."""
        service, role = _parts(name)
        is_worker = role == "worker"
        url = f"http://127.0.0.1:{self.metrics_port(name)}/metrics" if is_worker else f"{self.url(service)}/healthz"
        self.eventually(lambda: requests.get(url, timeout=2).ok, f"{name} to answer", START_SECONDS)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def command(self, service: str, *arguments: str, check: bool = True, seconds: float = 180) -> str:
        """Run `remit <service> …`, or a tool such as `backup`, as an operator would; answers what it printed."""
        done = subprocess.run(
            [*REMIT, service, *arguments], env=self.environ(service), cwd=self.folder, capture_output=True, text=True,
            timeout=seconds, check=False,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise RuntimeError(f"remit {service} {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    # --- what it runs with ---

    def environ(self, service: str) -> dict[str, str]:
        found = {
            **{key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "AMQP_URL")},
            "PORT_BASE": str(self.port_base),
            "AMQP_URL": self.servers.broker.url,
            "AUTH_JWKS_FILE": str(self.folder / "keys" / "jwks.json"),
            "KEYS_DIR": str(self.folder / "keys"),
            "SMTP_URL": f"smtp://127.0.0.1:{self.port_base + SMTP_OFFSET}",
            "SANDBOX": "on",
            "CLOCK_FILE": str(self.folder / "clock"),
            "SANDBOX_DIR": str(self.folder / "sandbox"),
            "VAR_DIR": str(self.folder),
            "TMPDIR": str(self.folder),
            "SEAL_KEY_FILE": str(self.folder / "keys" / "seal.key.json"),
            "STRIPE_API_BASE": f"{self.url('sandbox')}/stripe",
            "STRIPE_JS_URL": f"{self.url('sandbox')}/stripe/js/v3/",
            "PAYPAL_API_BASE": f"{self.url('sandbox')}/paypal",
            "PAYPAL_CHECKOUT_URL": f"{self.url('sandbox')}/paypal/cgi-bin/webscr",
            "PAYPAL_IPN_VERIFY_URL": f"{self.url('sandbox')}/paypal/cgi-bin/webscr",
            "CALLBACK_BASE_URL": self.url(service) if service.startswith("gateway") else "",
            "BACKUP_DATABASE_URL": self.database_url("{service}"),
            "SERVICES": " ".join(self.webs),
            **self._extra,
        }
        if service in self.webs:
            found["DATABASE_URL"] = self.database_url(service)
            found["WEB_DATABASE_URL"] = self.web_database_url(service)
            found["SERVICE_KEY_FILE"] = str(self.folder / "keys" / f"{service}.key.json")
        return found

    def _environ_of(self, name: str) -> dict[str, str]:
        service, role = _parts(name)
        of_worker = {"WORKER_METRICS_PORT": str(self.metrics_port(name))} if role == "worker" else {}
        return {**self.environ(service), **of_worker}

    def metrics_port(self, worker: str) -> int:
        """Where that worker process serves its metrics."""
        return self.port_base + FIRST_METRICS_PORT + self.names.index(worker)

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.port_base + PORT_OFFSETS[service]}"

    def database_url(self, service: str) -> str:
        """Of one service, or with `{service}` of any."""
        return self.servers.database.url.rsplit("/", 1)[0] + "/" + self._database(service)

    def web_database_url(self, service: str) -> str:
        """As the service's web role, which row-level security holds for."""
        return as_role(self.database_url(service), self._web_role)

    def sql(self, service: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a read-only query on a service's own database."""
        with psycopg.connect(self.database_url(service)) as connection:
            return connection.execute(query, values).fetchall()

    def token(self, scope: str = "operator", business: str = "*", actor: dict[str, str] | None = None) -> str:
        signer = auth.Signer(self.folder / "keys" / "operator.key.json")
        return signer.sign("tests", scope, business, 7200, actor or {"type": "staff", "id": "s1", "name": "Test Staff"})

    # --- using it ---

    def api(self, token: str | None = None) -> "Api":
        return Api(self, token or self.token())

    def mails(self) -> dict[str, int]:
        """{"deliveries", "distinct_message_ids"} of the sandbox's inbox."""
        return dict(requests.get(f"{self.url('sandbox')}/mail/summary", timeout=10).json())

    def queue_depths(self) -> dict[str, int]:
        return rabbit.depths(self.servers.broker.url)

    @staticmethod
    def eventually(check: Callable[[], Any], what: str, seconds: float = 60) -> Any:
        """Wait until `check` answers something true; its exceptions count as not yet."""
        deadline = time.monotonic() + seconds
        last: object = None
        while time.monotonic() < deadline:
            try:
                last = check()
                if last:
                    return last
            except Exception as error:
                last = error
            time.sleep(0.05)
        raise AssertionError(f"waited {seconds} s for {what}; last: {last!r}")

    def is_quiet(self) -> bool:
        """Whether nothing is under way: outboxes, queues and jobs are empty, nothing is parked."""
        if any(self.queue_depths().values()):
            return False
        for service in SERVICES:
            waiting = self.sql(
                service,
                "SELECT (SELECT count(*) FROM outbox WHERE position IS NULL)"
                " + (SELECT count(*) FROM inbox WHERE state = 'parked')"
                " + (SELECT count(*) FROM jobs WHERE state IN ('due', 'claimed'))",
            )
            if waiting[0][0]:
                return False
        return all(self._has_received_all(service) for service in SERVICES)

    def _has_received_all(self, service: str) -> bool:
        """Whether every event for `service` has its inbox row: one taken from the queue and not yet committed is in
        neither count of what waits."""
        newest = f"SELECT event_id FROM outbox WHERE routing_key = ANY(%s) ORDER BY seq DESC LIMIT {IN_HAND}"
        keys = topology.routing_keys(service)
        told = [event_id for producer in SERVICES for (event_id,) in self.sql(producer, newest, keys)]
        # By their ids: what was published by hand has rows as well, which would stand for those that are missing.
        return bool(self.sql(service, "SELECT count(*) FROM inbox WHERE event_id = ANY(%s)", told)[0][0] == len(told))

    # --- inside ---

    def _crash_file(self, name: str) -> Path:
        return self.folder / f"crash-{name}"

    @property
    def _web_role(self) -> str:
        return f"remit_{self.id}_web"

    def _database(self, service: str) -> str:
        return f"remit_{self.id}_{service}"

    def create_databases(self) -> None:
        with psycopg.connect(self.servers.database.url, autocommit=True) as admin:
            databases.make_role(admin, self._web_role, PASSWORD)
            for service in self.webs:
                admin.execute(f'CREATE DATABASE "{self._database(service)}"')
        for service in self.webs:
            with psycopg.connect(self.database_url(service), autocommit=True) as admin:
                databases.let_web_in(admin, admin.info.user, self._web_role)

    def _reset_broker(self) -> None:
        with rabbit.connect(self.servers.broker.url) as connection:
            for service in topology.SUBSCRIPTIONS:
                connection.default_channel.queue_delete(topology.queue_of(service))
        rabbit.declare(self.servers.broker.url)

    def _in_parallel(self, commands: Sequence[Sequence[str]]) -> None:
        started = [
            subprocess.Popen(command, env=self.environ(command[-2]), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            for command in commands
        ]
        for process in started:
            output, _ = process.communicate(timeout=START_SECONDS)
            if process.returncode != 0:
                raise RuntimeError(output.decode())


def as_role(url: str, role: str) -> str:
    """A database's URL, for another role of the tests' own."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{role}:{PASSWORD}@{rest.rpartition('@')[2]}"


def _parts(name: str) -> tuple[str, str]:
    """billing-worker-2 → (billing, worker); sandbox → (sandbox, "")."""
    found = _PROCESS.fullmatch(name)
    return (found[1], found[2]) if found else (name, "")


class Api:
    """The services' APIs with one token."""

    def __init__(self, system: System, token: str) -> None:
        self._system = system
        self.http = requests.Session()
        self.http.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, service: str, path: str, **options: Any) -> requests.Response:
        options.setdefault("timeout", 60)
        key = options.pop("key", None)
        if key is not None:
            options.setdefault("headers", {})["Idempotency-Key"] = key
        return self.http.request(method, self.url(service) + path, **options)

    def url(self, service: str) -> str:
        return self._system.url(service)

    def business(
        self, name: str = "Test Studio", currency: str = "USD", time_zone: str = "Europe/Berlin"
    ) -> "Business":
        body = {"name": name, "currency": currency, "time_zone": time_zone}
        answer = self.call("POST", "billing", "/v1/businesses", json=body)
        assert answer.status_code == 201, answer.text
        return Business(self, answer.json()["id"])


class Business:
    """One business's corner of the APIs."""

    def __init__(self, api: Api, business_id: str) -> None:
        self.api = api
        self.id = business_id
        self.path = f"/v1/businesses/{business_id}"

    def call(self, method: str, service: str, path: str, **options: Any) -> requests.Response:
        return self.api.call(method, service, self.path + path, **options)

    def url(self, service: str) -> str:
        return self.api.url(service)

    def client(self, name: str, email: str | None = None, **more: Any) -> dict[str, Any]:
        answer = self.call("POST", "billing", "/clients", json={"name": name, "email": email, **more})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def clients(self, count: int, prefix: str = "Client") -> list[dict[str, Any]]:
        new = [{"name": f"{prefix} {n}", "email": f"{prefix.lower()}{n}@example.com"} for n in range(count)]
        answer = self.call("POST", "billing", "/clients/batch", json={"clients": new})
        assert answer.status_code == 201, answer.text
        return list(answer.json()["clients"])

    def pay(self, client_id: str, amount_minor: int, key: str | None = None, **more: Any) -> requests.Response:
        body = {"client_id": client_id, "amount_minor": amount_minor, "method": "cash", **more}
        return self.call("POST", "payments", "/payments", json=body, key=key)

    def upload(self, csv: str | bytes, **params: Any) -> requests.Response:
        data = csv.encode() if isinstance(csv, str) else csv
        headers = {"Content-Type": "text/csv"}
        return self.call("POST", "payments", "/payments/batch", data=data, headers=headers, params=params)

    def balance(self, client_id: str) -> int:
        return int(self.call("GET", "billing", f"/clients/{client_id}/balance").json()["balance_minor"])

    def balances(self) -> Iterator[dict[str, Any]]:
        cursor = None
        while True:
            answer = self.call("GET", "billing", "/balances", params={"limit": 200, "cursor": cursor}).json()
            yield from answer["items"]
            cursor = answer["next_cursor"]
            if cursor is None:
                return
