"""Backups of every service at once: making one, and restoring it. `remit backup`, `remit restore`.

A backup is a folder: rows of each database as they were at one instant, what unseals the gateways' keys, and a manifest
that is written last. Restoring believes nothing that the manifest does not confirm.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Self

from common import clock
from common.backup import keys, mend, postgres, sqlite
from common.backup.manifest import NAME, BackupError, Kind, Manifest, Say, ServiceSaved, kind_of
from common.bus import rabbit
from common.db import Database
from common.service import find, names
from common.settings import Settings, SettingsError

PART = ".part"
# What `make run` keeps beside its databases, and would make anew: which business was its first.
BESIDE = ".seeded"


class BackupSettings(Settings):
    """What looking after all services at once reads besides the common settings."""

    services: str = ""
    backup_database_url: str = ""
    backup_dir: Path = Path("backups")
    backup_passphrase: str = ""
    keys_dir: Path | None = None
    gateway_stripe_url: str = ""
    gateway_paypal_url: str = ""


@dataclass(frozen=True)
class Place:
    """Where the data of all services live. `urls`: service → its database, as an administrator reaches it."""

    kind: Kind
    urls: Mapping[str, str]
    var_dir: Path
    keys_dir: Path
    seal_key_file: Path
    amqp_url: str
    passphrase: str

    @classmethod
    def read(cls, settings: BackupSettings) -> Self:
        """From the environment: BACKUP_DATABASE_URL with `{service}` in it, or the files of `make run`."""
        services = settings.services.split() or names()
        template, var_dir = settings.backup_database_url, settings.var_dir.absolute()
        if template and "{service}" not in template:
            raise SettingsError("BACKUP_DATABASE_URL: write {service} where the name of a service's database stands")
        keys_dir = settings.keys_dir or var_dir / "keys"
        return cls(
            kind="postgresql" if template else "sqlite",
            urls={name: template.format(service=name) if template else str(var_dir / f"{name}.sqlite")
                  for name in services},
            var_dir=var_dir, keys_dir=keys_dir,
            seal_key_file=settings.seal_key_file or keys_dir / "seal.key.json",
            amqp_url=settings.amqp_url, passphrase=settings.backup_passphrase,
        )  # fmt: skip

    @property
    def store(self) -> ModuleType:
        """How such databases are cut, saved and loaded."""
        return postgres if self.kind == "postgresql" else sqlite

    def databases(self, stack: ExitStack) -> dict[str, Database]:
        """Each service's database, closed with `stack`."""
        return {name: self.database(name, stack) for name in self.urls}

    def database(self, service: str, stack: ExitStack, application_name: str = "remit-backup") -> Database:
        """One service's database, closed with `stack`."""
        url = self.urls[service] if self.kind == "postgresql" else f"sqlite:///{self.urls[service]}"
        database = Database(url, application_name=application_name)
        stack.callback(database.close)
        return database


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else makes, removes or restores backups in `folder` meanwhile. Raises BackupError."""
    with ExitStack() as stack:
        held = os.open(folder, os.O_RDONLY)
        stack.callback(os.close, held)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(f"another backup or restore is at work in {folder}; wait until it has ended") from None
        yield


def make(place: Place, folder: Path, say: Say) -> Path:
    """Write a backup into a new folder below `folder`; answers it. The services go on meanwhile: they stand still for
    the moment of the cut only. Raises BackupError, and then leaves nothing that could be taken for a backup."""
    made_at = clock.now()
    target = folder / f"remit-{made_at:%Y%m%dT%H%M%SZ}"
    part = target.with_name(target.name + PART)
    part.mkdir(mode=0o700, parents=True)
    try:
        saved: dict[str, ServiceSaved] = {}
        with place.store.cut(place.urls) as connections:
            say(f"cut through {len(connections)} databases at {made_at:%Y-%m-%d %H:%M:%S} UTC; the services go on")
            for name, connection in connections.items():
                saved[name] = place.store.save(connection, find(name), part, say)
                rows = sum(table.rows for table in saved[name].tables.values())
                say(f"{name}: {rows} rows in {len(saved[name].tables)} tables")
        if (place.var_dir / BESIDE).is_file() and place.kind == "sqlite":
            shutil.copyfile(place.var_dir / BESIDE, part / BESIDE)
        seal_keys = keys.save(place, part, say)
        Manifest.of(part, place.kind, made_at, saved, seal_keys).write(part)
        part.replace(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return target


def prune(folder: Path, kind: Kind, keep: int, say: Say) -> None:
    """Remove all but the newest `keep` backups of this kind, and what an interrupted one has left."""
    for old in [*whole(folder, kind)[:-keep], *folder.glob(f"remit-*{PART}")]:
        shutil.rmtree(old)
        say(f"removed {old.name}")


def whole(folder: Path, kind: Kind | None = None) -> list[Path]:
    """Every complete backup below `folder`, or those of one kind, the oldest first."""
    found = sorted(path.parent for path in folder.glob(f"remit-*/{NAME}") if path.parent.suffix != PART)
    return [path for path in found if kind is None or kind_of(path) == kind]


def choose(folder: Path, kind: Kind, name: str) -> Path:
    """The backup called `name`, or the newest of this kind for `latest`. Raises BackupError."""
    found, alike = whole(folder), whole(folder, kind)
    chosen = alike[-1] if alike and name == "latest" else folder / Path(name).name
    if chosen not in found:
        there = ", ".join(f"{path.name} ({kind_of(path)})" for path in found) or "none"
        raise BackupError(f"there is no backup {name} of {kind} in {folder.absolute()}; there are: {there}")
    return chosen


@dataclass(frozen=True)
class Restored:
    """What was restored. `resent`: service → events that will be sent again; `due`: service → outside calls that its
    worker will make as soon as it starts. `is_shut`: nothing here opens the gateways' keys in it."""

    made_at: datetime
    resent: Mapping[str, int]
    due: Mapping[str, int]
    is_shut: bool


