"""Mails and their settings."""

import sqlalchemy as sa
from alembic import op

from common.db import Moment

revision = "notifications_0001"
down_revision = None
branch_labels = ("notifications",)
depends_on = ("core_0001", "directory_0001")


def upgrade() -> None:
    op.create_table(
        "emails",
        sa.Column("business_id", sa.String(64), primary_key=True),
        sa.Column("email_id", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("about", sa.String(200), nullable=False),
        sa.Column("client_id", sa.String(64)),
        sa.Column("address", sa.Text),
        sa.Column("address_folded", sa.Text),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("sent_at", Moment),
    )
    op.create_index("uq_emails_about", "emails", ["business_id", "about"], unique=True)
    op.create_index("ix_emails_address", "emails", ["business_id", "address_folded"])
    op.create_table(
        "email_settings",
        sa.Column("business_id", sa.String(64), primary_key=True),
        sa.Column("from_name", sa.Text),
        sa.Column("reply_to", sa.Text),
        sa.Column("receipts_enabled", sa.Boolean, nullable=False),
        sa.Column("low_balance_enabled", sa.Boolean, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("email_settings")
    op.drop_table("emails")
