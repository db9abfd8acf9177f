"""Row-level security as second wall: a web role sees and writes the rows of the business that its transaction is about,
in every table of every service, whatever the code asks for."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row
from sqlalchemy import Column, Table, select, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from common import auth, context, migrate, service
from common.db import ARRAYS_FROM_ROWS, Database, bulk_insert
from common.runtime import Runtime
from common.testing import eventually
from common.web.app import create_app, endpoint
from common.web.app import session as request_session
from deploy import databases
from services.portal.tests.others import Others
from services.portal.tests.support import Portal, Visitor
from tests.harness.servers import PASSWORD, Servers
from tests.harness.system import as_role

pytestmark = pytest.mark.broker

# Who is looked up before their business is known: what else may be seen than the rows of one business.
LOOKED_UP = {"portal": {("users", "sought"), ("team_keys", "sought")}}
UNGUARDED = """
    SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'm') AND relnamespace = 'public'::regnamespace
    AND NOT (relrowsecurity AND relforcerowsecurity
             AND EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid AND polname = 'one_business'))
"""
CONSTRAINTS = (
    "SELECT relname, conname FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid"
    " WHERE contype IN ('c', 'f') AND relnamespace = 'public'::regnamespace"
)


@dataclass
class Walled:
    """A migrated database, as deploy/databases.py and `migrate` leave it: to an administrator, to the role that owns
    it, and to its web role, who has one connection."""

    name: str
    tables: list[Table]
    admin: psycopg.Connection
    url: str
    web_url: str
    web: Database


@pytest.fixture(scope="module", params=service.names())
def walled(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Walled]:
    found, owner = service.find(request.param), f"walled_{uuid4().hex[:8]}"
    web = owner + databases.WEB
    base = servers.database.url.rsplit("/", 1)[0] + "/" + owner
    with psycopg.connect(servers.database.url, autocommit=True) as server:
        for role in (owner, web):
            databases.make_role(server, role, PASSWORD)
        databases.make_database(server, owner, web)
        with psycopg.connect(base, autocommit=True) as admin:
            databases.let_web_in(admin, owner, web)
            url, web_url = as_role(base, owner), as_role(base, web)
            migrated = Database(url)
            migrate.upgrade(found, migrated)
            migrated.close()
            with admin.transaction():
                _fill(admin, migrate.tables(found))
            walled = Walled(
                found.name, migrate.tables(found), admin, url, web_url,
                Database(web_url, pool_size=1, is_confined=True),
            )  # fmt: skip
            yield walled
            context.confine(None)
            walled.web.close()
        server.execute(f'DROP DATABASE "{owner}" WITH (FORCE)')
        for role in (web, owner):
            server.execute(f'DROP ROLE "{role}"')


@pytest.fixture
def rows(walled: Walled) -> Iterator[list[Table]]:
    """The tables that are somebody's: each has a row of business `a` and one of `b`."""
    context.confine(None)
    yield _somebodys(walled.tables)
    context.confine(None)


def _fill(admin: psycopg.Connection, tables: list[Table]) -> None:
    """Each table alone, whatever its rows say and whoever changes them: without foreign keys, checks and triggers."""
    for table, name in admin.execute(CONSTRAINTS).fetchall():
        admin.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(*map(sql.Identifier, (table, name))))
    for table in _somebodys(tables):
        admin.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(sql.Identifier(table.name)))
        for whose in ("a", "b"):
            admin.execute(_insert(table, whose).encode())


# --- every table ---


def test_every_table_has_a_forced_policy_or_is_of_no_business(walled: Walled) -> None:
    assert _unguarded(walled.admin) <= migrate.OF_NO_BUSINESS
    found = walled.admin.execute("SELECT tablename, policyname FROM pg_policies").fetchall()
    assert {row for row in found if row[1] != "one_business"} == LOOKED_UP.get(walled.name, set())


