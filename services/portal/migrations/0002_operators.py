"""Operators among the users, and users who are no longer let in."""

import sqlalchemy as sa
from alembic import op

from common.db import Moment

revision = "portal_0002"
down_revision = "portal_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("is_operator", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("users", sa.Column("disabled_at", Moment))


def downgrade() -> None:
    raise NotImplementedError("who may sign in is not dropped by a migration; restore a backup instead")
