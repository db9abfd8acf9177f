"""The sandbox as a process of its own, and embedded in another."""

from __future__ import annotations

import os
import signal
import smtplib
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from sandbox_driver import SECONDS, letter

import sandbox

ROOT = Path(__file__).parents[1]


def launch(port_base: int, folder: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PORT_BASE": str(port_base), "SANDBOX_DIR": str(folder)}
    process = subprocess.Popen([sys.executable, "-m", "sandbox"], cwd=ROOT, env=environment)  # noqa: S603
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        try:
            requests.get(f"http://127.0.0.1:{port_base + sandbox.box.WEB_OFFSET}/healthz", timeout=1)
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return process
    process.kill()
    raise AssertionError("the sandbox did not start")


def send(port_base: int, count: int) -> None:
    with smtplib.SMTP("127.0.0.1", port_base + sandbox.box.SMTP_OFFSET, timeout=SECONDS) as client:
        for _ in range(count):
            client.send_message(letter())


def total(port_base: int) -> int:
    url = f"http://127.0.0.1:{port_base + sandbox.box.WEB_OFFSET}/mail/summary"
    return int(requests.get(url, timeout=SECONDS).json()["deliveries"])


def test_mail_survives_kill_and_restart(tmp_path: Path, port_base: int) -> None:
    process = launch(port_base, tmp_path)
    send(port_base, 30)
    process.kill()
    process.wait(SECONDS)
    process = launch(port_base, tmp_path)
    assert total(port_base) == 30
    send(port_base, 1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 0
    process = launch(port_base, tmp_path)
    assert total(port_base) == 31
    process.terminate()
    assert process.wait(SECONDS) == 0


def test_stop_with_open_connections_is_quick(tmp_path: Path, port_base: int) -> None:
    running = sandbox.start("127.0.0.1", port_base, tmp_path)
    with (
        smtplib.SMTP("127.0.0.1", running.smtp_port, timeout=SECONDS) as client,
        socket.create_connection(("127.0.0.1", port_base + sandbox.box.WEB_OFFSET)) as idle,
    ):
        begin = time.monotonic()
        running.stop()
        running.stop()
        assert time.monotonic() - begin < 3
        assert idle.recv(1) == b""
        client.close()
    again = sandbox.start("127.0.0.1", port_base, tmp_path)
    again.stop()


@pytest.mark.parametrize("offset", [sandbox.box.WEB_OFFSET, sandbox.box.SMTP_OFFSET])
def test_a_taken_port_leaves_nothing_running(tmp_path: Path, port_base: int, offset: int) -> None:
    with socket.create_server(("127.0.0.1", port_base + offset)), pytest.raises(OSError, match="in use"):
        sandbox.start("127.0.0.1", port_base, tmp_path)
    sandbox.start("127.0.0.1", port_base, tmp_path).stop()


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mail.sqlite3"
    sandbox.MailStore(path).close()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(RuntimeError, match="layout 99"):
        sandbox.MailStore(path)


def test_memory_store() -> None:
    store = sandbox.MailStore()
    assert store.add("a@t", ["b@t"], b"Subject: s\r\n\r\nx") == 1
    assert store.tally() == (1, 0)
    assert store.clear() == 1
    store.close()
    store.close()


def test_a_bad_port_base_is_told(tmp_path: Path) -> None:
    environment = os.environ | {"PORT_BASE": "many", "SANDBOX_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "sandbox"]
    done = subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,  # noqa: S603
        timeout=30,
    )
    assert done.returncode == 2
    assert b"PORT_BASE" in done.stderr