def restore(
    place: Place, backup: Path, say: Say, *, overwrite: bool = False, with_keys: bool = False,
    without_keys: bool = False,
) -> Restored:  # fmt: skip
    """Bring every service's database back to what it was. Everything that can be checked is checked before anything
    is touched; each database is loaded whole or not at all. Raises BackupError, saying what to do next."""
    manifest = Manifest.read(backup)
    _check(place, manifest, backup)
    lacking = [] if with_keys else _lacking(place, manifest)
    if lacking and not without_keys:
        raise BackupError(
            f"what seals the gateways' keys in it is not in {place.seal_key_file} ({', '.join(lacking)}); "
            + (
                "add --keys to take the keys out of the backup as well"
                if keys.NAME in manifest.files
                else "there are no keys in it either. Put the old `vault` (or var/keys) here, or, where that is gone,"
                " add --without-keys: gateways' keys must then be entered anew"
            )
        )
    if with_keys:
        keys.check(place, backup)
    say(f"{backup.name}: {len(manifest.files)} files are as they were written")
    with ExitStack() as stack:
        place.store.check_idle(place.urls, place.var_dir, stack, overwrite=overwrite)
        if with_keys:
            keys.load(place, backup, say)
        for name, saved in manifest.services.items():
            place.store.load(place.urls[name], find(name), saved, backup, say)
            say(f"{name}: {sum(table.rows for table in saved.tables.values())} rows, all digests equal")
        if (backup / BESIDE).is_file():
            shutil.copyfile(backup / BESIDE, place.var_dir / BESIDE)
        databases = place.databases(stack)
        if place.kind == "postgresql":
            gone = rabbit.purge(place.amqp_url)
            say(f"the queues are empty; {gone} messages went that told of what is no more, or will be sent again")
        mend.lift_positions(databases)
        resent = mend.send_again(databases)
        due = mend.calls_due(databases)
    return Restored(manifest.made_at, resent, due, is_shut=bool(lacking))


def _lacking(place: Place, manifest: Manifest) -> list[str]:
    """The keys that sealed something in the backup and are not here."""
    return sorted(set(manifest.seal_keys) - set(keys.ids(place.seal_key_file)))


def _check(place: Place, manifest: Manifest, backup: Path) -> None:
    manifest.verify(backup)
    if manifest.kind != place.kind:
        raise BackupError(
            f"it was made of {manifest.kind}, and here is {place.kind}; restore it where it was made, and then"
            " `make move` (or `remit move --from var --to URL`) goes from SQLite to PostgreSQL"
        )
    if missing := set(place.urls) ^ set(manifest.services):
        raise BackupError(
            f"it and this system differ in services: {', '.join(sorted(missing))}; restore with {manifest.version}"
        )
    for name, saved in manifest.services.items():
        if unknown := saved.unknown_revisions(find(name)):
            raise BackupError(
                f"{name} was at {', '.join(unknown)}, which this version does not know; install the version"
                f" that made the backup ({manifest.version}) or a newer one"
            )
    if place.kind == "postgresql":
        if not place.amqp_url:
            raise BackupError(
                "AMQP_URL is not set, and the queues must be emptied; name the broker as its administrator"
            )
        try:
            rabbit.connect(place.amqp_url).release()
        except rabbit.BROKER_ERRORS as error:
            raise BackupError(
                f"the broker does not answer ({type(error).__name__}); start it, and try again"
            ) from error
