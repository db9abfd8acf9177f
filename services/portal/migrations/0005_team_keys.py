"""The secrets of internal teams, which they exchange for tokens."""

import sqlalchemy as sa
from alembic import op

from common.db import Moment

revision = "portal_0005"
down_revision = "portal_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "team_keys",
        sa.Column("business_id", sa.String(64), primary_key=True),
        sa.Column("key_id", sa.String(64), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("secret_digest", sa.String(64), nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("made_at", Moment, nullable=False),
        sa.Column("expires_at", Moment),
        sa.Column("used_at", Moment),
        sa.Column("revoked_at", Moment),
    )
    op.create_index("uq_team_keys_key_id", "team_keys", ["key_id"], unique=True)


def downgrade() -> None:
    raise NotImplementedError("whom teams are let in by is not dropped by a migration; restore a backup instead")
