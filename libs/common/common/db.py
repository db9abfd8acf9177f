"""Database sessions for PostgreSQL and SQLite, and what the two differ in.

SQLAlchemy's Session is the unit of work; nothing is wrapped around it. One web request and one worker batch
are one transaction each, and the edge that opened the session commits it.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
import psycopg
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    DateTime,
    Engine,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    any_,
    cast,
    create_engine,
    event,
    func,
    insert,
    literal,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import NullType

from common import context, crash

WRITE_WAIT_SECONDS = 5
CONNECT_TIMEOUT_SECONDS = 3
STATEMENT_SECONDS = 30
LOCK_WAIT_SECONDS = 5.0
# A peer that takes what is sent and says nothing is not noticed by TCP. A statement is given longer here than by the
# server, which ends what merely takes long.
SILENCE_SECONDS = STATEMENT_SECONDS + 5.0
# What is sent outside transactions asks for nothing but a sign of life, a lock or a notice.
SIGN_OF_LIFE_SECONDS = 5.0
# A connection that was used this recently is lent again without being asked whether it lives: asking takes a tenth of
# the time that recording a payment takes, and no server restarts as fast.
FRESH_SECONDS = 1.0
# Below this SQLAlchemy's own way costs less.
ARRAYS_FROM_ROWS = 8
# Values in one IN list: below what either database takes as parameters.
IN_CHUNK = 5_000

# 64-bit keys that SQLite still treats as its rowid.
BigId = BigInteger().with_variant(Integer, "sqlite")

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class _SqliteUtc(TypeDecorator[datetime]):
    """SQLite keeps no time zones: write UTC, read UTC."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


# A moment, aware, UTC, the same on both databases.
Moment = DateTime(timezone=True).with_variant(_SqliteUtc(), "sqlite")


class Model(DeclarativeBase):
    """Tables of common: every service's database has them. A service declares its own base on its own metadata."""

    metadata = MetaData(naming_convention=NAMING)


def partial_index(name: str, *columns: str, where: str) -> Index:
    """An index of the rows that fit `where`, on both databases."""
    return Index(name, *columns, postgresql_where=text(where), sqlite_where=text(where))


class BusyError(Exception):
    """The one writer of a SQLite file was busy for longer than a request may wait."""


class Database:
    """One service's database: an engine, and sessions that know whether they write. Row-level security holds for the
    role of one that `is_confined`: its transactions say whose rows they are about (`common.context`)."""

    def __init__(
        self, url: str, *, pool_size: int = 12, application_name: str = "remit", is_confined: bool = False
    ) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self.engine = _sqlite_engine(url) if self.is_sqlite else _postgres_engine(url, pool_size, application_name)
        if is_confined:
            _wait_once(self.engine)  # first: what _confine sends counts, too
            _confine(self.engine)
        # SQLite has one writer. A fair lock in the process beats its polling; other processes still meet
        # its own busy timeout.
        self._writer = threading.Lock() if self.is_sqlite else None
        # What to call after a commit that wrote an outbox or job row: name → wake-up. Loops sweep anyway.
        self.wakers: dict[str, Callable[[], None]] = {}

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session in a writing transaction: committed when the block ends, rolled back when it raises."""
        with self._writing(), self._session(write=True) as session:
            try:
                yield session
                session.commit()
                if session.info.get("wake"):
                    crash.here("committed")
                self._wake(session)
            except BaseException:
                session.rollback()
                raise

    @contextmanager
    def rehearse(self) -> Iterator[Session]:
        """A session that may write, and is always rolled back."""
        with self._writing(), self._session(write=True) as session:
            try:
                yield session
            finally:
                session.rollback()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that only reads; never committed."""
        with self._session(write=False) as session:
            yield session

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """A session all of whose reads see the database as it was at the first of them."""
        with self._session(write=False) as session:
            if not self.is_sqlite:  # a SQLite transaction is one by itself
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
                take_time(session.connection(), 600)
            yield session

    def _wake(self, session: Session) -> None:
        for name in session.info.pop("wake", ()):
            if name in self.wakers:
                self.wakers[name]()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if self._writer is None:
            yield
            return
        if not self._writer.acquire(timeout=WRITE_WAIT_SECONDS):
            raise BusyError
        try:
            yield
        finally:
            self._writer.release()

    def _session(self, *, write: bool) -> Session:
        bind: Engine = self.engine.execution_options(remit_write=write) if self.is_sqlite else self.engine
        return Session(bind, expire_on_commit=False, autoflush=False)

    def ping(self) -> None:
        """Raise unless the database answers."""
        with self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        self.engine.dispose()


