"""Whether a business's Stripe account takes mail and telephone orders."""

import sqlalchemy as sa
from alembic import op

revision = "gateway_stripe_0003"
down_revision = "gateway_stripe_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The default also serves the release before this one, which goes on inserting while the new one starts.
    op.add_column(
        "stripe_accounts",
        sa.Column("mail_and_telephone_orders", sa.Boolean, nullable=False, server_default=sa.false()),
    )


def downgrade() -> None:
    raise NotImplementedError("settings are not dropped by a migration; restore a backup instead")
