"""The tables that every gateway service has, in a database of its own."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, LargeBinary, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from common.db import NAMING, Moment, partial_index


class GatewayModel(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class Operation(GatewayModel):
    """One call that must answer with its outcome, committed before it is made. `request_key` is the caller's, so that a
    repeat resumes it; `attempt` is part of the gateway's idempotency key, and rises only when the gateway is known to
    have made nothing of the one before. state: started, done, refused, unknown, or resolved (what became of it was
    told)."""

    __tablename__ = "operations"
    __table_args__ = (
        Index("uq_operations_request", "business_id", "caller", "kind", "request_key", unique=True),
        partial_index("ix_operations_unknown", "business_id", "started_at", where="state IN ('started', 'unknown')"),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    operation_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    caller: Mapped[str] = mapped_column(String(200))
    request_key: Mapped[str] = mapped_column(String(255))
    request: Mapped[str] = mapped_column(Text)
    mode: Mapped[str] = mapped_column(String(4))
    state: Mapped[str] = mapped_column(String(10))
    attempt: Mapped[int]
    answer: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(Moment)


class Notice(GatewayModel):
    """A callback as it arrived, once per event. state: received, done, ignored or refused, with the reason. mode: test,
    live, or none when it was not taken: nobody knows who sent it."""

    __tablename__ = "notices"
    __table_args__ = (
        Index("uq_notices_event", "business_id", "event_id", unique=True),
        Index("ix_notices_newest", "business_id", "notice_id"),
        partial_index("ix_notices_not_taken", "business_id", "received_at", where="mode = 'none'"),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    notice_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    event_id: Mapped[str] = mapped_column(String(100))
    type: Mapped[str] = mapped_column(String(100))
    mode: Mapped[str] = mapped_column(String(4))
    state: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str | None] = mapped_column(Text)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[datetime] = mapped_column(Moment)


class Told(GatewayModel):
    """A fact that was told of as an event, so that two notices of it tell it once; with its amount, so that
    reconciling sees when the gateway has another by now."""

    __tablename__ = "told"

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    fact: Mapped[str] = mapped_column(String(250), primary_key=True)
    amount_minor: Mapped[int | None] = mapped_column(BigInteger)
    told_at: Mapped[datetime] = mapped_column(Moment)


class TestRun(GatewayModel):
    """One test; `noticed_at` is when its callback had come back through the bus."""

    __tablename__ = "test_runs"
    __test__ = False  # not for pytest, whatever its name

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    test_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(Moment)
    noticed_at: Mapped[datetime | None] = mapped_column(Moment)
