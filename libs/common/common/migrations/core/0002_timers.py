"""When each timer began last."""

import sqlalchemy as sa
from alembic import op

from common.db import Moment

revision = "core_0002"
down_revision = "core_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "timers",
        sa.Column("name", sa.String(50), primary_key=True),
        sa.Column("began_at", Moment, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("timers")
