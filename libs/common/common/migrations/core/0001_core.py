"""Outbox, inbox, jobs and idempotency keys: what every service's database has."""

import sqlalchemy as sa
from alembic import op

from common.db import BigId, Moment

revision = "core_0001"
down_revision = None
branch_labels = ("core",)
depends_on = None

UNPUBLISHED = sa.text("position IS NULL")
PARKED = sa.text("state = 'parked'")
NOT_DONE = sa.text("state <> 'done'")
OPEN = sa.text("state IN ('due', 'claimed')")


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("seq", BigId, primary_key=True, autoincrement=True),
        sa.Column("event_id", sa.String(100), nullable=False),
        sa.Column("business_id", sa.String(64), nullable=False),
        sa.Column("type", sa.String(100), nullable=False),
        sa.Column("routing_key", sa.String(200), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("occurred_at", Moment, nullable=False),
        sa.Column("published_at", Moment),
        sa.Column("position", BigId),
        sa.UniqueConstraint("event_id", name="uq_outbox_event_id"),
        sa.UniqueConstraint("position", name="uq_outbox_position"),
    )
    op.create_index("ix_outbox_unpublished", "outbox", ["seq"], postgresql_where=UNPUBLISHED, sqlite_where=UNPUBLISHED)
    op.create_index("ix_outbox_feed", "outbox", ["business_id", "position"])
    op.create_index("ix_outbox_published_at", "outbox", ["published_at"])
    op.create_table(
        "inbox",
        sa.Column("event_id", sa.String(100), primary_key=True),
        sa.Column("type", sa.String(100), nullable=False),
        sa.Column("business_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("received_at", Moment, nullable=False),
        sa.Column("next_at", Moment),
        sa.Column("reason", sa.Text),
        sa.Column("body", sa.Text),
    )
    op.create_index("ix_inbox_parked", "inbox", ["next_at"], postgresql_where=PARKED, sqlite_where=PARKED)
    op.create_index(
        "ix_inbox_troubled",
        "inbox",
        ["state", "received_at"],
        postgresql_where=NOT_DONE,
        sqlite_where=NOT_DONE,
    )
    op.create_index("ix_inbox_received_at", "inbox", ["received_at"])
    op.create_table(
        "jobs",
        sa.Column("kind", sa.String(50), primary_key=True),
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("business_id", sa.String(64), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", Moment, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("created_at", Moment, nullable=False),
    )
    op.create_index("ix_jobs_open", "jobs", ["next_at"], postgresql_where=OPEN, sqlite_where=OPEN)
    op.create_table(
        "idempotency_keys",
        sa.Column("business_id", sa.String(64), primary_key=True),
        sa.Column("caller", sa.String(200), primary_key=True),
        sa.Column("route", sa.String(200), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("request_hash", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("content_type", sa.String(100)),
        sa.Column("body", sa.LargeBinary),
        sa.Column("created_at", Moment, nullable=False),
    )
    op.create_index("ix_idempotency_created_at", "idempotency_keys", ["created_at"])


def downgrade() -> None:
    for table in ("idempotency_keys", "jobs", "inbox", "outbox"):
        op.drop_table(table)
