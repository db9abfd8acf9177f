"""One instant of several SQLite files in use, copied by SQLite itself, and back."""

import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, MetaData, create_engine
from sqlalchemy.pool import NullPool

from common import migrate, move
from common.backup.manifest import BackupError, Say, ServiceSaved, TableSaved
from common.db import Database
from common.service import Service

WAIT_SECONDS = 3
ATTEMPTS = 10
PAUSE_SECONDS = 1.0


@contextmanager
def cut(urls: Mapping[str, str]) -> Iterator[dict[str, sqlite3.Connection]]:
    """A connection to each file that sees it as it was at one instant for all of them; for that one nobody writes."""
    for name, path in urls.items():
        if not Path(path).is_file():
            raise BackupError(f"there is no {path} of {name}; start `make run` once, or name its folder with VAR_DIR")
    with ExitStack() as stack:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with ExitStack() as seen, ExitStack() as still:
                    for path in urls.values():
                        _connect(path, still).execute("BEGIN IMMEDIATE")
                    found = {name: _connect(path, seen) for name, path in urls.items()}
                    for connection in found.values():
                        connection.execute("BEGIN")
                        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
                    still.close()
                    stack.enter_context(seen.pop_all())
                break
            except sqlite3.OperationalError as error:
                if attempt == ATTEMPTS:
                    raise BackupError(f"the files could not be held still ({error}); try again later") from error
                time.sleep(PAUSE_SECONDS)
        yield found


def save(connection: sqlite3.Connection, service: Service, folder: Path, _say: Say) -> ServiceSaved:
    """Copy the cut to `folder`/<service>.sqlite."""
    path = folder / f"{service.name}.sqlite"
    path.touch(mode=0o600)
    with closing(sqlite3.connect(path)) as copy:
        connection.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, without companions
    return _look(path)


def check_idle(urls: Mapping[str, str], var_dir: Path, stack: ExitStack, *, overwrite: bool) -> None:
    """Hold the folder of `make run` until `stack` ends. Raises BackupError while it runs, or when there are files and
    `overwrite` was not said."""
    var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = stack.enter_context((var_dir / ".lock").open("a"))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BackupError(f"`make run` is using {var_dir}; stop it with Ctrl-C first, and restore again") from None
    there = [path for path in urls.values() if Path(path).exists()]
    if there and not overwrite:
        raise BackupError(
            f"there are {', '.join(Path(path).name for path in there)} in {var_dir}; make a backup of what is there,"
            " and say --overwrite to lose it"
        )


def load(url: str, service: Service, saved: ServiceSaved, folder: Path, _say: Say) -> None:
    """Put the file in its place, then bring it to this version's shape."""
    path = Path(url)
    part = path.with_name(path.name + ".part")
    shutil.copyfile(folder / path.name, part)
    part.chmod(0o600)
    if _look(part) != saved:
        part.unlink()
        raise BackupError(
            f"{path.name} holds other rows than the manifest says; nothing was put in its place; report it"
        )
    for companion in ("-wal", "-shm"):  # of the file that goes: they would be taken for this one's
        Path(url + companion).unlink(missing_ok=True)
    os.replace(part, path)
    database = Database(f"sqlite:///{path}")
    try:
        migrate.upgrade(service, database)
    finally:
        database.close()


def _connect(path: str, stack: ExitStack) -> sqlite3.Connection:
    return stack.enter_context(closing(sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)))


def _look(path: Path) -> ServiceSaved:
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.connect() as connection:
        return ServiceSaved(revisions=move.revisions(connection), tables=_tables(connection))


def _tables(connection: Connection) -> dict[str, TableSaved]:
    metadata = MetaData()
    metadata.reflect(connection)
    found = {}
    for table in metadata.sorted_tables:
        rows, digest = move.digest(connection, table)
        found[table.name] = TableSaved(columns=[column.name for column in table.columns], rows=rows, digest=digest)
    return found