def test_a_later_table_is_noticed_and_guarded_by_the_next_migrate(walled: Walled) -> None:
    for name, columns in (("later", "business_id text"), ("elsewhere", "name text")):
        walled.admin.execute(f"CREATE TABLE {name} ({columns})".encode())
    owner = Database(walled.url)
    try:
        assert {"later", "elsewhere"} == _unguarded(walled.admin) - migrate.OF_NO_BUSINESS
        walled.admin.execute(sql.SQL("ALTER TABLE later OWNER TO {}").format(sql.Identifier(owner.engine.url.username)))
        migrate.upgrade(service.find(walled.name), owner)
        assert {"elsewhere"} == _unguarded(
            walled.admin
        ) - migrate.OF_NO_BUSINESS  # whose rows these are, somebody must say
    finally:
        owner.close()
        walled.admin.execute("DROP TABLE later, elsewhere")


def test_a_forgotten_where_shows_one_business(walled: Walled, rows: list[Table]) -> None:
    for said, seen in (("a", {"a"}), ("b", {"b"}), ("c", set()), ("", set()), (None, set()), ("*", set())):
        context.confine(said)
        with walled.web.read() as session:
            for table in rows:
                found = session.execute(text(f'SELECT * FROM "{table.name}"')).mappings()
                assert {row["business_id"] for row in found} == seen, (said, table.name)


def test_who_is_for_every_business_sees_them_all(walled: Walled, rows: list[Table]) -> None:
    context.unconfine()
    with walled.web.read() as session:
        for table in rows:
            assert set(session.scalars(select(table.c.business_id))) == {"a", "b"}, table.name


def test_what_is_not_seen_is_not_changed(walled: Walled, rows: list[Table]) -> None:
    for said, own in (("a", 1), ("c", 0), (None, 0)):
        context.confine(said)
        for table in rows:
            with walled.web.rehearse() as session:
                changed = session.execute(text(f'UPDATE "{table.name}" SET business_id = business_id'))
                deleted = session.execute(text(f'DELETE FROM "{table.name}"'))
                assert (changed.rowcount, deleted.rowcount) == (own, own), table.name  # type: ignore[attr-defined]


def test_nothing_is_written_into_another_business(walled: Walled, rows: list[Table]) -> None:
    for said in ("a", None):
        context.confine(said)
        for table in rows:
            for statement in (_insert(table, "c"), f"UPDATE \"{table.name}\" SET business_id = 'c'"):
                if said is None and statement.startswith("UPDATE"):
                    continue  # it finds no row to change
                with walled.web.rehearse() as session, pytest.raises(ProgrammingError, match="row-level security"):
                    session.connection().exec_driver_sql(statement)


def test_the_web_role_cannot_lift_the_wall(walled: Walled, rows: list[Table]) -> None:
    name = rows[0].name
    for statement in (
        f'ALTER TABLE "{name}" DISABLE ROW LEVEL SECURITY',
        f'DROP POLICY one_business ON "{name}"',
        f'TRUNCATE "{name}"',
        f'ALTER ROLE "{walled.web.engine.url.username}" BYPASSRLS',
        f'SET ROLE "{walled.admin.info.dbname}"',
        "CREATE TABLE mine (business_id text)",
    ):
        with walled.web.rehearse() as session, pytest.raises(ProgrammingError):
            session.execute(text(statement))


def test_workers_are_exempt_by_their_role_and_not_as_owner(walled: Walled, rows: list[Table]) -> None:
    role = sql.Identifier(walled.admin.info.dbname)
    count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(rows[0].name))
    for right, seen in (("BYPASSRLS", 2), ("NOBYPASSRLS", 0), ("BYPASSRLS", 2)):
        walled.admin.execute(sql.SQL(f"ALTER ROLE {{}} {right}").format(role))  # type: ignore[arg-type]
        with psycopg.connect(walled.url) as owner:
            assert owner.execute(count).fetchone() == (seen,), right


def test_many_rows_are_written_without_copy(walled: Walled, rows: list[Table]) -> None:
    """PostgreSQL refuses COPY into tables with a policy, to those whom it holds for."""
    for name, unique, free in (("outbox", ("event_id", "seq"), {"position": None}), ("jobs", ("key",), {})):
        table = next(table for table in rows if table.name == name)
        query = sql.SQL("SELECT * FROM {} WHERE business_id = 'a'").format(sql.Identifier(name))
        row = dict(walled.admin.cursor(row_factory=dict_row).execute(query).fetchone() or {})
        many = [
            {**row, **{key: 100 + n if key == "seq" else f"""it's "{n}" \\ {{x,y}} NULL""" for key in unique}, **free}
            for n in range(ARRAYS_FROM_ROWS)
        ]
        context.confine("a")
        with walled.web.rehearse() as session:
            bulk_insert(session, table, many)
            mine = select(table).where(table.c[unique[0]].in_([each[unique[0]] for each in many]))
            found = [dict(each) for each in session.execute(mine).mappings()]
            key = unique[0]
            assert sorted(found, key=lambda each: each[key]) == sorted(many, key=lambda each: each[key])
        context.confine("b")
        with walled.web.rehearse() as session, pytest.raises(ProgrammingError, match="row-level security"):
            bulk_insert(session, table, many)


