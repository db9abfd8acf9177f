"""Payments, receipts with their counter, refunds and batches."""

import sqlalchemy as sa
from alembic import op

from common.db import Moment

revision = "payments_0001"
down_revision = None
branch_labels = ("payments",)
depends_on = ("core_0001", "directory_0001")

GIVEN_BACK = (
    "refunded_minor >= 0 AND refund_pending_minor >= 0 AND disputed_minor >= 0"
    " AND refunded_minor + refund_pending_minor + disputed_minor <= amount_minor"
)


def upgrade() -> None:
    op.create_table(
        "payments",
        sa.Column("business_id", sa.String(64), primary_key=True),
        sa.Column("payment_id", sa.String(64), primary_key=True),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("client_name", sa.Text, nullable=False),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("refunded_minor", sa.BigInteger, nullable=False),
        sa.Column("refund_pending_minor", sa.BigInteger, nullable=False),
        sa.Column("disputed_minor", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("method", sa.String(20), nullable=False),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("gateway", sa.String(20)),
        sa.Column("gateway_account", sa.String(100)),
        sa.Column("gateway_payment_id", sa.String(100)),
        sa.Column("fee_minor", sa.BigInteger),
        sa.Column("invoice_number", sa.String(50)),
        sa.Column("reference", sa.String(200)),
        sa.Column("memo", sa.Text),
        sa.Column("received_on", sa.Date, nullable=False),
        sa.Column("recorded_at", Moment, nullable=False),
        sa.Column("recorded_by_type", sa.String(10), nullable=False),
        sa.Column("recorded_by_id", sa.String(200), nullable=False),
        sa.Column("recorded_by_name", sa.String(200), nullable=False),
        sa.Column("batch_id", sa.String(64)),
        sa.Column("receipt_revision", sa.Integer, nullable=False),
        sa.Column("voided_at", Moment),
        sa.Column("void_reason", sa.Text),
        sa.CheckConstraint("amount_minor > 0", name="ck_payments_amount_positive"),
        sa.CheckConstraint(GIVEN_BACK, name="ck_payments_not_more_given_back"),
    )
    op.create_index("ix_payments_received_on", "payments", ["business_id", "received_on", "payment_id"])
    op.create_index("ix_payments_client", "payments", ["business_id", "client_id", "received_on", "payment_id"])
    op.create_index("ix_payments_batch", "payments", ["business_id", "batch_id"])
    op.create_index("ix_payments_reference", "payments", ["business_id", "reference"])
    op.create_index(
        "uq_payments_gateway",
        "payments",
        ["business_id", "gateway", "gateway_account", "gateway_payment_id"],
        unique=True,
    )
    op.create_table(
        "receipts",
        sa.Column("business_id", sa.String(64), primary_key=True),
        sa.Column("payment_id", sa.String(64), primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("refunded_minor", sa.BigInteger, nullable=False),
        sa.Column("is_void", sa.Boolean, nullable=False),
        sa.Column("issued_at", Moment, nullable=False),
    )
    op.create_index("uq_receipts_number", "receipts", ["business_id", "number", "revision"], unique=True)
    op.create_table(
        "receipt_counters",
        sa.Column("business_id", sa.String(64), primary_key=True),
        sa.Column("last_number", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "refunds",
        sa.Column("business_id", sa.String(64), primary_key=True),
        sa.Column("refund_id", sa.String(64), primary_key=True),
        sa.Column("payment_id", sa.String(64), nullable=False),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("refunded_on", sa.Date, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("created_by_name", sa.String(200), nullable=False),
        sa.ForeignKeyConstraint(
            ["business_id", "payment_id"],
            ["payments.business_id", "payments.payment_id"],
            name="fk_refunds_business_id_payment_id",
        ),
        sa.CheckConstraint("amount_minor > 0", name="ck_refunds_amount_positive"),
    )
    op.create_index("ix_refunds_payment", "refunds", ["business_id", "payment_id"])
    op.create_index("ix_refunds_refunded_on", "refunds", ["business_id", "refunded_on"])
    op.create_table(
        "batches",
        sa.Column("business_id", sa.String(64), primary_key=True),
        sa.Column("batch_id", sa.String(64), primary_key=True),
        sa.Column("batch_reference", sa.String(200)),
        sa.Column("payments", sa.Integer, nullable=False),
        sa.Column("total_minor", sa.BigInteger, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("created_by_name", sa.String(200), nullable=False),
    )


def downgrade() -> None:
    raise NotImplementedError("payments are not dropped by a migration; restore a backup instead")