class PostgresConnection(psycopg.Connection[Any]):
    """Waits for the server only so long: then it is closed, and OperationalError raised.

    `silence_seconds` is for what is said within transactions; None: for ever."""

    silence_seconds: float | None = SILENCE_SECONDS

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        if timeout is not None:  # whoever asks has a limit of his own, and goes on after it
            return super().wait(gen, interval, timeout)
        seconds = SIGN_OF_LIFE_SECONDS if self.autocommit else self.silence_seconds
        try:
            return super().wait(gen, interval, seconds)
        except psycopg.errors._WaitTimeout as error:
            self.pgconn.finish()  # an answer that comes later would be taken for the next one
            raise psycopg.OperationalError(f"the database said nothing for {seconds:.0f} s") from error


def take_time(connection: Connection, seconds: int) -> None:
    """Let each statement of a PostgreSQL transaction take so many seconds; 0: as many as it needs."""
    connection.execute(text(f"SET LOCAL statement_timeout = '{seconds}s'"))
    plain = connection.connection.driver_connection
    assert isinstance(plain, PostgresConnection)
    plain.silence_seconds = seconds + SILENCE_SECONDS if seconds else None


def _postgres_engine(url: str, pool_size: int, application_name: str) -> Engine:
    engine = create_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=CONNECT_TIMEOUT_SECONDS,
        pool_recycle=1800,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "application_name": application_name,
            "tcp_user_timeout": 10_000,
            "keepalives_idle": 5,
            "options": f"-c statement_timeout={STATEMENT_SECONDS}s -c lock_timeout={LOCK_WAIT_SECONDS * 1000:.0f}"
            " -c idle_in_transaction_session_timeout=60000 -c timezone=UTC",
        },
    )

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: Any, _record: Any, _arguments: Any, options: dict[str, Any]) -> PostgresConnection:
        return PostgresConnection.connect(**options)

    @event.listens_for(engine, "checkin")
    def _given_back(plain: PostgresConnection | None, record: ConnectionPoolEntry) -> None:
        record.info["given_back_at"] = time.monotonic()
        if plain is not None:
            plain.silence_seconds = type(plain).silence_seconds

    @event.listens_for(engine, "checkout")
    def _lent_again(plain: PostgresConnection, record: ConnectionPoolEntry, _lent: Any) -> None:
        # Connections that idled while the database was restarted are dead; without this each process answers one more
        # 503 for them, whenever its next request comes.
        if time.monotonic() - record.info.get("given_back_at", math.inf) < FRESH_SECONDS:
            return
        try:
            engine.dialect.do_ping(plain)  # type: ignore[arg-type]
        except psycopg.Error as error:
            raise InvalidatePoolError("the connection is dead") from error

    return engine


def _confine(engine: Engine) -> None:
    """Let each transaction begin with whose rows it is about. It is forgotten with the transaction: what the connection
    is lent for next begins with nothing, and sees nothing until it says so itself."""

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        for setting, value in (("remit.business", context.business_id()), ("remit.sought", context.sought())):
            if value is not None:
                connection.exec_driver_sql("SELECT set_config(%s, %s, true)", (setting, value))


