"""PayPal's settings, checkouts and transactions; operations, notices, what was told, and test runs."""

import sqlalchemy as sa
from alembic import op

from common.db import Moment

revision = "gateway_paypal_0001"
down_revision = None
branch_labels = ("gateway_paypal",)
depends_on = ("core_0002", "directory_0001")

UNKNOWN = sa.text("state IN ('started', 'unknown')")
NONE = sa.text("mode = 'none'")


def business() -> sa.Column[str]:
    return sa.Column("business_id", sa.String(64), primary_key=True)


def upgrade() -> None:
    of_paypal()
    of_every_gateway()


def of_paypal() -> None:
    op.create_table(
        "paypal_accounts",
        business(),
        sa.Column("mode", sa.String(4), nullable=False),
        sa.Column("checkout", sa.String(10), nullable=False),
        sa.Column("business_email", sa.Text, nullable=False),
        sa.Column("merchant_id", sa.String(20)),
        sa.Column("allow_client_initiated_payments", sa.Boolean, nullable=False),
        sa.Column("client_id", sa.Text),
        sa.Column("client_secret", sa.Text),
        sa.Column("client_secret_end", sa.String(8)),
        sa.Column("webhook_id", sa.String(100)),
        sa.Column("webhook_state", sa.String(12), nullable=False),
        sa.Column("webhook_reason", sa.Text),
        sa.Column("updated_at", Moment, nullable=False),
    )
    op.create_table(
        "checkouts",
        business(),
        sa.Column("checkout_id", sa.String(64), primary_key=True),
        sa.Column("mode", sa.String(4), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("invoice_number", sa.String(50)),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("invoice_id", sa.String(127), nullable=False),
        sa.Column("order_id", sa.String(64)),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("txn_id", sa.String(64)),
        sa.Column("created_at", Moment, nullable=False),
    )
    op.create_index("uq_checkouts_invoice_id", "checkouts", ["business_id", "invoice_id"], unique=True)
    op.create_index("ix_checkouts_order", "checkouts", ["business_id", "order_id"])
    op.create_table(
        "transactions",
        business(),
        sa.Column("txn_id", sa.String(64), primary_key=True),
        sa.Column("mode", sa.String(4), nullable=False),
        sa.Column("gateway_account", sa.String(254), nullable=False),
        sa.Column("seen_at", Moment, nullable=False),
    )
    op.create_index("ix_transactions_seen", "transactions", ["business_id", "mode", "seen_at"])


def of_every_gateway() -> None:
    op.create_table(
        "operations",
        business(),
        sa.Column("operation_id", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("caller", sa.String(200), nullable=False),
        sa.Column("request_key", sa.String(255), nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("mode", sa.String(4), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("answer", sa.Text),
        sa.Column("started_at", Moment, nullable=False),
    )
    request = ["business_id", "caller", "kind", "request_key"]
    op.create_index("uq_operations_request", "operations", request, unique=True)
    op.create_index(
        "ix_operations_unknown", "operations", ["business_id", "started_at"], postgresql_where=UNKNOWN,
        sqlite_where=UNKNOWN,
    )  # fmt: skip
    op.create_table(
        "notices",
        business(),
        sa.Column("notice_id", sa.String(64), primary_key=True),
        sa.Column("event_id", sa.String(100), nullable=False),
        sa.Column("type", sa.String(100), nullable=False),
        sa.Column("mode", sa.String(4), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("received_at", Moment, nullable=False),
    )
    op.create_index("uq_notices_event", "notices", ["business_id", "event_id"], unique=True)
    op.create_index("ix_notices_newest", "notices", ["business_id", "notice_id"])
    op.create_index(
        "ix_notices_not_taken", "notices", ["business_id", "received_at"], postgresql_where=NONE, sqlite_where=NONE
    )
    op.create_table(
        "told",
        business(),
        sa.Column("fact", sa.String(250), primary_key=True),
        sa.Column("amount_minor", sa.BigInteger),
        sa.Column("told_at", Moment, nullable=False),
    )
    op.create_table(
        "test_runs",
        business(),
        sa.Column("test_id", sa.String(64), primary_key=True),
        sa.Column("started_at", Moment, nullable=False),
        sa.Column("noticed_at", Moment),
    )


def downgrade() -> None:
    raise NotImplementedError("what a gateway told is not dropped by a migration; restore a backup instead")
