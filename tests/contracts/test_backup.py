"""A backup of SQLite files in use is one instant of all of them, and restoring believes only what it can check."""

import fcntl
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from common import auth, backup, clock, migrate, outbox, sealing, service
from common.backup import BackupSettings, Place, command, keys, mend, postgres
from common.backup.manifest import BackupError
from common.db import Database
from common.ids import new_id
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
                held = select(func.count()).select_from(table).where(table.type != mend.FLOOR)
                found[name] = session.execute(held).scalar_one()
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
    mend.lift_positions(var.databases)
    assert mend.send_again(var.databases) == {SENDER: 1, RECEIVER: 0}
    assert positions(var, "e") == {"e1": 1, "e2": None, "e3": 3, "e4": 4}
    assert relayed(var.databases[SENDER]) > 4


def test_each_restore_gives_positions_that_none_gave_before(var: Var, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Also of a feed that was empty, or whose every event is sent again."""
    empty = backup.make(var.place, tmp_path / "empty", quiet)
    for number in (1, 2):
        var.send(number)
    unheard = backup.make(var.place, tmp_path / "unheard", quiet)
    seen = [2]
    for made, later in ((empty, 0), (unheard, 1), (unheard, 2), (empty, 3)):
        monkeypatch.setattr(clock, "now", lambda seconds=later: datetime.now(UTC) + timedelta(seconds=seconds))
        backup.restore(var.place, made, quiet, overwrite=True)
        var.counts()
        seen.append(relayed(var.databases[SENDER]))
    assert seen == sorted(set(seen))
    assert seen[-1] < 2**53, "a reader in JavaScript can tell them apart"


def test_a_clock_that_was_set_back_sends_no_feed_back(var: Var):
    far = 2**52
    var.send(far)
    mend.lift_positions(var.databases)
    assert relayed(var.databases[SENDER]) > far


def positions(var: Var, begins: str) -> dict[str, int | None]:
    with var.databases[SENDER].read() as session:
        wanted = select(OutboxRow.event_id, OutboxRow.position).where(OutboxRow.event_id.startswith(begins))
        return dict(session.execute(wanted).all())


def relayed(database: Database) -> int:
    """The position that the next event gets; what was published long ago is forgotten afterwards."""
    with database.write() as session:
        session.add(
            OutboxRow(
                event_id=new_id(), business_id="b", type="PaymentRecorded", routing_key=KEY, body="{}", occurred_at=NOW
            )
        )  # fmt: skip
    with database.write() as session:
        outbox.mark_published(session, [message.seq for message in outbox.unpublished(session, 100)])
        outbox.forget_old(session)
    with database.read() as session:
        assert session.scalars(select(OutboxRow.event_id).where(OutboxRow.type == mend.FLOOR)).all() == []
        newest = session.execute(select(func.max(OutboxRow.position))).scalar_one()
    assert newest is not None
    return newest


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


def test_without_a_passphrase_another_machine_goes_on_without_the_keys(
    var: Var, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    made = backup.make(var.placed(BACKUP_PASSPHRASE=""), tmp_path, quiet)
    assert not (made / keys.NAME).exists()
    other = tmp_path / "other"
    other.mkdir()
    with closing(Var(other)) as machine:
        with pytest.raises(BackupError, match="--without-keys"):
            backup.restore(machine.place, made, quiet, overwrite=True)
        with pytest.raises(BackupError, match="--without-keys"):
            backup.restore(machine.place, made, quiet, overwrite=True, with_keys=True)
        environ = {"VAR_DIR": str(other), "SERVICES": f"{SENDER} {RECEIVER}", "BACKUP_DIR": str(tmp_path)}
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        assert command.run_restore(["latest", "--overwrite", "--without-keys"]) == 0
    assert "enter its own anew" in capsys.readouterr().out


@pytest.mark.parametrize("lost", ["seal.key.json", "jwks.json"])
def test_no_backup_says_that_it_has_keys_that_are_not_there(var: Var, tmp_path: Path, lost: str):
    (var.folder / "keys" / lost).unlink()
    with pytest.raises(BackupError, match=lost):
        backup.make(var.place, tmp_path, quiet)
    assert list(tmp_path.glob("remit-*")) == []


def test_only_the_newest_are_kept_and_an_interrupted_one_is_none(var: Var, tmp_path: Path):
    for day in (1, 2, 3):
        kept_before(tmp_path, f"remit-2026010{day}T000000Z", "sqlite")
    (tmp_path / "remit-20260104T000000Z.part").mkdir()
    made = backup.make(var.place, tmp_path, quiet)
    backup.prune(tmp_path, "sqlite", 2, quiet)
    assert backup.whole(tmp_path) == [tmp_path / "remit-20260103T000000Z", made] == sorted(tmp_path.glob("remit-*"))
    assert backup.choose(tmp_path, "sqlite", "latest") == made
    with pytest.raises(BackupError, match="there are: remit-20260103"):
        backup.choose(tmp_path, "sqlite", "remit-1999")


def test_backups_of_another_kind_are_neither_counted_nor_taken_for_the_latest(tmp_path: Path):
    mine = kept_before(tmp_path, "remit-20260101T000000Z", "postgresql")
    theirs = [kept_before(tmp_path, f"remit-2026010{day}T000000Z", "sqlite") for day in (2, 3)]
    backup.prune(tmp_path, "sqlite", 1, quiet)
    assert backup.whole(tmp_path) == [mine, theirs[1]]
    assert backup.choose(tmp_path, "postgresql", "latest") == mine
    assert backup.choose(tmp_path, "postgresql", theirs[1].name) == theirs[1], "that it does not fit is said later"


def test_a_second_backup_at_once_is_refused_and_harms_nothing(
    var: Var, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for name, value in {"VAR_DIR": str(var.folder), "SERVICES": f"{SENDER} {RECEIVER}"}.items():
        monkeypatch.setenv(name, value)
    under_way = tmp_path / "remit-20260104T000000Z.part"
    under_way.mkdir()
    arguments = ["--to", str(tmp_path), "--keep", "1"]
    with backup.alone(tmp_path):
        assert command.run_backup(arguments) == 2
    assert "another backup" in capsys.readouterr().err
    assert under_way.is_dir()
    assert command.run_backup(arguments) == 0
    assert not under_way.exists()


def test_a_machine_that_fails_half_way_is_told_as_such(
    var: Var, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    backup.make(var.place, tmp_path, quiet)
    environ = {"VAR_DIR": str(var.folder), "SERVICES": f"{SENDER} {RECEIVER}", "BACKUP_DIR": str(tmp_path)}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("common.backup.sqlite.load", full)
    assert command.run_restore(["latest", "--overwrite"]) == 2
    assert "Start nothing" in capsys.readouterr().err


@pytest.mark.broker
def test_what_is_not_remits_in_a_database_is_told_of_and_left_out(postgresql_url: str, tmp_path: Path):
    said: list[str] = []
    payments = service.find(SENDER)
    with closing(Database(postgresql_url)) as database:
        migrate.upgrade(payments, database)
        with database.engine.begin() as connection:
            connection.execute(text("CREATE TABLE strangers (id int); INSERT INTO strangers VALUES (1)"))
            connection.execute(text("CREATE EXTENSION pg_trgm"))
    with postgres.cut({SENDER: postgresql_url}) as connections:
        saved = postgres.save(connections[SENDER], payments, tmp_path, said.append)
    assert "strangers" not in saved.tables
    assert any("strangers is NOT in this backup" in line for line in said)
    before = saved.model_copy(deep=True)  # as a version made it that saved every table
    before.tables["strangers"] = before.tables["payments"]
    postgres.load(postgresql_url, payments, before, tmp_path, said.append)
    assert "strangers is NOT restored" in said[-1]


@pytest.mark.broker
def test_a_feed_on_postgresql_goes_on_from_the_clock(postgresql_url: str):
    with closing(Database(postgresql_url)) as database:
        migrate.upgrade(service.find(SENDER), database)
        before = relayed(database)
        mend.lift_positions({SENDER: database})
        assert before < mend.LIFT < relayed(database)


def kept_before(folder: Path, name: str, kind: str) -> Path:
    made = folder / name
    made.mkdir()
    (made / "manifest.json").write_text(json.dumps({"kind": kind}))
    return made
