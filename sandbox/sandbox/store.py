"""Where received mail is kept: one SQLite file, or memory."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.headers import clean, summarise

LARGEST_ID = 2**63 - 1
LAYOUT = 1
# The raw bytes have a table of their own, so that listing and searching read only small rows.
# AUTOINCREMENT: an id is never given twice, also not after the box was emptied, so old links cannot
# show somebody else's message.
TABLES = """
CREATE TABLE mail (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at TEXT NOT NULL,
    envelope_from TEXT NOT NULL,
    recipients TEXT NOT NULL,
    message_id TEXT,
    subject TEXT NOT NULL,
    header_from TEXT NOT NULL,
    header_to TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    subject_folded TEXT NOT NULL,
    search_folded TEXT NOT NULL
);
CREATE INDEX mail_message_id ON mail (message_id);
CREATE TABLE recipient (
    address_folded TEXT NOT NULL,
    mail INTEGER NOT NULL REFERENCES mail (id),
    PRIMARY KEY (address_folded, mail)
) WITHOUT ROWID;
CREATE TABLE raw (mail INTEGER PRIMARY KEY REFERENCES mail (id), octets BLOB NOT NULL);
"""


@dataclass(frozen=True)
class StoredMail:
    """One delivery without its body. received_at is RFC 3339 in UTC with milliseconds."""

    id: int
    received_at: str
    envelope_from: str
    recipients: tuple[str, ...]
    message_id: str | None
    subject: str
    header_from: str
    header_to: str
    size_bytes: int


@dataclass(frozen=True)
class MailFilter:
    """Which mail to list; an empty field does not restrict.

    to: a recipient address, whole, in any case. message_id: whole, with or without angle brackets.
    subject: a piece of the subject, in any case. words: a piece of the subject, a recipient or the To header.
    """

    to: str = ""
    subject: str = ""
    message_id: str = ""
    words: str = ""

    def source(self) -> tuple[str, list[str | int]]:
        """FROM and WHERE clauses (which name only fixed columns) and their parameters."""
        tables, wheres, values = "mail", ["1"], list[str | int]()
        if self.to:
            tables = "recipient CROSS JOIN mail ON mail.id = recipient.mail"
            wheres.append("recipient.address_folded = ?")
            values.append(clean(self.to).casefold())
        if self.subject:
            wheres.append("instr(mail.subject_folded, ?)")
            values.append(clean(self.subject).casefold())
        if self.message_id:
            bare = clean(self.message_id).strip("<> ")
            wheres.append("mail.message_id IN (?, ?)")
            values.extend([f"<{bare}>", bare])
        if self.words:
            wheres.append("instr(mail.search_folded, ?)")
            values.append(clean(self.words).casefold())
        return f"FROM {tables} WHERE {' AND '.join(wheres)}", values


EVERYTHING = MailFilter()


class MailStore:
    """Received mail, safe to use from several threads.

    path: the SQLite file (folders above it are made), or None for memory. A delivery is committed when
    add() returns and then survives the death of the process (kill -9); a power cut may cost the last ones,
    as commits are not forced to the disk. Raises sqlite3.Error when the file cannot be used, and
    RuntimeError when it was written by another version of the sandbox.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        if path is not None:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._writer = _connect(path)
        self._write_lock = threading.Lock()
        # With a file, a second connection lets the web part read while mail is being stored.
        self._reader = self._writer if path is None else _connect(path)
        self._read_lock = self._write_lock if path is None else threading.Lock()
        try:
            self._lay_out()
        except BaseException:
            self.close()
            raise

    def _lay_out(self) -> None:
        with self._write_lock:
            version = self._writer.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                self._writer.executescript(f"BEGIN;{TABLES}PRAGMA user_version = {LAYOUT};COMMIT;")
            elif version != LAYOUT:
                raise RuntimeError(f"the mail file has layout {version}, not {LAYOUT}: delete it")

    def close(self) -> None:
        """Close the file. The store cannot be used afterwards; closing twice does no harm."""
        with self._write_lock:
            self._writer.close()
        with self._read_lock:
            self._reader.close()

    def add(self, envelope_from: str, recipients: Sequence[str], raw: bytes) -> int:
        """Store one delivery in one commit and return its id. Raises sqlite3.Error when it cannot be kept."""
        summary = summarise(raw)
        addresses = [clean(address) for address in recipients]
        search = "\n".join([summary.subject, summary.header_to, *addresses]).casefold()
        row = (
            _now(),
            clean(envelope_from),
            json.dumps(addresses),
            summary.message_id,
            summary.subject,
            summary.header_from,
            summary.header_to,
            len(raw),
            summary.subject.casefold(),
            search,
        )
        with self._write_lock, self._writer:
            cursor = self._writer.execute(
                "INSERT INTO mail (received_at, envelope_from, recipients, message_id, subject, header_from,"
                " header_to, size_bytes, subject_folded, search_folded) VALUES (?,?,?,?,?,?,?,?,?,?)",
                row,
            )
            key = cursor.lastrowid or 0
            self._writer.execute("INSERT INTO raw (mail, octets) VALUES (?, ?)", (key, raw))
            # The same address may be named twice in one envelope.
            self._writer.executemany(
                "INSERT OR IGNORE INTO recipient (address_folded, mail) VALUES (?, ?)",
                [(address.casefold(), key) for address in addresses],
            )
        return key

    def clear(self) -> int:
        """Delete all mail and return how many deliveries that were."""
        with self._write_lock, self._writer:
            self._writer.execute("DELETE FROM recipient")
            self._writer.execute("DELETE FROM raw")
            return self._writer.execute("DELETE FROM mail").rowcount

    def get(self, key: int) -> StoredMail | None:
        """The delivery with this id, or None."""
        rows = self._mails("FROM mail WHERE id = ?", [key]) if 0 < key <= LARGEST_ID else []
        return rows[0] if rows else None

    def raw(self, key: int) -> bytes | None:
        """The bytes of the delivery as received, or None."""
        if not 0 < key <= LARGEST_ID:
            return None
        rows = self._rows("SELECT octets FROM raw WHERE mail = ?", [key])
        return bytes(rows[0][0]) if rows else None

    def page(
        self, wanted: MailFilter = EVERYTHING, *, limit: int, before: int | None = None, offset: int = 0
    ) -> list[StoredMail]:
        """At most limit deliveries, newest first, with ids below before, skipping offset of them."""
        source, values = wanted.source()
        # With a recipient, its index already holds the ids in order: sorting by it costs nothing.
        key = "recipient.mail" if wanted.to else "mail.id"
        if before is not None:
            source += f" AND {key} < ?"
            values.append(min(before, LARGEST_ID))
        return self._mails(f"{source} ORDER BY {key} DESC LIMIT ? OFFSET ?", [*values, limit, offset])

    def count(self, wanted: MailFilter = EVERYTHING) -> int:
        """How many deliveries match."""
        source, values = wanted.source()
        return int(self._rows(f"SELECT count(*) {source}", values)[0][0])  # noqa: S608 - fixed text only

    def tally(self, wanted: MailFilter = EVERYTHING) -> tuple[int, int]:
        """(deliveries, distinct Message-IDs); mail without a Message-ID counts only as a delivery."""
        source, values = wanted.source()
        sql = f"SELECT count(*), count(DISTINCT mail.message_id) {source}"  # noqa: S608 - fixed text only
        deliveries, distinct = self._rows(sql, values)[0]
        return int(deliveries), int(distinct)

    def _mails(self, source: str, values: Sequence[str | int]) -> list[StoredMail]:
        rows = self._rows(
            "SELECT mail.id, received_at, envelope_from, recipients, message_id, subject, header_from,"
            f" header_to, size_bytes {source}",
            values,
        )  # noqa: S608 - fixed text only, values are bound
        return [
            StoredMail(key, received_at, sender, tuple(json.loads(recipients)), *rest)
            for key, received_at, sender, recipients, *rest in rows
        ]

    def _rows(self, sql: str, values: Sequence[str | int]) -> list[tuple[Any, ...]]:
        with self._read_lock, closing(self._reader.execute(sql, values)) as cursor:
            return cursor.fetchall()


def _connect(path: str | Path | None) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:" if path is None else path, timeout=10, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    # NORMAL: the WAL is not synced at each commit. The operating system still has the data when the
    # process dies, and a sandbox need not survive a power cut.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    return connection


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
