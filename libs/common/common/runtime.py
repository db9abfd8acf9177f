"""A service as it runs: its page, its settings, its database, and how it asks the other services."""

import socket
import threading
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from common.auth import SERVICE_TOKEN_SECONDS, Signer, Verifier
from common.context import correlation_id
from common.db import Database
from common.errors import Unavailable
from common.inbox import Consumer
from common.pay_link import PayLinks
from common.sealing import Sealer
from common.service import Service
from common.settings import Settings, SettingsError

PEER_TIMEOUT_SECONDS = (1.0, 3.0)
BUS_PROBE_SECONDS = 1.0


@dataclass
class Runtime:
    """What a service's edges are given."""

    service: Service
    settings: Settings
    database: Database
    metrics_dir: str | None = None
    wake_jobs: threading.Event = field(default_factory=threading.Event)
    _local: threading.local = field(default_factory=threading.local)

    @classmethod
    def open(
        cls, service: Service, settings: Settings, metrics_dir: str | None = None, *, for_web: bool = False
    ) -> "Runtime":
        """`for_web`: its database is used as the web role, which row-level security holds for, where there is one."""
        web_url = settings.web_database_url if for_web else ""
        database = Database(
            web_url or settings.database_url_for(service.name),
            pool_size=settings.database_pool_size,
            application_name=f"remit-{service.name}",
            is_confined=web_url != "",
        )
        return cls(service, settings, database, metrics_dir)

    @property
    def jwks(self) -> Path:
        """The file with everybody's public keys, which changes while we run."""
        return self._key_file(self.settings.auth_jwks_file, "jwks.json", "AUTH_JWKS_FILE")

    @cached_property
    def verifier(self) -> Verifier:
        return Verifier(self.jwks)

    @cached_property
    def signer(self) -> Signer:
        name = f"{self.service.name}.key.json"
        return Signer(self._key_file(self.settings.service_key_file, name, "SERVICE_KEY_FILE"))

    @cached_property
    def pay_links(self) -> PayLinks:
        return PayLinks(self.settings.portal, self.signer)

    @cached_property
    def sealer(self) -> Sealer:
        return Sealer(self._key_file(self.settings.seal_key_file, "seal.key.json", "SEAL_KEY_FILE"))

    def _key_file(self, named: Path | None, name: str, variable: str) -> Path:
        """The file that is named, or else what `make run` made."""
        path = named or self.settings.var_dir / "keys" / name
        if not path.is_file():
            raise SettingsError(f"{variable} is not set, and there is no {path}")
        return path

    @property
    def consumer(self) -> Consumer:
        return Consumer(self.service.name, self.database, self.service.handlers)

    def ask(
        self, peer: str, method: str, path: str, *, scope: str, business_id: str, actor: dict[str, str] | None = None,
        timeout: tuple[float, float] = PEER_TIMEOUT_SECONDS, **options: Any,
    ) -> requests.Response:  # fmt: skip
        """Call another service as this one, or for `actor`; raises Unavailable when it does not answer in time or
        answers 5xx."""
        if actor is None:
            token = self.signer.service_token(self.service.name, scope, business_id)
        else:
            token = self.signer.sign(self.service.name, scope, business_id, SERVICE_TOKEN_SECONDS, actor)
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        if (correlation := correlation_id()) is not None:
            headers["X-Correlation-Id"] = correlation
        try:
            answer = self._http.request(
                method,
                self.settings.url_of(peer) + path,
                headers=headers,
                timeout=timeout,
                **options,
            )
        except requests.RequestException as error:
            raise Unavailable(
                f"{peer}_unavailable", f"The {peer} service does not answer; try again in a moment."
            ) from error
        if answer.status_code >= 500:
            raise Unavailable(
                f"{peer}_unavailable", f"The {peer} service cannot answer right now; try again in a moment."
            )
        return answer

    @property
    def _http(self) -> requests.Session:
        if not hasattr(self._local, "http"):
            self._local.http = requests.Session()  # one per thread: connections are kept alive, never shared
        return self._local.http  # type: ignore[no-any-return]

    def readiness(self) -> dict[str, str]:
        """What this service needs, each `ok` or why it is not."""
        checks = {"database": _probe(self.database.ping)}
        if self.settings.amqp_url:
            checks["bus"] = _probe(lambda: _reach(self.settings.amqp_url))
        else:
            checks["bus"] = "ok"  # the outbox itself
        return checks


def _probe(check: Any) -> str:
    started = time.monotonic()
    try:
        check()
    except Exception as error:
        return f"away ({type(error).__name__} after {time.monotonic() - started:.1f} s)"
    return "ok"


def _reach(url: str) -> None:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "localhost", parts.port or 5672), BUS_PROBE_SECONDS):
        pass
