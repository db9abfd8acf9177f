"""Money that gateways tell of: the tray, announcements, refunds at gateways, disputes, and what waits."""

import sqlalchemy as sa
from alembic import op

from common.db import Moment

revision = "payments_0002"
down_revision = "payments_0001"
branch_labels = None
depends_on = None


def business() -> sa.Column[str]:
    return sa.Column("business_id", sa.String(64), primary_key=True)


def gateway_payment(*, primary_key: bool) -> list[sa.Column[str]]:
    return [
        sa.Column(name, sa.String(length), primary_key=primary_key, nullable=False)
        for name, length in (("gateway", 20), ("gateway_account", 100), ("gateway_payment_id", 100))
    ]


def of_payment(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["business_id", "payment_id"],
        ["payments.business_id", "payments.payment_id"],
        name=f"fk_{table}_business_id_payment_id",
    )


def upgrade() -> None:
    op.add_column("payments", sa.Column("dispute_state", sa.String(10)))
    # The default also serves the release before this one, which goes on inserting while the new one starts.
    op.add_column("receipts", sa.Column("withdrawn_minor", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("refunds", sa.Column("created_by_type", sa.String(10)))
    op.add_column("refunds", sa.Column("created_by_id", sa.String(200)))
    op.add_column("refunds", sa.Column("gateway_refund_id", sa.String(100)))
    op.add_column("refunds", sa.Column("failure", sa.Text))
    op.add_column("refunds", sa.Column("reversed_on", sa.Date))
    op.create_index("uq_refunds_gateway", "refunds", ["business_id", "payment_id", "gateway_refund_id"], unique=True)
    _make_tray()
    _make_disputes()


def _make_tray() -> None:
    op.create_table(
        "unmatched",
        business(),
        sa.Column("unmatched_id", sa.String(64), primary_key=True),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        *gateway_payment(primary_key=False),
        sa.Column("client_id", sa.String(64)),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("fee_minor", sa.BigInteger),
        sa.Column("method", sa.String(20), nullable=False),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("invoice_number", sa.String(50)),
        sa.Column("reference", sa.String(200)),
        sa.Column("happened_at", Moment, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("payment_id", sa.String(64)),
        sa.Column("assigned_at", Moment),
        sa.Column("assigned_by_name", sa.String(200)),
        sa.CheckConstraint("amount_minor > 0", name="ck_unmatched_amount_positive"),
    )
    op.create_index(
        "uq_unmatched_gateway",
        "unmatched",
        ["business_id", "gateway", "gateway_account", "gateway_payment_id"],
        unique=True,
    )
    op.create_index("ix_unmatched_state", "unmatched", ["business_id", "state", "unmatched_id"])
    op.create_table(
        "pending_payments",
        business(),
        *gateway_payment(primary_key=True),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("told_at", Moment, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("client_id", sa.String(64)),
        sa.Column("amount_minor", sa.BigInteger),
        sa.Column("currency", sa.String(3)),
        sa.Column("method", sa.String(20)),
        sa.Column("source", sa.String(20)),
        sa.Column("invoice_number", sa.String(50)),
    )
    op.create_index("ix_pending_payments_client", "pending_payments", ["business_id", "state", "client_id"])
    op.create_table(
        "waiting_facts",
        business(),
        *gateway_payment(primary_key=True),
        sa.Column("fact", sa.String(150), primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("received_at", Moment, nullable=False),
    )


def _make_disputes() -> None:
    op.create_table(
        "disputes",
        business(),
        sa.Column("payment_id", sa.String(64), primary_key=True),
        sa.Column("gateway_dispute_id", sa.String(100), primary_key=True),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("opened_at", Moment, nullable=False),
        sa.Column("closed_at", Moment),
        of_payment("disputes"),
    )
    op.create_table(
        "funds_movements",
        business(),
        sa.Column("payment_id", sa.String(64), primary_key=True),
        sa.Column("gateway_movement_id", sa.String(100), primary_key=True),
        sa.Column("gateway_dispute_id", sa.String(100), nullable=False),
        sa.Column("direction", sa.String(10), nullable=False),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("moved_on", sa.Date, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        of_payment("funds_movements"),
        sa.CheckConstraint("amount_minor > 0", name="ck_funds_movements_amount_positive"),
    )
    op.create_index("ix_funds_movements_moved_on", "funds_movements", ["business_id", "moved_on"])


def downgrade() -> None:
    raise NotImplementedError("payments are not dropped by a migration; restore a backup instead")
