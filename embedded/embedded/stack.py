"""The services of one process: each with its own database file, web server, and loops."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sandbox
from common import auth, clock, migrate, sealing
from common.bus.embedded import EmbeddedBus
from common.runtime import Runtime
from common.service import find, names
from common.settings import SMTP_OFFSET, Settings
from common.web.app import create_app
from common.web.threads import ThreadedServer
from common.worker import Worker

WEB_THREADS = 16


@dataclass
class _Running:
    runtime: Runtime
    worker: Worker
    server: ThreadedServer


class Stack:
    """Starts and stops everything. `environ` is the operator's environment."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.settings = Settings.read(environ)
        self.var_dir = self.settings.var_dir.absolute()
        self.keys_dir = self.var_dir / "keys"
        self.with_sandbox = environ.get("SANDBOX", "on") != "off"
        self._environ = dict(environ)
        self._running: dict[str, _Running] = {}
        self._sandbox: Any = None

    def start(self) -> None:
        """Make keys, bring the databases up to date, then serve. Raises OSError when a port is taken."""
        auth.make_keys(self.keys_dir)
        sealing.make_key(self.keys_dir / "seal.key.json")
        if self.with_sandbox:
            clock_file = self.settings.clock_file or self.var_dir / "clock"
            clock.use(clock.Clock(clock_file))
            self._sandbox = sandbox.start(
                self.settings.bind, self.settings.port_base, self.var_dir / "sandbox", clock_file
            )
        runtimes = [self._open(name) for name in names()]
        consumers = [runtime.consumer for runtime in runtimes]
        for runtime in runtimes:
            migrate.upgrade(runtime.service, runtime.database)
            worker = Worker(runtime, EmbeddedBus(lambda: consumers))
            name = runtime.service.name
            server = ThreadedServer(
                create_app(runtime), self.settings.bind, self.settings.port_of(name),
                name=f"{name}-web", threads=WEB_THREADS,
            )  # fmt: skip
            self._running[name] = _Running(runtime, worker, server)
        for running in self._running.values():
            running.worker.start()
            running.server.start()

    def stop(self) -> None:
        """Finish what is under way, then close everything."""
        for running in self._running.values():
            running.server.stop()  # requests under way are finished
        for running in self._running.values():
            running.worker.stop()
            running.runtime.database.close()
        if self._sandbox is not None:
            self._sandbox.stop()

    @property
    def failed(self) -> BaseException | None:
        """What ended one of the loops, if something did."""
        return next((r.worker.failed for r in self._running.values() if r.worker.failed is not None), None)

    def runtime(self, name: str) -> Runtime:
        return self._running[name].runtime

    def endpoints(self) -> dict[str, str]:
        """Service → address, for everything that is served."""
        found = {name: self.settings.url_of(name) for name in self._running}
        return {**found, "sandbox": self.settings.url_of("sandbox")} if self.with_sandbox else found

    @property
    def has_test_stripe(self) -> bool:
        """Whether the sandbox stands in for Stripe."""
        return self.with_sandbox and not self._environ.get("STRIPE_API_BASE")

    @property
    def has_test_paypal(self) -> bool:
        """Whether the sandbox stands in for PayPal."""
        return self.with_sandbox and not self._environ.get("PAYPAL_API_BASE")

    def operator_token(self, ttl_seconds: float) -> str:
        signer = auth.Signer(self.keys_dir / "operator.key.json")
        return signer.sign(
            "operator", "operator", "*", ttl_seconds, {"type": "staff", "id": "operator", "name": "Operator"}
        )

    def _open(self, name: str) -> Runtime:
        service = find(name)
        settings = service.settings.read(
            {
                **(self._sandboxed(name) if self.with_sandbox else {}),
                **self._environ,
                "VAR_DIR": str(self.var_dir),
                "AMQP_URL": "",
                "DATABASE_URL": "",
                "AUTH_JWKS_FILE": str(self.keys_dir / "jwks.json"),
                "SERVICE_KEY_FILE": str(self.keys_dir / f"{name}.key.json"),
                "SEAL_KEY_FILE": str(self.keys_dir / "seal.key.json"),
                "SANDBOX": "on" if self.with_sandbox else "off",
            }
        )
        return Runtime.open(service, settings)

    def _sandboxed(self, name: str) -> dict[str, str]:
        """Where the sandbox stands in for the outside, unless the operator names the real thing."""
        sandbox_url = self.settings.url_of("sandbox")
        return {
            "SMTP_URL": f"smtp://127.0.0.1:{self.settings.port_base + SMTP_OFFSET}",
            "STRIPE_API_BASE": f"{sandbox_url}/stripe",
            "STRIPE_JS_URL": f"{sandbox_url}/stripe/js/v3/",
            "PAYPAL_API_BASE": f"{sandbox_url}/paypal",
            "PAYPAL_CHECKOUT_URL": f"{sandbox_url}/paypal/cgi-bin/webscr",
            "PAYPAL_IPN_VERIFY_URL": f"{sandbox_url}/paypal/cgi-bin/webscr",
            "CALLBACK_BASE_URL": self.settings.url_of(name),
        }
