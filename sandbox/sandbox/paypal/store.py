"""Where PayPal's things are kept: one SQLite file. Transactions and orders are rows that hold JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sandbox.tables import Tables

Body = dict[str, Any]
LAYOUT = 1
# AUTOINCREMENT: seq is the order of creation, by which lists are sorted.
TABLES = """
CREATE TABLE object (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    created REAL NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX object_created ON object (account, kind, created);
CREATE INDEX object_invoice ON object (json_extract(body, '$.invoice'), account, kind);
CREATE TABLE account (
    email TEXT PRIMARY KEY,
    notify_url TEXT NOT NULL DEFAULT '',
    charset TEXT NOT NULL DEFAULT 'windows-1252'
) WITHOUT ROWID;
CREATE TABLE client (id TEXT PRIMARY KEY, account TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE token (token TEXT PRIMARY KEY, account TEXT NOT NULL, until REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE answered (
    account TEXT NOT NULL,
    path TEXT NOT NULL,
    request TEXT NOT NULL,
    created REAL NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (account, path, request)
) WITHOUT ROWID;
CREATE TABLE webhook (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    url TEXT NOT NULL,
    types TEXT NOT NULL,
    address TEXT NOT NULL
);
CREATE TABLE message (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    account TEXT NOT NULL,
    url TEXT NOT NULL,
    created REAL NOT NULL,
    body BLOB NOT NULL,
    digest TEXT NOT NULL
);
CREATE INDEX message_digest ON message (digest);
CREATE TABLE delivery (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    message TEXT NOT NULL,
    webhook TEXT,
    transmission TEXT NOT NULL,
    due REAL NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL,
    status INTEGER
);
CREATE INDEX delivery_due ON delivery (due) WHERE state = 'due';
CREATE INDEX delivery_message ON delivery (message);
"""
ALL_TABLES = ("object", "account", "client", "token", "answered", "webhook", "message", "delivery")


class Store(Tables):
    """Accounts, transactions, orders, webhooks and messages; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, TABLES, LAYOUT, "paypal")

    def clear(self) -> None:
        """Forget everything."""
        for table in ALL_TABLES:
            self.run(f"DELETE FROM {table}")  # noqa: S608 - fixed text only

    def insert(self, kind: str, key: str, account: str, created: float, body: Body) -> None:
        """Keep a new object."""
        self.run(
            "INSERT INTO object (kind, id, account, created, body) VALUES (?,?,?,?,?)",
            kind, key, account, created, json.dumps(body),
        )  # fmt: skip

    def update(self, key: str, body: Body) -> None:
        """Keep an object as it is now."""
        self.run("UPDATE object SET body = ? WHERE id = ?", json.dumps(body), key)

    def find(self, kind: str, key: str, account: str | None = None) -> Body | None:
        """The object of this id and kind; account: only if it is this one's."""
        rows = self.rows("SELECT body, account FROM object WHERE id = ? AND kind = ?", key, kind)
        return json.loads(rows[0][0]) if rows and account in (None, rows[0][1]) else None

    def all(self, kind: str) -> list[Body]:
        """All objects of a kind, oldest first."""
        rows = self.rows("SELECT body FROM object WHERE kind = ? ORDER BY seq", kind)
        return [json.loads(row[0]) for row in rows]