def test_an_older_installation_is_walled_at_its_next_start(servers: Servers) -> None:
    """Its role may not bypass policies yet, there is no web role, and tables were made before there was one."""
    owner = f"older_{uuid4().hex[:8]}"
    web, base = owner + databases.WEB, servers.database.url.rsplit("/", 1)[0] + "/" + owner
    row = "INSERT INTO directory_businesses (business_id, sequence, name, currency, time_zone) VALUES"
    with psycopg.connect(servers.database.url, autocommit=True) as server:
        databases.make_role(server, owner, PASSWORD)
        server.execute(f'CREATE DATABASE "{owner}" OWNER "{owner}"')
        older = Database(as_role(base, owner))
        migrate.upgrade(service.find("payments"), older)
        with older.write() as session:  # it is not locked out of what it owns
            session.execute(text(f"{row} ('a', 1, 'A', 'USD', 'UTC'), ('b', 1, 'B', 'USD', 'UTC')"))
        databases.make_role(server, web, PASSWORD)
        databases.make_database(server, owner, web)
        with psycopg.connect(base, autocommit=True) as admin:
            databases.let_web_in(admin, owner, web)
            assert _unguarded(admin) > migrate.OF_NO_BUSINESS - {"attempts"}, "nothing was forced yet"
            migrate.upgrade(service.find("payments"), older)
            assert _unguarded(admin) <= migrate.OF_NO_BUSINESS
        confined = Database(as_role(base, web), is_confined=True)
        with context.confined("a"), confined.read() as session:
            assert session.scalars(text("SELECT business_id FROM directory_businesses")).all() == ["a"]
        for database in (confined, older):
            database.close()
        server.execute(f'DROP DATABASE "{owner}" WITH (FORCE)')
        for role in (web, owner):
            server.execute(f'DROP ROLE "{role}"')


# --- one connection, lent to one after the other ---


def test_what_one_said_is_forgotten_whatever_became_of_it(walled: Walled, rows: list[Table]) -> None:
    table = rows[0]

    def committed() -> None:
        with walled.web.write() as session:
            assert len(session.execute(select(table)).all()) == 1

    def failed() -> None:
        with walled.web.write() as session:
            session.execute(text("SELECT 1 / 0"))

    def failed_within() -> None:
        with walled.web.write() as session, session.begin_nested():
            session.execute(text("SELECT 1 / 0"))

    def raised() -> None:
        with walled.web.write() as session:
            session.execute(select(table)).all()
            raise ValueError

    def read_on_its_own() -> None:
        with walled.web.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            assert connection.execute(select(table)).all() == []  # no transaction, so nothing is said for long

    def read_in_a_snapshot() -> None:
        with walled.web.snapshot() as session:
            assert len(session.execute(select(table)).all()) == 1

    for ends in (committed, failed, failed_within, raised, read_on_its_own, read_in_a_snapshot):
        with context.confined("a"), context.seeking("a"):
            try:
                ends()
            except (DBAPIError, ValueError):
                assert ends in (failed, failed_within, raised)
        with walled.web.read() as session:
            said = session.execute(text("SELECT pg_backend_pid(), current_setting('remit.business', true)")).one()
            assert said[1] in ("", None), ends.__name__
            assert session.execute(select(table)).all() == [], ends.__name__
    with walled.web.engine.connect() as connection:
        assert connection.scalar(text("SELECT pg_backend_pid()")) == said[0], "it was one connection"


# --- requests ---


