"""Refunds under way, and their sum on each client's account."""

import sqlalchemy as sa
from alembic import op

from common.db import Moment

revision = "billing_0003"
down_revision = "billing_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The default also serves the release before this one, which goes on inserting while the new one starts.
    op.add_column("client_accounts", sa.Column("refunding_minor", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "refunds_under_way",
        sa.Column("business_id", sa.String(64), primary_key=True),
        sa.Column("refund_id", sa.String(64), primary_key=True),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("payment_id", sa.String(64), nullable=False),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["business_id", "client_id"],
            ["clients.business_id", "clients.client_id"],
            name="fk_refunds_under_way_business_id_client_id",
        ),
        sa.CheckConstraint("amount_minor > 0", name="ck_refunds_under_way_amount_positive"),
    )
    op.create_index(
        "ix_refunds_under_way_open",
        "refunds_under_way",
        ["business_id", "client_id"],
        postgresql_where=sa.text("state = 'open'"),
        sqlite_where=sa.text("state = 'open'"),
    )


def downgrade() -> None:
    raise NotImplementedError("money is not dropped by a migration; restore a backup instead")
