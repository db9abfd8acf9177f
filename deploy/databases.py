"""One role and one database per service, as often as you like: what is there is only set right.

A role may do everything in its own database, and cannot even connect to another's.
"""

import json
import os
from pathlib import Path

import psycopg
from psycopg import sql

ROLES_FILE = Path("/secrets/roles.json")


def main() -> None:
    roles: dict[str, str] = json.loads(ROLES_FILE.read_text())
    with psycopg.connect(
        host="postgres",
        dbname="postgres",
        user=os.environ["POSTGRES_USER"],
        password=os.environ["POSTGRES_PASSWORD"],
        connect_timeout=10,
        autocommit=True,
    ) as connection:
        for database in ("postgres", "template1"):
            run(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", database)
        for name, password in roles.items():
            make_role(connection, name, password)
            make_database(connection, name)
    print(f"remit: roles and databases are in place for {', '.join(roles)}")  # noqa: T201


def make_role(connection: psycopg.Connection, name: str, password: str) -> None:
    if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone() is None:
        run(connection, "CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION", name)
    # Hashed here, so that the password itself is in no statement and no log.
    hashed = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(name), sql.Literal(hashed)))


def make_database(connection: psycopg.Connection, name: str) -> None:
    if connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
        run(connection, "CREATE DATABASE {0} OWNER {0}", name)
    run(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", name)


def run(connection: psycopg.Connection, statement: str, name: str) -> None:
    connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


if __name__ == "__main__":
    main()
