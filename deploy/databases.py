"""One database and two roles per service, as often as you like: what is there is only set right.

A service's role owns its database, and cannot even connect to another's. Its web role may read and write rows there,
under the row-level security that `remit <service> migrate` sets up, and that its own role is exempt from.
"""

import json
import os
from pathlib import Path

import psycopg
from psycopg import sql

ROLES_FILE = Path("/secrets/roles.json")
WEB = "-web"


def main() -> None:
    roles: dict[str, str] = json.loads(ROLES_FILE.read_text())
    with connect("postgres") as connection:
        for database in ("postgres", "template1"):
            run(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", database)
        services = [name for name in roles if not name.endswith(WEB)]
        for name, password in roles.items():
            make_role(connection, name, password)
        for name in services:
            make_database(connection, name, name + WEB)
    for name in services:
        with connect(name) as connection:
            let_web_in(connection, name, name + WEB)
    print(f"remit: roles and databases are in place for {', '.join(services)}")  # noqa: T201


def connect(database: str) -> psycopg.Connection:
    return psycopg.connect(
        host="postgres",
        dbname=database,
        user=os.environ["POSTGRES_USER"],
        password=os.environ["POSTGRES_PASSWORD"],
        connect_timeout=10,
        autocommit=True,
    )


def make_role(connection: psycopg.Connection, name: str, password: str) -> None:
    if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone() is None:
        run(connection, "CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION", name)
    # Hashed here, so that the password itself is in no statement and no log.
    hashed = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(name), sql.Literal(hashed)))


def make_database(connection: psycopg.Connection, name: str, web: str) -> None:
    """Of the role of the same name, which row-level security does not hold for; `web` may only connect."""
    if connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
        run(connection, "CREATE DATABASE {0} OWNER {0}", name)
    run(connection, "ALTER ROLE {} BYPASSRLS", name)
    run(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", name)
    connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(name), sql.Identifier(web)))


def let_web_in(connection: psycopg.Connection, owner: str, web: str) -> None:
    """In the service's own database: rows of the tables that are there, and of those that `owner` will make."""
    rows, numbers = "SELECT, INSERT, UPDATE, DELETE", "USAGE, SELECT"
    for statement in (
        "GRANT USAGE ON SCHEMA public TO {web}",
        f"GRANT {rows} ON ALL TABLES IN SCHEMA public TO {{web}}",
        f"GRANT {numbers} ON ALL SEQUENCES IN SCHEMA public TO {{web}}",
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {{owner}} IN SCHEMA public GRANT {rows} ON TABLES TO {{web}}",
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {{owner}} IN SCHEMA public GRANT {numbers} ON SEQUENCES TO {{web}}",
    ):
        connection.execute(sql.SQL(statement).format(owner=sql.Identifier(owner), web=sql.Identifier(web)))


def run(connection: psycopg.Connection, statement: str, name: str) -> None:
    connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


if __name__ == "__main__":
    main()
