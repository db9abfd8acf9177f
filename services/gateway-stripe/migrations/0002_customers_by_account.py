"""A client's customer belongs to the Stripe account that made it: a business may change accounts."""

import sqlalchemy as sa
from alembic import op

revision = "gateway_stripe_0002"
down_revision = "gateway_stripe_0001"
branch_labels = None
depends_on = None

BEFORE = """
    SELECT customers.business_id, client_id, customers.mode, account_id, customer_id FROM customers
    JOIN stripe_keys ON stripe_keys.business_id = customers.business_id AND stripe_keys.mode = customers.mode
    WHERE account_id IS NOT NULL
"""


def upgrade() -> None:
    rows = [dict(row) for row in op.get_bind().execute(sa.text(BEFORE)).mappings()]
    op.drop_table("customers")
    customers = op.create_table(
        "customers",
        sa.Column("business_id", sa.String(64), primary_key=True),
        sa.Column("client_id", sa.String(64), primary_key=True),
        sa.Column("mode", sa.String(4), primary_key=True),
        sa.Column("account_id", sa.String(100), primary_key=True),
        sa.Column("customer_id", sa.String(100), nullable=False),
    )
    if rows:
        op.bulk_insert(customers, rows)


def downgrade() -> None:
    raise NotImplementedError("which card is whose is not dropped by a migration; restore a backup instead")
