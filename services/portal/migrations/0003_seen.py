"""When users were seen last, and their list by name."""

import sqlalchemy as sa
from alembic import op

from common.db import Moment

revision = "portal_0003"
down_revision = "portal_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("seen_at", Moment))
    op.create_index("ix_users_name", "users", ["business_id", "name", "user_id"])


def downgrade() -> None:
    raise NotImplementedError("who may sign in is not dropped by a migration; restore a backup instead")
