"""One instant of several PostgreSQL databases, as files of COPY, and back."""

import gzip
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, Table, func, select, text
from sqlalchemy.exc import DBAPIError

from common import migrate, move
from common.backup.manifest import BackupError, Say, ServiceSaved, TableSaved
from common.db import Database, is_contended, take_time
from common.service import Service

LOCK_SECONDS = 3
ATTEMPTS = 10
PAUSE_SECONDS = 1.0
# Filled by whoever starts; not somebody's data.
OF_NO_ACCOUNT = frozenset({"alembic_version", "timers"})
OTHERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
# An extension's tables and routines go with it only, and are left alone.
OURS_TO_DROP = """
    SELECT format('DROP TABLE %s CASCADE', oid::regclass) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
      AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')
    UNION ALL
    SELECT format('DROP ROUTINE %s CASCADE', oid::regprocedure) FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace
      AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
"""


@contextmanager
def cut(urls: Mapping[str, str]) -> Iterator[dict[str, Connection]]:
    """A connection to each database that sees it as it was at one instant for all of them.

    For that instant nobody may write an inbox or outbox, so no service has an event that its sender does not have.
    """
    with ExitStack() as stack:
        databases = {name: _open(url, stack) for name, url in urls.items()}
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with ExitStack() as seen, ExitStack() as still:
                    found = _cut_once(databases, seen, still)
                    still.close()
                    stack.enter_context(seen.pop_all())
                break
            except DBAPIError as error:
                if not is_contended(error):
                    raise BackupError(f"a database does not answer: {error.orig}; start it, and try again") from error
                if attempt == ATTEMPTS:
                    raise BackupError("somebody held an inbox or outbox for too long; try again later") from error
                time.sleep(PAUSE_SECONDS)
        yield found


def _cut_once(databases: Mapping[str, Database], seen: ExitStack, still: ExitStack) -> dict[str, Connection]:
    for database in databases.values():
        holder = still.enter_context(database.engine.connect())
        holder.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
        holder.execute(text("LOCK TABLE inbox, outbox IN SHARE MODE"))
    found = {}
    for name, database in databases.items():
        options = {"isolation_level": "REPEATABLE READ"}
        found[name] = seen.enter_context(database.engine.connect()).execution_options(**options)
        _be_patient(found[name])
        found[name].execute(text("SELECT count(*) FROM alembic_version"))  # from here on it sees this instant
    return found


def save(connection: Connection, service: Service, folder: Path, say: Say) -> ServiceSaved:
    """Write each table of the cut as `folder`/<service>/<table>.copy.gz."""
    (folder / service.name).mkdir(mode=0o700)
    saved = ServiceSaved(revisions=move.revisions(connection), tables={})
    for table in _ours(connection, service, saved.revisions, say):
        columns = [column.name for column in table.columns]
        rows, digest = move.digest(connection, table)
        with (
            gzip.open(folder / service.name / f"{table.name}.copy.gz", "wb", compresslevel=3) as file,
            _cursor(connection) as cursor,
            cursor.copy(f"COPY {_named(table.name, columns)} TO STDOUT") as copy,
        ):
            for block in copy:
                file.write(block)
        saved.tables[table.name] = TableSaved(columns=columns, rows=rows, digest=digest)
    return saved


def check_idle(urls: Mapping[str, str], _var_dir: Path, _stack: ExitStack, *, overwrite: bool) -> None:
    """Raise BackupError while anybody uses one of the databases, or when one has rows and `overwrite` was not said."""
    with ExitStack() as stack:
        for name, url in urls.items():
            try:
                connection = stack.enter_context(_open(url, stack).engine.connect())
            except DBAPIError as error:
                raise BackupError(
                    f"the database of {name} cannot be reached: {error.orig}; start PostgreSQL and make the databases"
                    " first (`docker compose up --wait databases` does both)"
                ) from error
            if others := connection.execute(text(OTHERS)).scalar_one():
                raise BackupError(
                    f"{others} connections use the database of {name}: stop every service first"
                    " (`docker compose stop`), and restore again"
                )
            full = [
                table.name for table in _tables(connection)
                if table.name not in OF_NO_ACCOUNT
                and connection.execute(select(func.count()).select_from(select(table).limit(1).subquery())).scalar_one()
            ]  # fmt: skip
            if full and not overwrite:
                raise BackupError(
                    f"{name} has rows (in {', '.join(full[:3])}{' …' if len(full) > 3 else ''}); make a backup of what"
                    " is there, and say --overwrite to lose it"
                )


def load(url: str, service: Service, saved: ServiceSaved, folder: Path, say: Say) -> None:
    """Make the database what it was, then bring it to this version's shape; in one transaction."""
    with ExitStack() as stack, _open(url, stack).engine.begin() as connection:
        _be_patient(connection)
        owner = connection.execute(
            text("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()")
        ).scalar_one()
        for statement in connection.execute(text(OURS_TO_DROP)).scalars().all():
            connection.exec_driver_sql(statement)
        _migrate(connection, service, owner, saved.revisions)
        # The rows passed their checks and triggers when they were first written.
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        tables = {table.name: table for table in _tables(connection)}
        for name, table_saved in saved.tables.items():
            if name not in tables:
                say(f"{service.name}: table {name} is NOT restored: no migration makes it")
                continue
            connection.execute(tables[name].delete())
            _fill(connection, name, table_saved, folder / service.name / f"{name}.copy.gz")
            move.set_sequence(connection, tables[name])
            if (found := move.digest(connection, tables[name])) != (table_saved.rows, table_saved.digest):
                raise BackupError(
                    f"{service.name}.{name} has {found[0]} rows and another digest than the manifest says; this"
                    " database was left as it was, report it"
                )
        connection.execute(text("SET LOCAL session_replication_role = origin"))
        _migrate(connection, service, owner, ["heads"])


def _migrate(connection: Connection, service: Service, owner: str, revisions: list[str]) -> None:
    """As the service's own role, whose tables they are to be."""
    connection.exec_driver_sql(f'SET LOCAL ROLE "{owner}"')
    migrate.run(service, connection, revisions)
    connection.execute(text("RESET ROLE"))


def _fill(connection: Connection, name: str, saved: TableSaved, path: Path) -> None:
    with (
        gzip.open(path, "rb") as file,
        _cursor(connection) as cursor,
        cursor.copy(f"COPY {_named(name, saved.columns)} FROM STDIN") as copy,
    ):
        while block := file.read(1 << 20):
            copy.write(block)


def _open(url: str, stack: ExitStack) -> Database:
    database = Database(url, pool_size=2, application_name="remit-backup")
    stack.callback(database.close)
    return database


def _be_patient(connection: Connection) -> None:
    take_time(connection, 0)
    connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))


def _cursor(connection: Connection) -> Any:
    return closing(connection.connection.cursor())


def _tables(connection: Connection) -> list[Table]:
    """The tables that are there, whatever version made them; but not what says which version that is."""
    metadata = MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name != "alembic_version"]


def _ours(connection: Connection, service: Service, revisions: list[str], say: Say) -> list[Table]:
    """The tables that a restore can make. What another version's migrations made nobody here knows: there it is all."""
    found = _tables(connection)
    if not set(revisions) <= migrate.heads(service):  # one that others depend on is not named
        return found
    known = {table.name for table in migrate.tables(service)}
    for table in found:
        if table.name not in known:
            say(f"{service.name}: table {table.name} is NOT in this backup: it is not Remit's; save it yourself")
    return [table for table in found if table.name in known]


def _named(table: str, columns: list[str]) -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    return f'"{table}" ({names})'
