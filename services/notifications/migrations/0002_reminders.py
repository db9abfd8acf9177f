"""A switch for reminders."""

import sqlalchemy as sa
from alembic import op

revision = "notifications_0002"
down_revision = "notifications_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The default also serves the release before this one, which goes on inserting while the new one starts.
    op.add_column(
        "email_settings", sa.Column("reminders_enabled", sa.Boolean, nullable=False, server_default=sa.true())
    )


def downgrade() -> None:
    op.drop_column("email_settings", "reminders_enabled")
