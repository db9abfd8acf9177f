"""Moving from SQLite files to PostgreSQL: every service, all rows, proved, and committed when all are there."""

import fcntl
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Connection, MetaData, Table, func, null, select, text
from sqlalchemy.exc import DBAPIError

from common import migrate
from common.db import Database, take_time
from common.service import Service, find, names

CHUNK_ROWS = 2_000
SERVICE = "{service}"


class MoveError(Exception):
    """Why it did not come to its end, what has moved by then, and what to do next."""


@dataclass
class _Move:
    """One service's way: `old` reads its file, `new` writes its database in a transaction that holds every table.
    It `has_moved` when the database holds just what the file holds."""

    service: Service
    old: Connection
    new: Connection
    metadata: MetaData
    has_moved: bool = False

    @property
    def name(self) -> str:
        return self.service.name

    @property
    def tables(self) -> Sequence[Table]:
        return self.metadata.sorted_tables


def move(folder: Path, to: str, say: Callable[[str], None]) -> dict[str, int]:
    """Copy `folder`/<service>.sqlite of every service into its own database `to`, a URL in which `{service}` stands for
    the service's name. Answers rows per service that was moved now; what was moved before is left as it is.

    Every file and every database is looked at before anything is copied, and nothing is committed before all is copied
    and compared. Raises MoveError; then nothing has moved, unless it says so, and it can be run again.
    """
    if not to.startswith("postgresql://") or SERVICE not in to:
        raise MoveError(f"--to is postgresql://user:password@host/name, with {SERVICE} in it for the service's name")
    files = {name: folder / f"{name}.sqlite" for name in names()}
    missing = [str(file) for file in files.values() if not file.is_file()]
    if missing:
        raise MoveError(f"there is no {', '.join(missing)}; name the folder that `make run` kept its data in")
    with ExitStack() as stack:
        stack.enter_context(_nobody_runs(folder))
        moves = _open_all(stack, files, to)
        for one in moves:
            if one.has_moved:
                say(f"{one.name}: has moved already, and is left as it is")
        waiting = [one for one in moves if not one.has_moved]
        moved = {one.name: _copy(one, say) for one in waiting}
        _commit(waiting, say)
        return moved


def _open_all(stack: ExitStack, files: Mapping[str, Path], to: str) -> list[_Move]:
    """Both ends of every move, each found to be right; raises MoveError naming all that are not."""
    moves, wrong = [], []
    for name, file in files.items():
        try:
            moves.append(_open(stack, find(name), file, to.replace(SERVICE, name)))
        except MoveError as error:
            wrong.append(f"{name}: {error}")
        except DBAPIError as error:
            wrong.append(f"{name}: its database does not answer as it should: {error.orig}")
    if wrong:
        raise MoveError("\n  ".join(["this is in the way:", *wrong]))
    return moves


def _open(stack: ExitStack, service: Service, file: Path, url: str) -> _Move:
    source = Database(f"sqlite:///{file.absolute()}")
    stack.callback(source.close)
    target = Database(url, pool_size=1, application_name="remit-move")
    stack.callback(target.close)
    old = stack.enter_context(source.engine.execution_options(remit_write=False).connect())
    new = stack.enter_context(target.engine.connect())
    _nobody_is_connected(new)
    new.close()
    migrate.upgrade(service, target)
    new = stack.enter_context(target.engine.connect())
    if revisions(old) != revisions(new):
        raise MoveError(f"{file} is of another version; start this version's `make run` once, stop it, move again")
    one = _Move(service, old, new, migrate.merged(service.metadata))
    take_time(new, 0)
    new.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    for table in one.tables:
        new.execute(text(f'LOCK TABLE "{table.name}" IN ACCESS EXCLUSIVE MODE'))
    one.has_moved = any(new.execute(select(table).limit(1)).first() for table in one.tables)
    if one.has_moved and any(digest(old, table) != digest(new, table) for table in one.tables):
        raise MoveError(f"the database has rows that are not those of {file}; move into an empty one")
    return one


