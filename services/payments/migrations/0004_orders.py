"""The history in order of amount, and of the client's name."""

from alembic import op

revision = "payments_0004"
down_revision = "payments_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_payments_amount", "payments", ["business_id", "amount_minor", "payment_id"])
    op.create_index("ix_payments_client_name", "payments", ["business_id", "client_name", "payment_id"])


def downgrade() -> None:
    op.drop_index("ix_payments_client_name", "payments")
    op.drop_index("ix_payments_amount", "payments")
