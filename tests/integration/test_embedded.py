"""The same story on the embedded bus: one process, as `make run` starts it."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from common.testing import eventually, free_port_base
from tests.integration import gate, story

START_SECONDS = 60


class Embedded:
    """A `make run` of its own, and its first business."""

    def __init__(self, folder: Path) -> None:
        self.var_dir = folder / "var"
        self._environ = {**os.environ, "VAR_DIR": str(self.var_dir), "PORT_BASE": str(free_port_base()), "DEMO": "off"}
        self._http = requests.Session()
        self._log = folder / "run.log"
        self.start()

    def start(self) -> None:
        (self.var_dir / "endpoints.json").unlink(missing_ok=True)
        self.process = self.spawn()
        eventually(self._is_up, "endpoints.json", START_SECONDS)
        self.endpoints = json.loads((self.var_dir / "endpoints.json").read_text())
        self.id = self.endpoints["business_id"]

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.said()
        return (self.var_dir / "endpoints.json").exists()

    def spawn(self) -> "subprocess.Popen[bytes]":
        # To a file: a pipe that nobody reads fills up, and whoever writes to it stands still.
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "embedded"], env=self._environ, stdout=log, stderr=subprocess.STDOUT
            )

    def said(self) -> str:
        return self._log.read_text()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def url(self, service: str) -> str:
        return str(self.endpoints[service])

    def call(self, method: str, service: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.endpoints['token']}", **options.pop("headers", {})}
        url = f"{self.url(service)}/v1/businesses/{self.id}{path}"
        return self._http.request(method, url, headers=headers, timeout=60, **options)


@pytest.fixture
def remit(tmp_path: Path) -> Iterator[Embedded]:
    running = Embedded(tmp_path)
    yield running
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(30) == 0


def test_the_story(remit: Embedded) -> None:
    story.tell(remit)
    assert stat.S_IMODE((remit.var_dir / "endpoints.json").stat().st_mode) == 0o600


def test_the_gate_under_concurrency(remit: Embedded) -> None:
    gate.check_two_at_once(remit)
    for price_minor, balance_minor, expected in gate.CROWDS:
        gate.check_many_at_once(remit, price_minor, balance_minor, expected)


def test_a_second_run_on_the_same_folder_is_refused(remit: Embedded) -> None:
    second = remit.spawn()
    assert second.wait(60) == 1
    assert "another `make run` is using" in remit.said()


def test_nothing_is_lost_by_kill_9(remit: Embedded) -> None:
    story.add_example_clients(remit)
    made = story.upload_example(remit)
    for _ in range(3):
        remit.kill()
        remit.start()
    again = story.upload_example(remit, allow_duplicates=True)
    remit.kill()
    remit.start()
    story.check_example(remit, made, times=2)
    numbers = [payment["receipt_number"] for payment in story.pages(remit, "payments", "/payments")]
    assert sorted(numbers) == list(range(1, 401))
    assert again["count"] == 200
