"""Idempotency keys: the key is inserted in the transaction of the effect, so twins wait for the first and get its
answer. Only 2xx answers are kept."""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta

from flask import Response, request
from sqlalchemy import Index, LargeBinary, String, delete, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapped, Session, mapped_column

from common import clock
from common.db import Model, Moment, insert_or, is_contended
from common.errors import Conflict, Invalid

KEEP = timedelta(days=30)
MAX_KEY = 255


class IdempotencyRow(Model):
    """One answered request."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_created_at", "created_at"),)

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    caller: Mapped[str] = mapped_column(String(200), primary_key=True)
    route: Mapped[str] = mapped_column(String(200), primary_key=True)
    key: Mapped[str] = mapped_column(String(MAX_KEY), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    content_type: Mapped[str | None] = mapped_column(String(100))
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(Moment)


def given_key() -> str | None:
    """The caller's Idempotency-Key, if it sent one. Raises Invalid."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (0 < len(key) <= MAX_KEY and key.isprintable()):
        raise Invalid("idempotency_key_invalid", f"An Idempotency-Key is 1 to {MAX_KEY} printable characters.")
    return key


def once(session: Session, key: str, business_id: str, caller: str, act: Callable[[], Response]) -> Response:
    """`act()` once for this key; a repeat gets the first answer. The caller commits unless the answer is an error."""
    row = {
        "business_id": business_id,
        "caller": caller,
        "route": f"{request.method} {request.path}"[:200],
        "key": key,
    }
    request_hash = hashlib.sha256(
        b"\0".join([request.query_string, (request.mimetype or "").encode(), request.get_data(cache=True)])
    ).hexdigest()
    if not _is_first(session, {**row, "request_hash": request_hash, "created_at": clock.now()}):
        return _replay(session, row, request_hash)
    response = act()
    if response.status_code < 300:
        session.execute(
            update(IdempotencyRow)
            .where(*(getattr(IdempotencyRow, name) == value for name, value in row.items()))
            .values(status=response.status_code, content_type=response.content_type, body=response.get_data()),
            execution_options={"synchronize_session": False},
        )
    return response


def _is_first(session: Session, row: dict[str, object]) -> bool:
    try:
        inserted = session.execute(
            insert_or(session, IdempotencyRow).values(row).on_conflict_do_nothing().returning(IdempotencyRow.key)
        )
        return inserted.first() is not None
    except DBAPIError as error:
        if not is_contended(error):
            raise
        raise Conflict(
            "request_in_progress",
            "The same request is still being worked on. Ask again in a moment with the same key.",
            headers={"Retry-After": "2"},
        ) from error


def _replay(session: Session, row: dict[str, str], request_hash: str) -> Response:
    kept = session.execute(
        select(IdempotencyRow.request_hash, IdempotencyRow.status, IdempotencyRow.content_type, IdempotencyRow.body)
        .where(*(getattr(IdempotencyRow, name) == value for name, value in row.items()))
    ).one()  # fmt: skip
    if kept.request_hash != request_hash:
        raise Invalid(
            "idempotency_key_reused",
            "This Idempotency-Key was used for another request. Use a new key for a new request.",
        )
    response = Response(kept.body, kept.status, content_type=kept.content_type)
    response.headers["Idempotent-Replayed"] = "true"
    return response


def forget_old(session: Session, limit: int = 5_000) -> int:
    """Delete kept answers past their 30 days, a batch at a time; answers how many went."""
    table = IdempotencyRow
    old = (
        select(table.business_id, table.caller, table.route, table.key)
        .where(table.created_at < clock.now() - KEEP)
        .limit(limit)
    )
    rows = session.execute(old).all()
    for row in rows:
        session.execute(
            delete(table).where(
                table.business_id == row[0],
                table.caller == row[1],
                table.route == row[2],
                table.key == row[3],
            )
        )
    return len(rows)
