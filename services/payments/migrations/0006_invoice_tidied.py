"""The payments of an invoice are found whatever way its number was typed."""

import sqlalchemy as sa
from alembic import op

from common.invoice_number import tidy

revision = "payments_0006"
down_revision = "payments_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    numbers = _tidy_numbers()
    op.add_column("payments", sa.Column("invoice_tidied", sa.String(50)))
    payments = sa.table("payments", sa.column("invoice_number"), sa.column("invoice_tidied"))
    tidied = sa.select(numbers.c.tidied).where(numbers.c.typed == payments.c.invoice_number).scalar_subquery()
    op.execute(sa.update(payments).where(payments.c.invoice_number.is_not(None)).values(invoice_tidied=tidied))
    numbers.drop(op.get_bind())
    is_there = sa.text("invoice_number IS NOT NULL")
    columns = ["business_id", "invoice_tidied", "invoice_number"]
    op.create_index("ix_payments_invoice", "payments", columns, postgresql_where=is_there, sqlite_where=is_there)


def _tidy_numbers() -> sa.Table:
    """Every number that was typed, and what it is tidied to by what looks it up. Made before payments are locked by
    their new column, so that one statement is all that those who record meanwhile wait for."""
    bind = op.get_bind()
    numbers = sa.Table(
        "tidied_numbers",
        sa.MetaData(),
        sa.Column("typed", sa.String(50), primary_key=True),
        sa.Column("tidied", sa.String(50), nullable=False),
        prefixes=["TEMPORARY"],
    )
    numbers.create(bind)
    payments = sa.table("payments", sa.column("invoice_number", sa.String))
    recorded = sa.select(payments.c.invoice_number).where(payments.c.invoice_number.is_not(None)).distinct()
    rows = [{"typed": typed, "tidied": tidy(typed) or typed} for typed in bind.scalars(recorded)]
    if rows:
        bind.execute(sa.insert(numbers), rows)
    return numbers


def downgrade() -> None:
    op.drop_index("ix_payments_invoice", "payments")
    op.drop_column("payments", "invoice_tidied")
