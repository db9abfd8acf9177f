"""A backup of SQLite files in use is one instant of all of them, and restoring believes only what it can check."""

import fcntl
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from common import auth, backup, migrate, sealing, service
from common.backup import BackupSettings, Place, mend
from common.backup.manifest import BackupError
from common.db import Database
from common.inbox import InboxRow
from common.outbox import OutboxRow

SENDER, RECEIVER = "payments", "billing"
KEY = "payments.payment_recorded.v1"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PASSPHRASE = "a passphrase of the tests"


class Var:
    """A folder as `make run` keeps it, with two of its services."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = self.placed()
        auth.make_keys(folder / "keys")
        sealing.make_key(folder / "keys" / "seal.key.json")
        self.databases = {name: Database(f"sqlite:///{folder / name}.sqlite") for name in (SENDER, RECEIVER)}
        for name, database in self.databases.items():
            migrate.upgrade(service.find(name), database)

    def placed(self, **environ: str) -> Place:
        told = {
            "VAR_DIR": str(self.folder), "SERVICES": f"{SENDER} {RECEIVER}", "BACKUP_PASSPHRASE": PASSPHRASE, **environ
        }  # fmt: skip
        return Place.read(BackupSettings.read(told))

    def send(self, number: int) -> None:
        with self.databases[SENDER].write() as session:
            session.add(
                OutboxRow(
                    event_id=f"e{number}", business_id="b", type="PaymentRecorded", routing_key=KEY, body="{}",
                    occurred_at=NOW, published_at=NOW, position=number,
                )
            )  # fmt: skip

    def receive(self, number: int) -> None:
        with self.databases[RECEIVER].write() as session:
            session.add(
                InboxRow(
                    event_id=f"e{number}", type="PaymentRecorded", business_id="b", state="done", attempts=1,
                    received_at=NOW,
                )
            )  # fmt: skip

    def counts(self) -> Mapping[str, int]:
        found = {}
        for (name, database), table in zip(self.databases.items(), (OutboxRow, InboxRow), strict=True):
            database.close()  # of a file that was replaced
            with database.read() as session:
                found[name] = session.execute(select(func.count()).select_from(table)).scalar_one()
        return found

    def close(self) -> None:
        for database in self.databases.values():
            database.close()


@pytest.fixture
def var(tmp_path: Path) -> Iterator[Var]:
    (tmp_path / "var").mkdir()
    with closing(Var(tmp_path / "var")) as made:
        yield made


def quiet(_line: str) -> None:
    pass


def test_no_service_has_an_event_that_its_sender_does_not_have(var: Var, tmp_path: Path):
    done = threading.Event()

    def live() -> None:
        number = 0
        while not done.is_set():
            number += 1
            var.send(number)
            var.receive(number)

    living = threading.Thread(target=live)
    living.start()
    try:
        made = [backup.make(var.place, tmp_path / f"backups{n}", quiet) for n in range(3)]
    finally:
        done.set()
        living.join()
    seen = []
    for folder in made:
        backup.restore(var.place, folder, quiet, overwrite=True)
        seen.append(var.counts())
    assert all(0 <= counts[SENDER] - counts[RECEIVER] <= 1 for counts in seen), seen
    assert len({counts[SENDER] for counts in seen}) > 1, "they were taken while somebody wrote"


def test_what_nobody_received_is_sent_again_and_positions_go_on_beyond(var: Var):
    for number in range(1, 5):
        var.send(number)
    for number in (1, 3, 4):
        var.receive(number)
    assert mend.send_again(var.databases) == {SENDER: 1, RECEIVER: 0}
    mend.lift_positions(var.databases)
    with var.databases[SENDER].read() as session:
        found = dict(session.execute(select(OutboxRow.event_id, OutboxRow.position)).all())
    assert found == {"e1": 1, "e2": None, "e3": 3, "e4": 4 + mend.LIFT}


def test_refuses_what_is_damaged_in_use_or_alive(var: Var, tmp_path: Path):
    var.send(1)
    made = backup.make(var.place, tmp_path, quiet)
    with pytest.raises(BackupError, match="--overwrite"):
        backup.restore(var.place, made, quiet)
    with (var.folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BackupError, match="Ctrl-C"):
            backup.restore(var.place, made, quiet, overwrite=True)
    changed = made / f"{SENDER}.sqlite"
    changed.write_bytes(changed.read_bytes()[:-1] + b"!")
    var.send(2)
    with pytest.raises(BackupError, match="damaged: payments.sqlite"):
        backup.restore(var.place, made, quiet, overwrite=True)
    changed.unlink()
    with pytest.raises(BackupError, match="damaged: payments.sqlite"):
        backup.restore(var.place, made, quiet, overwrite=True)
    assert var.counts()[SENDER] == 2, "nothing was touched"


def test_another_machine_gets_the_keys_with_the_passphrase_only(var: Var, tmp_path: Path):
    made = backup.make(var.place, tmp_path, quiet)
    sealed = sealing.Sealer(var.place.seal_key_file).seal("sk_live_of_a_studio", "b/key")
    held = [json.loads(path.read_text()) for path in (var.folder / "keys").glob("*.key.json")]
    kept = b"".join(path.read_bytes() for path in made.rglob("*") if path.is_file())
    secrets = [secret for key in held for secret in (key.get("d"), *key.get("keys", {}).values()) if secret]
    assert len(secrets) > 5
    assert not [secret for secret in secrets if secret.encode() in kept]

    other = tmp_path / "other"
    other.mkdir()
    with closing(Var(other)) as machine:
        with pytest.raises(BackupError, match="--keys"):
            backup.restore(machine.place, made, quiet, overwrite=True)
        wrong = machine.placed(BACKUP_PASSPHRASE="not the passphrase")
        with pytest.raises(BackupError, match="not the one"):
            backup.restore(wrong, made, quiet, overwrite=True, with_keys=True)
        backup.restore(machine.place, made, quiet, overwrite=True, with_keys=True)
        assert sealing.Sealer(machine.place.seal_key_file).open(sealed, "b/key") == "sk_live_of_a_studio"
        kids = {jwk["kid"] for jwk in json.loads((other / "keys" / "jwks.json").read_text())["keys"]}
        assert {key["kid"] for key in held if "kid" in key} < kids


def test_only_the_newest_are_kept_and_an_interrupted_one_is_none(var: Var, tmp_path: Path):
    for day in (1, 2, 3):
        old = tmp_path / f"remit-2026010{day}T000000Z"
        old.mkdir()
        (old / "manifest.json").write_text("{}")
    (tmp_path / "remit-20260104T000000Z.part").mkdir()
    made = backup.make(var.place, tmp_path, quiet)
    backup.prune(tmp_path, 2, quiet)
    assert backup.whole(tmp_path) == [tmp_path / "remit-20260103T000000Z", made] == sorted(tmp_path.glob("remit-*"))
    assert backup.choose(tmp_path, "latest") == made
    with pytest.raises(BackupError, match="there are: remit-20260103"):
        backup.choose(tmp_path, "remit-1999")
