"""The day on which an invoice was issued: money of an earlier day is not meant for it."""

import sqlalchemy as sa
from alembic import op

revision = "payments_0005"
down_revision = "payments_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("invoices", sa.Column("issued_on", sa.Date))


def downgrade() -> None:
    op.drop_column("invoices", "issued_on")
