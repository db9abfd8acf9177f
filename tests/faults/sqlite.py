"""SQLite: what one process keeps is killed in the middle of writing, and eight processes write one file."""

import contextlib
import sqlite3
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import requests

from common.settings import PORT_OFFSETS
from common.testing import free_port_base
from tests.faults.experiment import Experiment, Run
from tests.faults.load import quantile
from tests.harness.embedded import Embedded
from tests.harness.system import REMIT

THREADS = 4
WRITERS = 8
CONNECTIONS = 16
AMOUNT_MINOR = 100
LONGEST_PAUSE_SECONDS = 1.0
AGAIN_SECONDS = 90.0


def killed(run: Run) -> None:
    """Payments are asked for again under their keys until they are answered, whatever happens to the process."""
    kills = 4 if run.quick else 20
    with tempfile.TemporaryDirectory(prefix="remit-sqlite-") as name:
        remit = Embedded(Path(name))
        try:
            _kill_while_paid(run, remit, kills)
            remit.stop()
        finally:
            remit.kill()
        _whole(run, remit.var_dir)


def _kill_while_paid(run: Run, remit: Embedded, kills: int) -> None:
    body = {"name": "Often Killed", "email": "killed@example.com"}
    client_id = remit.call("POST", "billing", "/clients", json=body).json()["id"]
    is_over = threading.Event()
    tries: list[int] = []

    def pay(thread: int) -> int:
        number = 0
        while not is_over.is_set():
            tries.append(_pay_until_answered(remit, client_id, f"{thread}-{number}"))
            number += 1
        return number

    with ThreadPoolExecutor(THREADS) as pool:
        asked = [pool.submit(pay, thread) for thread in range(THREADS)]
        for _ in range(kills):
            time.sleep(run.random.uniform(0.2, LONGEST_PAUSE_SECONDS))
            remit.kill()
            remit.start()
        is_over.set()
        count = sum(future.result() for future in asked)
    run.figure("kills; payments, requests", f"{kills}; {count}, {sum(tries)}")
    wanted = count * AMOUNT_MINOR
    run.system.eventually(lambda: remit.balance(client_id)["balance_minor"] >= wanted, "the balance", 60)
    balance = remit.balance(client_id)["balance_minor"]
    run.require("the balance is what was answered 201", balance == wanted, f"{balance:,}")


def _pay_until_answered(remit: Embedded, client_id: str, key: str) -> int:
    """How many requests it took."""
    body = {"client_id": client_id, "amount_minor": AMOUNT_MINOR, "method": "cash"}
    tries, deadline = 0, time.monotonic() + AGAIN_SECONDS
    while time.monotonic() < deadline:
        tries += 1
        with contextlib.suppress(requests.RequestException):
            headers = {"Idempotency-Key": key}
            if remit.call("POST", "payments", "/payments", json=body, headers=headers).status_code == 201:
                return tries
        time.sleep(0.2)
    raise AssertionError(f"no 201 for {key} in {AGAIN_SECONDS:.0f} s")


def _whole(run: Run, folder: Path) -> None:
    found = {}
    for path in sorted(folder.glob("*.sqlite")):
        with closing(sqlite3.connect(path)) as connection:
            found[path.name] = connection.execute("PRAGMA integrity_check").fetchone()[0]
    run.require("every file is whole", bool(found) and set(found.values()) == {"ok"}, found)


def many_writers(run: Run) -> None:
    """Billing's web in eight processes on one file: a transfer is asked for and answered, never refused for a lock."""
    seconds = 8.0 if run.quick else 60.0
    with tempfile.TemporaryDirectory(prefix="remit-sqlite-") as name:
        base = free_port_base()
        environ = {
            **run.system.environ("billing"),
            "VAR_DIR": name,
            "PORT_BASE": str(base),
            "WEB_WORKERS": str(WRITERS),
        }
        del environ["DATABASE_URL"], environ["WEB_DATABASE_URL"]
        subprocess.run([*REMIT, "billing", "migrate"], env=environ, check=True, capture_output=True, timeout=180)
        with (Path(name) / "web.log").open("wb") as log:
            web = subprocess.Popen([*REMIT, "billing", "web"], env=environ, stdout=log, stderr=log)
        try:
            written = _write_at_once(run, f"http://127.0.0.1:{base + PORT_OFFSETS['billing']}", seconds)
        finally:
            web.terminate()
            web.wait(30)
        with closing(sqlite3.connect(Path(name) / "billing.sqlite")) as connection:
            (kept,) = connection.execute("SELECT count(*) FROM transfers").fetchone()
        run.require("the file has every one of them", kept == written, kept)
        said = (Path(name) / "web.log").read_text().count("database is locked")
        run.require("no process met 'database is locked'", said == 0, said)
        _whole(run, Path(name))


def _write_at_once(run: Run, url: str, seconds: float) -> int:
    """How many transfers were answered."""
    headers = {"Authorization": f"Bearer {run.system.token()}"}

    def ask(http: requests.Session, method: str, path: str, **options: Any) -> requests.Response:
        return http.request(
            method, url + path, headers={**headers, **options.pop("headers", {})}, timeout=60, **options
        )

    run.system.eventually(lambda: requests.get(f"{url}/healthz", timeout=2).ok, "billing to answer", 120)
    with requests.Session() as http:
        made = ask(http, "POST", "/v1/businesses", json={"name": "Writers", "currency": "USD", "time_zone": "UTC"})
        assert made.status_code == 201, made.text
        business = f"/v1/businesses/{made.json()['id']}"
        client_id = ask(http, "POST", f"{business}/clients", json={"name": "One"}).json()["id"]
        until = time.monotonic() + seconds

        def write(thread: int) -> list[tuple[int, float]]:
            answers = []
            with requests.Session() as mine:
                while (began := time.monotonic()) < until:
                    body = {"kind": "credit", "amount_minor": AMOUNT_MINOR, "reason": f"{thread}/{len(answers)}"}
                    answer = ask(mine, "POST", f"{business}/clients/{client_id}/adjustments", json=body)
                    answers.append((answer.status_code, time.monotonic() - began))
            return answers

        with ThreadPoolExecutor(CONNECTIONS) as pool:
            answers = [found for part in pool.map(write, range(CONNECTIONS)) for found in part]
        times = [taken for _, taken in answers]
        statuses = sorted({status for status, _ in answers})
        run.figure("processes, requests", f"{WRITERS}, {len(answers)}")
        run.figure("  99 of 100 within, s; slowest", f"{quantile(times, 0.99):.2f}; {max(times):.2f}")
        run.require("every request was answered 201", statuses == [201], statuses)
        balance = ask(http, "GET", f"{business}/clients/{client_id}/balance").json()["balance_minor"]
        run.require("the balance is what was answered 201", balance == AMOUNT_MINOR * len(answers), f"{balance:,}")
    return len(answers)


EXPERIMENTS = [
    Experiment("sqlite-killed", "kill -9 of one process with SQLite in the middle of writing", killed),
    Experiment("sqlite-writers", "eight processes write one SQLite file", many_writers),
]