@pytest.mark.parametrize("walled", ["payments"], indirect=True)
def test_a_request_sees_what_its_path_or_else_its_token_says(walled: Walled, rows: list[Table], tmp_path: Path) -> None:
    auth.make_keys(tmp_path)
    signer = auth.Signer(tmp_path / "operator.key.json")
    found = service.find("payments")
    settings = found.settings.read(
        {
            "DATABASE_URL": walled.url, "WEB_DATABASE_URL": walled.web_url, "DATABASE_POOL_SIZE": "1",
            "AUTH_JWKS_FILE": str(tmp_path / "jwks.json"),
        }
    )  # fmt: skip
    runtime = Runtime.open(found, settings, for_web=True)
    app = create_app(runtime)

    @endpoint("payments:read")
    def careless(business_id: str = "") -> list[str]:
        if business_id == "broken":
            request_session().execute(text("SELECT 1 / 0"))
        return sorted(request_session().scalars(text("SELECT business_id FROM payments")))

    app.add_url_rule("/v1/businesses/<string:business_id>/careless", "careless-of-one", careless)
    app.add_url_rule("/v1/careless", "careless", careless)
    app.add_url_rule("/callback/<string:business_id>", "callback", lambda business_id: _careless(runtime))
    app.add_url_rule("/open", "open", lambda: _careless(runtime))
    everybodys, of_a = (signer.sign("tests", "operator payments:read", whose, 60, {}) for whose in ("*", "a"))

    def seen(path: str, token: str | None) -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = app.test_client().get(path, headers=headers)
        return answer.json if answer.status_code == 200 else answer.status_code

    try:
        for _ in range(2):  # in any order, over one connection
            assert seen("/v1/careless", everybodys) == ["a", "b"]  # an operator's, of no business
            assert seen("/open", None) == []
            assert seen("/v1/businesses/a/careless", everybodys) == ["a"]  # what it asks for, and no more
            assert seen("/v1/businesses/broken/careless", everybodys) == 500
            assert seen("/v1/careless", of_a) == ["a"]
            assert seen("/v1/businesses/a/careless", of_a) == ["a"]
            assert seen("/v1/businesses/b/careless", of_a) == 404
            assert seen("/open", None) == []
            assert seen("/v1/businesses/*/careless", everybodys) == []
            assert seen("/callback/b", None) == ["b"]
            for nobody in ("*", "c", "'"):
                assert seen(f"/callback/{nobody}", None) == [], nobody
            assert seen("/callback/%00", None) == 400  # refused before anybody asks whose it is
    finally:
        runtime.database.close()


def _careless(runtime: Runtime) -> list[str]:
    with runtime.database.read() as session:
        return sorted(session.scalars(text("SELECT business_id FROM payments")))


@pytest.mark.parametrize("walled", ["portal"], indirect=True)
def test_the_portal_knows_people_before_their_business_and_then_only_that(walled: Walled, tmp_path: Path) -> None:
    """Everything that its screens do with its own tables, as the web role."""
    others = Others()
    portal = Portal(tmp_path, others, DATABASE_URL=walled.url, WEB_DATABASE_URL=walled.web_url)
    web = Runtime.open(portal.runtime.service, portal.runtime.settings, for_web=True)
    portal.service.app = create_app(web)
    try:
        for business in ("b1", "b2"):
            portal.add("administrator", "maria@harmony.example", business_id=business, name=f"Maria of {business}")
            portal.add("staff", f"sam@{business}.example", business_id=business, name=f"Sam of {business}")
        _look_at_the_team(portal)
        _invite_and_let_in(portal, others)
        _make_and_exchange_a_key(portal)
    finally:
        web.database.close()
        portal.service.close()
        others.close()


def _look_at_the_team(portal: Portal) -> None:
    """Maria has the same address in both businesses, signs in to one after the other, and sees one at a time."""
    maria, former = portal.visitor(), ""
    for ours, theirs in (("b1", "b2"), ("b2", "b1")):
        asked = maria.sign_in("maria@harmony.example")
        choices = dict(re.findall(r'name="choice" value="((b.)/[^"]+)"', asked.text))
        (choice,) = [value for value, business in choices.items() if business == ours]
        assert maria.post("/sign-in/choice", {"choice": choice}).status_code == 303
        team = maria.get("/settings/team").text
        assert f"Sam of {ours}" in team
        assert f"Sam of {theirs}" not in team
        former, now = str(maria.cookie()), former
        if now:  # in this browser the session at the other business is over
            assert _signed_in(portal, now).get("/settings/team").status_code == 303
    assert maria.post("/sign-out", {}, page="/account").status_code == 303
    assert _signed_in(portal, former).get("/settings/team").status_code == 303
    assert _signed_in(portal, "*.x").get("/settings/team").status_code == 303


