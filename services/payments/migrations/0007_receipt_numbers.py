"""What keeps receipt numbers unique begins with the number: until a table that has grown was looked at, PostgreSQL took
it for as good a way from a payment to its receipt as the key, and read all receipts of the business for each."""

from alembic import op

revision = "payments_0007"
down_revision = "payments_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("uq_receipts_number", "receipts")
    op.create_index("uq_receipts_number", "receipts", ["number", "business_id", "revision"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_receipts_number", "receipts")
    op.create_index("uq_receipts_number", "receipts", ["business_id", "number", "revision"], unique=True)
