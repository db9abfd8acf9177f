"""Runs: what was asked for of several clients at once."""

import sqlalchemy as sa
from alembic import op

from common.db import Moment

revision = "portal_0004"
down_revision = "portal_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("business_id", sa.String(64), primary_key=True),
        sa.Column("run_id", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(6), nullable=False),
        sa.Column("begun_by", sa.Text, nullable=False),
        sa.Column("begun_at", Moment, nullable=False),
    )
    op.create_index("ix_runs_begun_at", "runs", ["business_id", "begun_at"])
    op.create_table(
        "run_clients",
        sa.Column("business_id", sa.String(64), primary_key=True),
        sa.Column("run_id", sa.String(64), primary_key=True),
        sa.Column("client_id", sa.String(64), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("claim", sa.BigInteger),
        sa.Column("asked_at", Moment),
    )
    op.create_index("uq_run_clients_claim", "run_clients", ["business_id", "client_id", "claim"], unique=True)


def downgrade() -> None:
    raise NotImplementedError("what was asked for is not dropped by a migration; restore a backup instead")
