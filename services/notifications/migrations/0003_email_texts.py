"""A business's own words in its mails."""

import sqlalchemy as sa
from alembic import op

revision = "notifications_0003"
down_revision = "notifications_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "email_texts",
        sa.Column("business_id", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(20), primary_key=True),
        sa.Column("intro", sa.Text),
        sa.Column("closing", sa.Text),
    )


def downgrade() -> None:
    op.drop_table("email_texts")
