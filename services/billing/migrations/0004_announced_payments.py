"""Money that gateways announced, shown beside balances until it is certain."""

import sqlalchemy as sa
from alembic import op

from common.db import Moment

revision = "billing_0004"
down_revision = "billing_0003"
branch_labels = None
depends_on = None

PENDING = sa.text("state = 'pending'")


def upgrade() -> None:
    op.create_table(
        "announced_payments",
        sa.Column("business_id", sa.String(64), primary_key=True),
        sa.Column("gateway", sa.String(20), primary_key=True),
        sa.Column("gateway_account", sa.String(100), primary_key=True),
        sa.Column("gateway_payment_id", sa.String(100), primary_key=True),
        sa.Column("client_id", sa.String(64)),
        sa.Column("amount_minor", sa.BigInteger),
        sa.Column("currency", sa.String(3)),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("told_at", Moment, nullable=False),
    )
    op.create_index(
        "ix_announced_payments_pending", "announced_payments", ["business_id", "client_id"], postgresql_where=PENDING,
        sqlite_where=PENDING,
    )  # fmt: skip


def downgrade() -> None:
    raise NotImplementedError("money is not dropped by a migration; restore a backup instead")