def _copy(one: _Move, say: Callable[[str], None]) -> int:
    rows = 0
    for table in one.tables:
        _fill(one.new, table, _rows(one.old, table))
        set_sequence(one.new, table)
        was, now = digest(one.old, table), digest(one.new, table)
        if was != now:
            raise MoveError(f"{one.name}: table {table.name} differs after the copy ({was} and {now}); report it")
        say(f"{one.name}: {table.name}: {now[0]} rows, digest {now[1][:12]}")
        rows += now[0]
    return rows


def _commit(waiting: Sequence[_Move], say: Callable[[str], None]) -> None:
    """One after another, as each is a database of its own."""
    for place, one in enumerate(waiting):
        try:
            one.new.commit()
        except DBAPIError as error:
            done, left = ([each.name for each in part] for part in (waiting[:place], waiting[place:]))
            raise MoveError(
                f"{one.name}: {error.orig}\n  moved: {', '.join(done) or 'none'}; not known to have moved:"
                f" {', '.join(left)}. Run the same command again: it goes on with those, and starts no service before"
            ) from error
        say(f"{one.name}: moved")


def digest(connection: Connection, table: Table) -> tuple[int, str]:
    """How many rows `table` has, and a digest of them that is the same on both databases, whatever their order."""
    count, total = 0, 0
    for row in _rows(connection, table):
        said = json.dumps({name: _plain(value) for name, value in row.items()}, sort_keys=True)
        total = (total + int.from_bytes(hashlib.sha256(said.encode()).digest(), "big")) % 2**256
        count += 1
    return count, f"{total:064x}"


def _rows(connection: Connection, table: Table) -> Iterator[dict[str, Any]]:
    """Rows by column name; a JSON column that is SQL's NULL, not JSON's, has None, JSON's null has `JSON.NULL`."""
    nulls = [column for column in table.columns if isinstance(column.type, JSON)]
    wanted = select(table, *(column.is_(None).label(f"{column.name} is null") for column in nulls))
    for row in connection.execute(wanted, execution_options={"yield_per": CHUNK_ROWS}).mappings():
        found = {column.name: row[column] for column in table.columns}
        for column in nulls:
            if found[column.name] is None and not row[f"{column.name} is null"]:
                found[column.name] = JSON.NULL
        yield found


def _fill(new: Connection, table: Table, rows: Iterator[Mapping[str, Any]]) -> None:
    columns = list(table.columns)
    adapt = [column.type.dialect_impl(new.dialect).bind_processor(new.dialect) for column in columns]
    names = ", ".join(f'"{column.name}"' for column in columns)
    cursor = new.connection.cursor()
    try:
        with cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN') as copy:
            for row in rows:
                values = [row[column.name] for column in columns]
                copy.write_row([
                    bind(null() if value is None and isinstance(column.type, JSON) else value) if bind else value
                    for column, bind, value in zip(columns, adapt, values, strict=True)
                ])  # fmt: skip
    finally:
        cursor.close()


def set_sequence(new: Connection, table: Table) -> None:
    """Go on counting above what was moved."""
    column = table.autoincrement_column
    if column is None:
        return
    kept = {"table": f'"{table.name}"', "column": column.name}
    sequence = new.execute(text("SELECT pg_get_serial_sequence(:table, :column)"), kept).scalar_one()
    highest = new.execute(select(func.max(column))).scalar_one()
    if sequence is not None and highest is not None:
        new.execute(text("SELECT setval(:sequence, :highest)"), {"sequence": sequence, "highest": highest})


def revisions(connection: Connection) -> list[str]:
    """The migrations that the database is at, one of each branch."""
    return sorted(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())


def _plain(value: Any) -> Any:
    if value is JSON.NULL:
        return ["null"]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if value is None or isinstance(value, bool | int | float | str | list | dict):
        return value
    return value.hex() if isinstance(value, bytes) else str(value)


@contextmanager
def _nobody_runs(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MoveError(f"`make run` is using {folder}; stop it first") from None
        yield


def _nobody_is_connected(new: Connection) -> None:
    found = new.execute(text(
        "SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name LIKE 'remit-%' AND pid <> pg_backend_pid()"
    )).scalars()  # fmt: skip
    if others := sorted(found):
        raise MoveError(f"{', '.join(others)} uses the database; stop every service first")
