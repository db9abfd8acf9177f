"""The copy of invoices, remembered payers, and what tells whose the money in the tray is."""

import sqlalchemy as sa
from alembic import op

from common.db import Moment
from common.invoice_number import tidy

revision = "payments_0003"
down_revision = "payments_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "invoices",
        sa.Column("business_id", sa.String(64), primary_key=True),
        sa.Column("invoice_id", sa.String(64), primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("number", sa.String(50), nullable=False),
        sa.Column("tidied", sa.String(50), nullable=False),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("total_minor", sa.BigInteger, nullable=False),
        sa.Column("paid_minor", sa.BigInteger, nullable=False),
        sa.Column("outstanding_minor", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
    )
    op.create_index("ix_invoices_tidied", "invoices", ["business_id", "tidied"])
    op.create_index("ix_invoices_client", "invoices", ["business_id", "client_id", "state"])
    op.create_index("ix_invoices_outstanding", "invoices", ["business_id", "state", "outstanding_minor"])
    op.create_table(
        "remembered_payers",
        sa.Column("business_id", sa.String(64), primary_key=True),
        sa.Column("gateway", sa.String(20), primary_key=True),
        sa.Column("gateway_account", sa.String(100), primary_key=True),
        sa.Column("payer_id", sa.String(100), primary_key=True),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("remembered_at", Moment, nullable=False),
        sa.Column("remembered_by_name", sa.String(200), nullable=False),
    )
    op.add_column("unmatched", sa.Column("invoice_tidied", sa.String(50)))
    op.add_column("unmatched", sa.Column("payer_id", sa.String(100)))
    op.add_column("unmatched", sa.Column("payer_client_ids", sa.Text))
    op.create_index("ix_unmatched_invoice", "unmatched", ["business_id", "invoice_tidied", "state"])
    _tidy_the_tray()


def _tidy_the_tray() -> None:
    """What waits already can be found by its invoice too. Tidied by what looks it up, so that the two agree."""
    names = ("business_id", "unmatched_id", "state", "invoice_number", "invoice_tidied")
    tray = sa.table("unmatched", *(sa.column(name, sa.String) for name in names))
    bind = op.get_bind()
    waiting = bind.execute(
        sa.select(tray.c.business_id, tray.c.unmatched_id, tray.c.invoice_number).where(
            tray.c.state == "open", tray.c.invoice_number.is_not(None)
        )
    ).all()
    for business_id, unmatched_id, typed in waiting:
        bind.execute(
            sa.update(tray)
            .where(tray.c.business_id == business_id, tray.c.unmatched_id == unmatched_id)
            .values(invoice_tidied=tidy(typed))
        )


def downgrade() -> None:
    raise NotImplementedError("payments are not dropped by a migration; restore a backup instead")