def _invite_and_let_in(portal: Portal, others: Others) -> None:
    others.tell("POST", "/emails", 201, {"id": "m1"})
    maria = _of(portal, "b2")
    form = {"name": "Nina New", "email": "nina@harmony.example", "role": "staff", "attempt": "a1"}
    assert maria.post("/settings/team", form, page="/settings/team").headers["Location"].endswith("said=team_invited")
    path = others.last("/emails")["body"]["link"].removeprefix(portal.runtime.settings.portal)
    nina, new = portal.visitor(), {"password": "a long enough one", "again": "a long enough one"}
    assert nina.get(path.replace("business=b2", "business=*")).status_code == 404
    assert nina.get(path.replace("business=b2", "business=%00")).status_code == 400
    assert "Nina New" in nina.get(path).text
    assert nina.post(path, new, page=path).status_code == 200
    assert nina.sign_in("nina@harmony.example", "a long enough one").status_code == 303
    assert nina.post("/account/password", {"old": "a long enough one", **new}, page="/account").status_code == 303
    assert nina.post("/sign-out-everywhere", {}, page="/account").status_code == 303
    asked = len(others.asked)
    assert nina.post("/forgot", {"email": "Nina@harmony.example"}, page="/forgot").status_code == 200
    eventually(lambda: any(each["path"] == "/emails" for each in others.asked[asked:]), "the mail with a link")
    assert portal.visitor().sign_in("nobody\0@harmony.example").status_code == 400


def _make_and_exchange_a_key(portal: Portal) -> None:
    page = "/settings/api-tokens"
    made = _of(portal, "b2").post(page, {"name": "Reporting", "scope": "payments:read", "attempt": "a1"}, page=page)
    key_id, secret = re.findall(r'readonly value="([^"]+)"', made.text)
    form = {"grant_type": "client_credentials", "client_id": key_id, "client_secret": secret}
    program = portal.service.app.test_client()
    assert program.post("/oauth/token", data=form).status_code == 200
    assert program.post("/oauth/token", data={**form, "client_secret": "x"}).status_code == 401
    assert program.post("/oauth/token", data={**form, "client_id": "team-x"}).status_code == 401
    assert key_id not in _of(portal, "b1").get(page).text
    assert _of(portal, "b1").post(f"{page}/{key_id}/revoke", {}, page=page).status_code == 404
    assert _of(portal, "b2").post(f"{page}/{key_id}/revoke", {}, page=page).status_code == 303
    assert program.post("/oauth/token", data=form).status_code == 401


def _of(portal: Portal, business: str) -> Visitor:
    """Maria, signed in at one business."""
    found = portal.visitor()
    asked = found.sign_in("maria@harmony.example")
    (choice,) = re.findall(rf'name="choice" value="({business}/[^"]+)"', asked.text)
    assert found.post("/sign-in/choice", {"choice": choice}).status_code == 303
    return found


def _signed_in(portal: Portal, token: str) -> Visitor:
    found = portal.visitor()
    found.http.set_cookie("remit-session", token)
    return found


def _somebodys(tables: list[Table]) -> list[Table]:
    return [table for table in tables if "business_id" in table.c]


def _insert(table: Table, whose: str) -> str:
    """A row of this business, of any values that the types allow."""
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    values = ", ".join(_value(column, whose) for column in table.columns)
    return f'INSERT INTO "{table.name}" ({names}) OVERRIDING SYSTEM VALUE VALUES ({values})'


def _value(column: Column[Any], whose: str) -> str:
    kinds = {
        "BOOL": "true", "INT": str(ord(whose)), "DATETIME": "now()", "TIMESTAMP": "now()", "DATE": "current_date",
        "JSON": "'{}'", "BLOB": "''", "BYTEA": "''", "BINARY": "''",
    }  # fmt: skip
    kind = str(column.type).upper()
    return next((value for word, value in kinds.items() if word in kind), f"'{whose}'")


def _unguarded(admin: psycopg.Connection) -> set[str]:
    return {name for (name,) in admin.execute(UNGUARDED).fetchall()}
