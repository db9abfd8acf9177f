"""A `make run` of its own: everything in one process, with the sandbox."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests

from common.testing import eventually, free_port_base

START_SECONDS = 120
STOP_SECONDS = 30


class Embedded:
    """Started in `folder`, with the demo business or with an empty one. `endpoints` is what it wrote down."""

    def __init__(self, folder: Path, *, demo: bool = False, **environ: str) -> None:
        self.var_dir = folder / "var"
        self.environ = {
            **os.environ, "VAR_DIR": str(self.var_dir), "PORT_BASE": str(free_port_base()),
            "DEMO": "on" if demo else "off", **environ,
        }  # fmt: skip
        self._http = requests.Session()
        self._log = folder / "run.log"
        self.start()

    def start(self) -> None:
        (self.var_dir / "endpoints.json").unlink(missing_ok=True)
        self.process = self.spawn()
        eventually(self._is_up, "endpoints.json", START_SECONDS)
        self.endpoints: dict[str, Any] = json.loads((self.var_dir / "endpoints.json").read_text())
        self.id = str(self.endpoints["business_id"])

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.said()
        return (self.var_dir / "endpoints.json").exists()

    def spawn(self) -> "subprocess.Popen[bytes]":
        # To a file: a pipe that nobody reads fills up, and whoever writes to it stands still.
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "embedded"], env=self.environ, stdout=log, stderr=subprocess.STDOUT
            )

    def said(self) -> str:
        return self._log.read_text()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(STOP_SECONDS) == 0

    def url(self, service: str) -> str:
        return str(self.endpoints[service])

    def call(self, method: str, service: str, path: str, business_id: str = "", **options: Any) -> requests.Response:
        """Ask a service as the operator; of the first business unless told."""
        headers = {"Authorization": f"Bearer {self.endpoints['token']}", **options.pop("headers", {})}
        url = f"{self.url(service)}/v1/businesses/{business_id or self.id}{path}"
        return self._http.request(method, url, headers=headers, timeout=60, **options)

    def balance(self, client_id: str) -> dict[str, Any]:
        return dict(self.call("GET", "billing", f"/clients/{client_id}/balance").json())

    def client_called(self, name: str) -> str:
        """The id of the client whose name begins so."""
        return str(self.call("GET", "billing", "/clients", params={"q": name}).json()["items"][0]["id"])

    # --- the sandbox ---

    def mails_to(self, address: str) -> list[dict[str, Any]]:
        """What is in the sandbox's mail box of somebody, the newest first."""
        answer = requests.get(f"{self.url('sandbox')}/mail/messages", params={"to": address}, timeout=10)
        return list(answer.json()["items"])

    def faults(self, wanted: dict[str, Any]) -> None:
        assert requests.put(f"{self.url('sandbox')}/faults", json=wanted, timeout=10).ok
