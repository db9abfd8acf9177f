"""A new version takes the old one's place, process by process, while payments flow: its migration runs on the live
database, and both versions serve, send and receive side by side.

The new version is a copy of this code in which payments has one more column that may be empty, written by it, and its
event one more field. It shows that an additive change can be rolled out, and back, without a pause; not that each
change to come is additive.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg
import requests

import common
import payments
from common.testing import free_port_base
from tests.faults.experiment import Experiment, Run
from tests.faults.load import Load, at_rate, quantile
from tests.harness.system import REMIT, SERVICES

CLIENTS = 10
PER_SECOND = 8.0
SIDE_BY_SIDE_SECONDS = 3.0
# After the first try, one more: the web that was asked first had just ended.
TRIES_AT_MOST = 2
WEB, BESIDE = "payments-web", "payments-web-2"
# Receivers first, as they must understand both; the second billing worker last, so that it reads the new sender.
WORKERS = ["billing-worker", "notifications-worker", "payments-worker", "billing-worker-2"]
COLUMN = "rehearsed"
MIGRATION = f'''import sqlalchemy as sa
from alembic import op

revision = "payments_9999"
down_revision = "{{head}}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payments", sa.Column("{COLUMN}", sa.String(10)))
'''


class Version:
    """The new version in a folder of its own; `environ` is what starts it instead of the old one."""

    def __init__(self, folder: Path) -> None:
        here, there = Path(payments.__file__).parents[1], folder / "payments"
        shutil.copytree(here, there)
        shutil.copytree(Path(common.__file__).parent, folder / "common" / "common")
        shown = sorted((there / "migrations").glob("*.py"))[-1].read_text()
        found = re.search(r'^revision = "(\w+)"', shown, re.MULTILINE)
        assert found is not None, shown
        self.head = found[1]
        (there / "migrations" / "9999_rehearsed.py").write_text(MIGRATION.format(head=self.head))
        _add_line(
            there / "payments" / "models.py", "    dispute_state: Mapped",
            f'    {COLUMN}: Mapped[str | None] = mapped_column(String(10), default="new")',
        )  # fmt: skip
        _add_line(
            folder / "common" / "common" / "events" / "payments.py", "    received_on: date = Field(",
            f'    {COLUMN}: str | None = "new"',
        )  # fmt: skip
        folders = [str(there), str(folder / "common"), os.environ.get("PYTHONPATH", "")]
        self.environ = {"PYTHONPATH": os.pathsep.join(filter(None, folders))}


def _add_line(path: Path, after: str, line: str) -> None:
    text = path.read_text()
    assert text.count(after) == 1, f"{path} has not one line that begins {after!r}"
    start = text.index("\n", text.index(after)) + 1
    path.write_text(text[:start] + line + "\n" + text[start:])


def rolled(run: Run) -> None:
    new = Version(run.system.folder / f"new-{run.seed}")
    business, clients = run.stage.studio(CLIENTS)
    pace = at_rate(PER_SECOND)
    load = Load(run.system, business, clients, count=None, seed=run.seed, may_send=pace).start()
    try:
        time.sleep(SIDE_BY_SIDE_SECONDS)
        run.figure("its migration on the live database, s", _migrate(run, new))
        time.sleep(SIDE_BY_SIDE_SECONDS)
        for version, environ in [("new", new.environ), ("old", {}), ("new", new.environ)][: 2 if run.quick else 3]:
            began = time.monotonic()
            _roll(run, load, environ)
            run.figure(f"all processes of the {version} version after, s", time.monotonic() - began)
    finally:
        load.finish()
        if not run.quick:
            _roll(run, load, {})
        run.stage.settle()
        _take_back(run, new)
    _judge(run, load, business.id)


def _migrate(run: Run, new: Version) -> float:
    began = time.monotonic()
    subprocess.run(
        [*REMIT, "payments", "migrate"], env={**run.system.environ("payments"), **new.environ}, cwd=run.system.folder,
        check=True, capture_output=True, timeout=180,
    )  # fmt: skip
    return time.monotonic() - began


def _roll(run: Run, load: Load, environ: dict[str, str]) -> None:
    """A second web beside the first, which is then replaced, and each worker after it."""
    system, base = run.system, free_port_base()
    peers = {f"{name.upper().replace('-', '_')}_URL": system.url(name) for name in SERVICES}
    usual = system.url("payments")
    beside = f"http://127.0.0.1:{int(usual.rpartition(':')[2]) - system.port_base + base}"
    system.start(BESIDE, **environ, **peers, PORT_BASE=str(base))
    system.eventually(lambda: requests.get(f"{beside}/healthz", timeout=2).ok, "the web beside", 60)
    load.entrances = [usual, beside]
    time.sleep(SIDE_BY_SIDE_SECONDS)
    system.kill(WEB, signal.SIGTERM)
    system.start(WEB, **environ)
    system.wait_ready(WEB)
    time.sleep(1)
    system.kill(BESIDE, signal.SIGTERM)
    load.entrances = [usual]
    for name in WORKERS:
        system.kill(name, signal.SIGTERM)
        system.start(name, **environ)
        time.sleep(SIDE_BY_SIDE_SECONDS)


def _judge(run: Run, load: Load, business_id: str) -> None:
    told = dict(
        run.system.sql(
            "payments",
            f"SELECT body LIKE '%%\"{COLUMN}\"%%', count(*) FROM outbox WHERE routing_key LIKE %s AND body LIKE %s"
            " GROUP BY 1",
            "payments.payment_recorded.%", f"%{business_id}%",
        )
    )  # fmt: skip
    seconds = [attempt.seconds for attempt in load.attempts]
    run.figure("payments, requests", f"{len(load.paid)}, {len(load.attempts)}")
    run.figure("  99 of 100 within, s; slowest", f"{quantile(seconds, 0.99):.1f}; {max(seconds):.1f}")
    run.figure("events of the old version, of the new one", f"{told.get(False, 0)}, {told.get(True, 0)}")
    run.require("both versions recorded payments", told.get(False, 0) > 0 and told.get(True, 0) > 0, told)
    run.require("every payment was answered 201", not load.refused, load.refused[:3] or "")
    run.require(
        f"each within {TRIES_AT_MOST} tries", max(load.tries.values()) <= TRIES_AT_MOST, max(load.tries.values())
    )
    statuses = sorted({attempt.status for attempt in load.attempts})
    run.require("answered 201, or nobody took it (0)", set(statuses) <= {0, 201}, statuses)


def _take_back(run: Run, new: Version) -> None:
    """The column is not this code's: whoever migrates after this experiment finds what this code knows."""
    with psycopg.connect(run.system.database_url("payments")) as connection:
        connection.execute(f"ALTER TABLE payments DROP COLUMN IF EXISTS {COLUMN}")
        connection.execute(
            "UPDATE alembic_version SET version_num = %s WHERE version_num = 'payments_9999'", [new.head]
        )


EXPERIMENTS = [Experiment("rolling", "a new version with a migration takes the old one's place under load", rolled)]
