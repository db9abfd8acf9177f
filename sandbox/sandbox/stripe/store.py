"""Where Stripe's objects are kept: one SQLite file. Every object is one row that holds its JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.tables import Tables, Value

Body = dict[str, Any]
LAYOUT = 1
FIELD = re.compile(r"[a-z_]+(\.[a-z_0-9 -]+)?", re.IGNORECASE)
# AUTOINCREMENT: seq is the order of creation, by which lists are sorted and paged.
TABLES = """
CREATE TABLE object (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    world TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX object_kind ON object (world, kind, seq);
CREATE INDEX object_created ON object (world, kind, created);
CREATE INDEX object_customer ON object (json_extract(body, '$.customer'), kind);
CREATE INDEX object_intent ON object (json_extract(body, '$.payment_intent'), kind);
CREATE INDEX object_email ON object (json_extract(body, '$.email'), kind);
CREATE TABLE idempotency (
    world TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    created REAL NOT NULL,
    request TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (world, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_created ON idempotency (created);
CREATE TABLE task (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    due REAL NOT NULL,
    world TEXT NOT NULL,
    name TEXT NOT NULL,
    ref TEXT NOT NULL
);
CREATE INDEX task_due ON task (due);
CREATE TABLE delivery (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    world TEXT NOT NULL,
    event TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    due REAL NOT NULL,
    until REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'due',
    answer TEXT
);
CREATE INDEX delivery_due ON delivery (due) WHERE state = 'due';
CREATE TABLE expired_key (key TEXT PRIMARY KEY) WITHOUT ROWID;
"""


@dataclass
class Filter:
    """Which objects to list.

    equal: a member of the JSON, "metadata.word" too (None: it has none). among, begins: its value is one of these, or
    begins so. created: bounds in Unix seconds. oldest: one more, which nearly all objects meet. pending: of events,
    whether deliveries are left.
    """

    equal: dict[str, Value] = field(default_factory=dict)
    among: dict[str, list[str]] = field(default_factory=dict)
    begins: dict[str, str] = field(default_factory=dict)
    created: dict[str, int] = field(default_factory=dict)
    oldest: int | None = None
    pending: bool | None = None

    def where(self) -> tuple[str, list[Value]]:
        """The condition, which names only members that look like names, and its values."""
        words, values = list[str](), list[Value]()
        for name, value in self.equal.items():
            words.append(f"json_extract(body, '{_path(name)}') {'IS NULL' if value is None else '= ?'}")
            values.extend([] if value is None else [value])
        for name, several in self.among.items():
            words.append(f"json_extract(body, '{_path(name)}') IN ({','.join('?' * len(several))})")
            values.extend(several)
        for name, start in self.begins.items():
            words.append(f"substr(json_extract(body, '{_path(name)}'), 1, ?) = ?")
            values.extend([len(start), start])
        if self.oldest is not None:
            # The plus keeps SQLite from sorting nearly everything: it walks back from the newest instead.
            words.append("+created >= ?")
            values.append(self.oldest)
        if self.pending is not None:
            words.append(f"json_extract(body, '$.pending_webhooks') {'>' if self.pending else '='} 0")
        for bound, moment in self.created.items():
            words.append(f"created {({'gt': '>', 'gte': '>=', 'lt': '<', 'lte': '<='})[bound]} ?")
            values.append(moment)
        return "".join(f" AND {word}" for word in words), values


class Store(Tables):
    """Objects, idempotency keys, tasks and deliveries; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, TABLES, LAYOUT, "stripe")

    def clear(self) -> None:
        """Forget everything."""
        for table in ("object", "idempotency", "task", "delivery", "expired_key"):
            self.run(f"DELETE FROM {table}")  # noqa: S608 - fixed text only

    # --- objects ---

    def insert(self, world: str, body: Body) -> None:
        """Keep a new object."""
        self.run(
            "INSERT INTO object (world, kind, id, created, body) VALUES (?,?,?,?,?)",
            world, body["object"], body["id"], int(body.get("created", 0)), json.dumps(body),
        )  # fmt: skip

    def update(self, body: Body) -> None:
        """Keep an object as it is now."""
        self.run("UPDATE object SET body = ? WHERE id = ?", json.dumps(body), body["id"])

    def find(self, world: str, key: str, kind: str | None = None) -> Body | None:
        """The object of that id, if it is in this world and of this kind."""
        rows = self.rows("SELECT body, kind FROM object WHERE id = ? AND world = ?", key, world)
        return json.loads(rows[0][0]) if rows and kind in (None, rows[0][1]) else None

    def world_of(self, key: str) -> str | None:
        """The name of the world that holds this object."""
        rows = self.rows("SELECT world FROM object WHERE id = ?", key)
        return str(rows[0][0]) if rows else None

    def place(self, world: str, key: str) -> int | None:
        """Where the object stands in the order of creation."""
        rows = self.rows("SELECT seq FROM object WHERE id = ? AND world = ?", key, world)
        return int(rows[0][0]) if rows else None

    def page(self, world: str | None, kind: str, wanted: Filter, *, limit: int, after: int | None = None,
             before: int | None = None) -> list[Body]:  # fmt: skip
        """At most limit objects, newest first: those next to the place `after`, or the last ones before `before`.

        world: None for all worlds, which only the control API may ask for.
        """
        where, values = wanted.where()
        where, order = f"kind = ?{where}", "DESC"
        values = [kind, *values]
        if world is not None:
            where, values = f"world = ? AND {where}", [world, *values]
        if after is not None:
            where, values = f"{where} AND seq < ?", [*values, after]
        if before is not None:
            where, values, order = f"{where} AND seq > ?", [*values, before], "ASC"
        sql = f"SELECT body FROM object WHERE {where} ORDER BY seq {order} LIMIT ?"  # noqa: S608 - fixed text only
        found = [json.loads(row[0]) for row in self.rows(sql, *values, limit)]
        return found[::-1] if before is not None else found


def _path(name: str) -> str:
    if not FIELD.fullmatch(name):
        raise ValueError(f"no member: {name}")
    first, _, rest = name.partition(".")
    return f'$.{first}."{rest}"' if rest else f"$.{first}"
