"""The copy of businesses and clients that services other than billing keep."""

import sqlalchemy as sa
from alembic import op

from common.db import BigId

revision = "directory_0001"
down_revision = None
branch_labels = ("directory",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "directory_businesses",
        sa.Column("business_id", sa.String(64), primary_key=True),
        sa.Column("sequence", BigId, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("reply_to_email", sa.Text),
    )
    op.create_table(
        "directory_clients",
        sa.Column("business_id", sa.String(64), primary_key=True),
        sa.Column("client_id", sa.String(64), primary_key=True),
        sa.Column("sequence", BigId, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("email", sa.Text),
        sa.Column("email_folded", sa.Text),
        sa.Column("external_ref", sa.Text),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("inactive_on", sa.Date),
    )
    op.create_index("ix_directory_clients_name", "directory_clients", ["business_id", "name"])
    op.create_index("ix_directory_clients_email", "directory_clients", ["business_id", "email_folded"])
    op.create_index("ix_directory_clients_external_ref", "directory_clients", ["business_id", "external_ref"])


def downgrade() -> None:
    op.drop_table("directory_clients")
    op.drop_table("directory_businesses")
