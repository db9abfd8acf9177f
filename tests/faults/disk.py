"""A full disk beneath all that one process keeps (`make run`), or beneath PostgreSQL; and no file left to open."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from tests.faults.away import during, stopped
from tests.faults.experiment import Experiment, Run
from tests.faults.load import Load, at_rate
from tests.harness.embedded import Embedded

SIZE_MB = 64
ROOM_MB = 16  # on the disk beneath the tables, for what comes beside them until it is filled
WEB = "payments-web"
WRITTEN = ("payments", "receipts", "outbox")
PER_SECOND = 8.0
CHUNK = 65_536


def full(run: Run) -> None:
    """Payments until the disk is full, while it is, and after."""
    if os.geteuid() != 0:
        run.figure("not run: only root may mount a file system of its own", "")
        return
    with _small_disk(SIZE_MB) as folder:
        remit = Embedded(folder)
        try:
            _fill_and_free(run, remit, folder)
        finally:
            remit.kill()


def _fill_and_free(run: Run, remit: Embedded, folder: Path) -> None:
    body = {"name": "Full Disk", "email": "full@example.com"}
    client_id = remit.call("POST", "billing", "/clients", json=body).json()["id"]
    statuses: dict[str, list[int]] = {"before": [], "full": [], "after": []}
    rounds = 20 if run.quick else 200

    def pay(when: str) -> int:
        key = f"{when}-{len(statuses[when])}"
        paid = {"client_id": client_id, "amount_minor": 100, "method": "cash"}
        answer = remit.call("POST", "payments", "/payments", json=paid, headers={"Idempotency-Key": key})
        statuses[when].append(answer.status_code)
        return answer.status_code

    for _ in range(rounds):
        pay("before")
    filler = folder / "filler"
    began = time.monotonic()
    for _ in range(rounds):
        _fill(filler)  # what a checkpoint has freed meanwhile, too
        pay("full")
    run.figure("requests while it was full", f"{rounds}: {_counted(statuses['full'])}")
    run.figure("  slowest on average, s", (time.monotonic() - began) / rounds)
    filler.unlink()
    freed = time.monotonic()
    run.system.eventually(lambda: pay("after") == 201, "a payment to be taken again", 60)
    run.figure("first 201 after it was freed, s", time.monotonic() - freed)
    for _ in range(rounds):
        pay("after")
    wanted = 100 * sum(status == 201 for each in statuses.values() for status in each)
    run.require("some were refused for the full disk", set(statuses["full"]) != {201}, _counted(statuses["full"]))
    run.require("answered 201, 503 or 507", {s for each in statuses.values() for s in each} <= {201, 503, 507})
    run.system.eventually(lambda: remit.balance(client_id)["balance_minor"] == wanted, "the balance", 60)
    run.require("the balance is what was answered 201", True, f"{wanted:,}")
    remit.stop()
    for path in sorted(remit.var_dir.glob("*.sqlite")):
        with closing(sqlite3.connect(path)) as connection:
            found = connection.execute("PRAGMA integrity_check").fetchone()[0]
        run.require(f"{path.name} is whole", found == "ok", found)


def _counted(statuses: list[int]) -> dict[int, int]:
    return {status: statuses.count(status) for status in sorted(set(statuses))}


def _fill(path: Path) -> None:
    with path.open("ab", buffering=0) as filler:
        for size in (CHUNK, 4_096, 1):
            try:
                while filler.write(b"\0" * size) == size:
                    pass
            except OSError:
                continue


@contextmanager
def _small_disk(size_mb: int) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="remit-disk-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def beneath_the_database(run: Run) -> None:
    """What payments writes with every payment lies on a disk of its own, which is full under load."""
    if os.geteuid() != 0 or run.stage.servers.kind != "local":
        run.figure("not run: it needs root, and PostgreSQL on this machine (TEST_SERVERS=local)", "")
        return
    with _small_disk(_rewritten_mb(run) + ROOM_MB) as folder, _tables_at(run, folder / "space"):
        load = during(run, _filled(folder / "filler"), stopped(run))
    refused = sum(attempt.status == 503 for attempt in load.attempts)
    run.require("some were answered 503, as there was no room", refused > 0, refused)


def _rewritten_mb(run: Run) -> int:
    """The size of the tables, each written anew: rows of before left room in their pages, which may be enough for the
    whole load. It is done before they move, as it needs as much room again."""
    size_bytes = 0
    with psycopg.connect(run.system.database_url("payments"), autocommit=True) as payments:
        for table in WRITTEN:
            payments.execute(sql.SQL("VACUUM FULL {}").format(sql.Identifier(table)))
            size_bytes += payments.execute("SELECT pg_table_size(%s)", [table]).fetchone()[0]  # type: ignore[index]
    return size_bytes // 1_000_000 + 1


@contextmanager
def _tables_at(run: Run, folder: Path) -> Iterator[None]:
    folder.mkdir()
    for path in (folder.parent, folder):
        shutil.chown(path, "postgres", "postgres")
    with (
        psycopg.connect(run.stage.servers.database.url, autocommit=True) as server,
        psycopg.connect(run.system.database_url("payments"), autocommit=True) as payments,
    ):
        server.execute(sql.SQL("CREATE TABLESPACE small LOCATION {}").format(str(folder)))
        try:
            _move(payments, "small")
            yield
        finally:
            _move(payments, "pg_default")
            server.execute("DROP TABLESPACE small")


def _move(payments: psycopg.Connection, space: str) -> None:
    for table in WRITTEN:
        payments.execute(sql.SQL("ALTER TABLE {} SET TABLESPACE {}").format(*map(sql.Identifier, (table, space))))


@contextmanager
def _filled(path: Path) -> Iterator[None]:
    _fill(path)
    try:
        yield
    finally:
        path.unlink()


def no_file_left(run: Run) -> None:
    """Each of payments' web processes may open no more files than it has open by now; their parent may, as it starts
    others for those that end over it."""
    business, clients = run.stage.studio(5)
    run.stage.settle()
    load = Load(
        run.system, business, clients, count=None, seed=run.seed, may_send=at_rate(PER_SECOND), request_seconds=5.0
    ).start()
    try:
        time.sleep(3)
        parent = psutil.Process(run.system.pid(WEB))
        held = {process: process.rlimit(psutil.RLIMIT_NOFILE) for process in parent.children(recursive=True)}
        began = time.monotonic()
        for process, (_, most) in held.items():
            process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds(), most))
        pace = at_rate(PER_SECOND)
        crowd = [
            Load(run.system, business, clients, count=20, seed=run.seed + n, may_send=pace, request_seconds=5.0).start()
            for n in range(1, 4)
        ]
        time.sleep(8.0 if run.quick else 30.0)
        for process, limits in held.items():
            with contextlib.suppress(psutil.NoSuchProcess):  # its parent has started another one
                process.rlimit(psutil.RLIMIT_NOFILE, limits)
        ended = time.monotonic()
        gone = sum(not process.is_running() for process in held)
        for each in crowd:
            each.finish()
        time.sleep(3)
    finally:
        load.finish()
    every = [load, *crowd]
    attempts = [attempt for each in every for attempt in each.attempts]
    meanwhile = [attempt.status for attempt in attempts if began <= attempt.began <= ended]
    first = min(a.began + a.seconds for a in attempts if a.status == 201 and a.began + a.seconds > ended)
    run.stage.settle()
    run.figure("requests meanwhile, by status (0: no answer)", _counted(meanwhile))
    run.figure("processes that ended over it, and were started again", gone)
    run.figure("first 201 after its end, s", first - ended)
    # One that ended with nothing in hand cost no answer: whoever asked was connected to another one.
    run.require("it was felt", gone > 0 or set(meanwhile) != {201}, f"{_counted(meanwhile)}, {gone} ended")
    statuses = _counted([attempt.status for attempt in attempts])
    run.require("answered 201 or 503, or not at all", set(statuses) <= {0, 201, 409, 503}, statuses)
    refused = [why for each in every for why in each.refused]
    run.require("every payment was answered 201 in the end", not refused, refused[:3] or "")


EXPERIMENTS = [
    Experiment("disk-full", "the disk is full under one process with SQLite", full),
    Experiment("disk-beneath", "the disk beneath PostgreSQL is full under load", beneath_the_database),
    Experiment("files-out", "payments' web may open no more files", no_file_left),
]
