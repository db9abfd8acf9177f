"""Users, sessions, invitations, and failed sign-ins."""

import sqlalchemy as sa
from alembic import op

from common.db import Moment

revision = "portal_0001"
down_revision = None
branch_labels = ("portal",)
depends_on = "core_0002"


def business() -> sa.Column[str]:
    return sa.Column("business_id", sa.String(64), primary_key=True)


def upgrade() -> None:
    op.create_table(
        "users",
        business(),
        sa.Column("user_id", sa.String(64), primary_key=True),
        sa.Column("role", sa.String(13), nullable=False),
        sa.Column("client_id", sa.String(64)),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("email_folded", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text),
        sa.Column("created_at", Moment, nullable=False),
    )
    op.create_index("uq_users_email", "users", ["business_id", "email_folded"], unique=True)
    op.create_index("ix_users_email", "users", ["email_folded"])
    op.create_table(
        "signed_in",
        business(),
        sa.Column("session_id", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("seen_at", Moment, nullable=False),
        sa.Column("until", Moment, nullable=False),
    )
    op.create_index("ix_signed_in_user", "signed_in", ["business_id", "user_id"])
    op.create_index("ix_signed_in_until", "signed_in", ["until"])
    op.create_table(
        "invitations",
        business(),
        sa.Column("invitation_id", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("until", Moment, nullable=False),
        sa.Column("used_at", Moment),
    )
    op.create_table(
        "attempts",
        sa.Column("account", sa.String(64), primary_key=True),
        sa.Column("address", sa.String(64), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("since", Moment, nullable=False),
    )
    op.create_index("ix_attempts_since", "attempts", ["since"])


def downgrade() -> None:
    raise NotImplementedError("who may sign in is not dropped by a migration; restore a backup instead")