def _wait_once(engine: Engine) -> None:
    """Let a transaction wait for its locks for LOCK_WAIT_SECONDS in all: somebody waits for the answer. PostgreSQL
    counts each wait anew, and who queues for a row waits twice: for a turn, and for the row."""
    shortest = LOCK_WAIT_SECONDS / 10

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.info["lock_seconds"] = LOCK_WAIT_SECONDS

    @event.listens_for(engine, "before_cursor_execute")
    def _asked(connection: Connection, *_: Any) -> None:
        connection.info["asked_at"] = time.monotonic()

    @event.listens_for(engine, "after_cursor_execute")
    def _answered(connection: Connection, *_: Any) -> None:
        took = time.monotonic() - connection.info["asked_at"]
        if took >= shortest:
            left = connection.info["lock_seconds"] = max(shortest, connection.info["lock_seconds"] - took)
            # Past SQLAlchemy: on a slow network this takes as long, and would be told of itself without end.
            with closing(connection.connection.cursor()) as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{left * 1000:.0f}ms'")


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": WRITE_WAIT_SECONDS, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _configure(dbapi_connection: Any, _record: Any) -> None:
        dbapi_connection.isolation_level = None  # transactions are begun below, not guessed by the driver
        cursor = dbapi_connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # a recorded payment survives a power cut
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA busy_timeout={WRITE_WAIT_SECONDS * 1000}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A deferred transaction that turns into a writer half-way fails at once when another wrote meanwhile.
        write = connection.get_execution_options().get("remit_write", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def insert_or(session: Session, table: Any) -> Any:
    """An INSERT that takes `on_conflict_do_nothing` and `on_conflict_do_update`, as the session's database has it."""
    return postgres_insert(table) if session.get_bind().dialect.name == "postgresql" else sqlite_insert(table)


def bulk_insert(session: Session, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert `rows`, all with the same keys, in the session's transaction; many of them on PostgreSQL by one statement:
    what all have alike once, of the rest an array for each column. (Row-level security leaves no COPY.)"""
    if not rows:
        return
    connection = session.connection()
    # Where no column differed there would be no array to say how many rows there are.
    if connection.dialect.name != "postgresql" or len(rows) < ARRAYS_FROM_ROWS or rows[0] == rows[1]:
        connection.execute(insert(table), list(rows))
        return
    columns: list[str] = []
    shown: list[str] = []
    parameters: list[Any] = []
    for key in rows[0]:
        kind = table.c[key].type
        adapt = kind.dialect_impl(connection.dialect).bind_processor(connection.dialect)
        sql_type = kind.compile(connection.dialect)
        values = [row[key] for row in rows]
        columns.append(f'"{table.c[key].name}"')
        if values.count(values[0]) == len(values):
            shown.append(f"%s::{sql_type}")
            parameters.append(values[0] if adapt is None else adapt(values[0]))
        else:
            shown.append(f"unnest(%s::{sql_type}[])")
            parameters.append(array_literal(values if adapt is None else [adapt(value) for value in values]))
    insertion = f'INSERT INTO "{table.name}" ({", ".join(columns)}) SELECT {", ".join(shown)}'  # noqa: S608
    connection.exec_driver_sql(insertion, tuple(parameters))


def array_literal(values: Sequence[Any]) -> str:
    """As PostgreSQL reads an array of any type; psycopg's own takes many times as long. It is written as JSON, whose
    quotes and backslashes are the same; what JSON writes otherwise is written here."""
    try:
        written = orjson.dumps(values).decode()
    except TypeError:  # bytes, as SQLAlchemy wraps them
        written = None
    if written is None or "\\" in written.replace("\\\\", "").replace('\\"', ""):
        return "{" + ",".join(["NULL" if value is None else _quoted(value) for value in values]) + "}"
    return "{" + written[1:-1] + "}"


def _quoted(value: Any) -> str:
    shown = f"\\x{value.obj.hex()}" if isinstance(value, psycopg.Binary) else str(value)
    return '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'


def is_one_of(session: Session, column: Any, values: Sequence[str]) -> ColumnElement[bool]:
    """Whether `column`, of text, is one of `values`. On PostgreSQL they are one array, which is sent and planned in a
    fraction of the time that as many parameters take."""
    if session.get_bind().dialect.name != "postgresql":
        return column.in_(values)  # type: ignore[no-any-return]
    return column == any_(_sent_as_array(values))  # type: ignore[no-any-return]


def is_one_of_pairs(
    session: Session, columns: tuple[Any, Any], pairs: Sequence[tuple[str, str]]
) -> ColumnElement[bool]:
    """Whether two columns, of text, are together one of `pairs`. On PostgreSQL they are two arrays side by side: as a
    list of pairs, or as two lists, they are planned badly for as long as the table has no statistics."""
    if session.get_bind().dialect.name != "postgresql" or not pairs:
        return tuple_(*columns).in_(pairs)
    arrays = [func.unnest(cast(_sent_as_array(values), ARRAY(Text))) for values in zip(*pairs, strict=True)]
    return tuple_(*columns).in_(select(*arrays))


def _sent_as_array(values: Sequence[str]) -> ColumnElement[Any]:
    """Of no type, so that it becomes what it is compared with before the plan is made, and so that SQLAlchemy sends it
    as it is: of an array's type it would be sent a letter at a time."""
    return literal(array_literal(values), NullType())


def is_unavailable(error: BaseException) -> bool:
    """Whether the database, not what was asked of it, is at fault: away, shutting down, out of connections or disk."""
    if isinstance(error, PoolTimeoutError | BusyError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated or isinstance(error, InterfaceError):
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state[:2] in {"08", "53", "57"} and state != "57014"
    if is_contended(error):
        return False
    return isinstance(error, OperationalError)


def is_contended(error: BaseException) -> bool:
    """Whether the same work would likely succeed when simply run again: deadlock, serialisation, lock timeout."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, BusyError)
    state = getattr(error.orig, "sqlstate", None)
    return state in {"40P01", "40001", "55P03", "57014"} or "database is locked" in str(error.orig)
