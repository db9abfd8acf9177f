"""Catalogue, sessions, invoices, allocations, reminders, and tallies for reports."""

import sqlalchemy as sa
from alembic import op

from common.db import Moment

revision = "billing_0002"
down_revision = "billing_0001"
branch_labels = None
depends_on = ("core_0002",)

LEAVING = sa.text("inactive_on IS NOT NULL AND NOT is_deactivated")
OF_PAYMENT = sa.text("payment_id IS NOT NULL")
INVOICED = sa.text("invoice_id IS NOT NULL")


def business() -> sa.Column[str]:
    return sa.Column("business_id", sa.String(64), primary_key=True)


def of_business(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["business_id"], ["businesses.business_id"], name=f"fk_{table}_business_id")


def of_client(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["business_id", "client_id"],
        ["clients.business_id", "clients.client_id"],
        name=f"fk_{table}_business_id_client_id",
    )


def of_invoice(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["business_id", "invoice_id"],
        ["invoices.business_id", "invoices.invoice_id"],
        name=f"fk_{table}_business_id_invoice_id",
    )


def upgrade() -> None:
    _extend_what_is_there()
    _make_catalog_and_sessions()
    _make_invoices()
    _make_settings()
    _make_tallies()


def _extend_what_is_there() -> None:
    false, zero = sa.false(), sa.text("0")
    op.add_column(
        "businesses", sa.Column("apply_credit_automatically", sa.Boolean, nullable=False, server_default=false)
    )
    op.add_column("businesses", sa.Column("invoice_due_days", sa.Integer, nullable=False, server_default=sa.text("14")))
    op.add_column("clients", sa.Column("is_deactivated", sa.Boolean, nullable=False, server_default=false))
    op.add_column("clients", sa.Column("due_told_for", sa.Date))
    op.create_index("ix_clients_leaving", "clients", ["inactive_on"], postgresql_where=LEAVING, sqlite_where=LEAVING)
    op.execute("UPDATE clients SET is_deactivated = (status = 'inactive')")
    op.add_column("client_accounts", sa.Column("scheduled_minor", sa.BigInteger, nullable=False, server_default=zero))
    op.add_column("transfers", sa.Column("payment_id", sa.String(64)))
    op.add_column("transfers", sa.Column("service_id", sa.String(64)))
    op.drop_index("ix_transfers_effective_on", "transfers")
    op.create_index("ix_transfers_effective_on", "transfers", ["business_id", "client_id", "effective_on", "sequence"])
    op.create_index(
        "ix_transfers_payment",
        "transfers",
        ["business_id", "payment_id"],
        postgresql_where=OF_PAYMENT,
        sqlite_where=OF_PAYMENT,
    )


def _make_catalog_and_sessions() -> None:
    op.create_table(
        "catalog",
        business(),
        sa.Column("service_id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("price_minor", sa.BigInteger, nullable=False),
        sa.Column("duration_minutes", sa.Integer, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        of_business("catalog"),
        sa.CheckConstraint("price_minor > 0", name="ck_catalog_price_positive"),
    )
    op.create_index("uq_catalog_name", "catalog", ["business_id", "name"], unique=True)
    op.create_table(
        "sessions",
        business(),
        sa.Column("session_id", sa.String(64), primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("service_id", sa.String(64), nullable=False),
        sa.Column("starts_at", Moment, nullable=False),
        sa.Column("duration_minutes", sa.Integer, nullable=False),
        sa.Column("price_minor", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("invoice_id", sa.String(64)),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("ended_at", Moment),
        of_client("sessions"),
        sa.ForeignKeyConstraint(
            ["business_id", "service_id"],
            ["catalog.business_id", "catalog.service_id"],
            name="fk_sessions_business_id_service_id",
        ),
        sa.CheckConstraint("price_minor > 0", name="ck_sessions_price_positive"),
    )
    op.create_index("ix_sessions_calendar", "sessions", ["business_id", "starts_at", "session_id"])
    op.create_index("ix_sessions_client", "sessions", ["business_id", "client_id", "starts_at"])
    op.create_index(
        "ix_sessions_invoice",
        "sessions",
        ["business_id", "invoice_id"],
        postgresql_where=INVOICED,
        sqlite_where=INVOICED,
    )


def _make_invoices() -> None:
    op.create_table(
        "invoices",
        business(),
        sa.Column("invoice_id", sa.String(64), primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("number", sa.BigInteger),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("total_minor", sa.BigInteger, nullable=False),
        sa.Column("paid_minor", sa.BigInteger, nullable=False),
        sa.Column("due_on", sa.Date),
        sa.Column("issued_on", sa.Date),
        sa.Column("memo", sa.Text),
        sa.Column("void_reason", sa.Text),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        of_client("invoices"),
        sa.CheckConstraint("paid_minor >= 0 AND paid_minor <= total_minor", name="ck_invoices_paid_within_total"),
    )
    op.create_index("uq_invoices_number", "invoices", ["business_id", "number"], unique=True)
    op.create_index("ix_invoices_client", "invoices", ["business_id", "client_id", "invoice_id"])
    op.create_index("ix_invoices_status", "invoices", ["business_id", "status", "due_on"])
    op.create_table(
        "invoice_lines",
        business(),
        sa.Column("invoice_id", sa.String(64), primary_key=True),
        sa.Column("line", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("service_id", sa.String(64)),
        sa.Column("session_id", sa.String(64)),
        sa.Column("day", sa.Date),
        of_invoice("invoice_lines"),
        sa.CheckConstraint("amount_minor > 0", name="ck_invoice_lines_amount_positive"),
    )
    op.create_table(
        "invoice_counters",
        business(),
        sa.Column("last_number", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "allocations",
        business(),
        sa.Column("allocation_id", sa.String(64), primary_key=True),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("invoice_id", sa.String(64), nullable=False),
        sa.Column("payment_id", sa.String(64)),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("released_minor", sa.BigInteger, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("created_by", sa.Text),
        of_invoice("allocations"),
        sa.CheckConstraint(
            "amount_minor > 0 AND released_minor >= 0 AND released_minor <= amount_minor",
            name="ck_allocations_released_within_amount",
        ),
    )
    op.create_index("ix_allocations_invoice", "allocations", ["business_id", "invoice_id"])
    op.create_index("ix_allocations_payment", "allocations", ["business_id", "payment_id"])
    op.create_index("ix_allocations_client", "allocations", ["business_id", "client_id", "allocation_id"])
    op.create_table(
        "payment_flags",
        business(),
        sa.Column("payment_id", sa.String(64), primary_key=True),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("invoice_number", sa.String(50), nullable=False),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String(30), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
    )


def _make_settings() -> None:
    op.create_table(
        "invoicing",
        business(),
        sa.Column("client_id", sa.String(64), primary_key=True),
        sa.Column("frequency", sa.String(10), nullable=False),
        sa.Column("delivery", sa.String(10), nullable=False),
        sa.Column("anchor_on", sa.Date, nullable=False),
        sa.Column("next_on", sa.Date, nullable=False),
        of_client("invoicing"),
    )
    op.create_index("ix_invoicing_next_on", "invoicing", ["next_on"])
    op.create_table(
        "reminder_settings",
        business(),
        sa.Column("invoice_offsets_days", sa.Text, nullable=False),
        sa.Column("owed_every_days", sa.Integer),
        sa.Column("owed_minimum_minor", sa.BigInteger, nullable=False),
        sa.Column("owed_since", sa.Date, nullable=False),
        sa.Column("deactivation_days_ahead", sa.Integer, nullable=False),
    )
    op.create_table(
        "reminders_sent",
        business(),
        sa.Column("about", sa.String(150), primary_key=True),
        sa.Column("told_at", Moment, nullable=False),
    )


def _make_tallies() -> None:
    op.create_table(
        "tallies",
        business(),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("items", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "tally_changes",
        business(),
        sa.Column("change_id", sa.String(64), primary_key=True),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("items", sa.BigInteger, nullable=False),
    )
    # What was booked before there were tallies: payments, what was given back, and balances.
    op.execute(
        """INSERT INTO tallies (business_id, day, name, amount_minor, items)
        SELECT business_id, '0001-01-01', 'clients', 0, count(*) FROM clients GROUP BY business_id"""
    )
    op.execute(
        """INSERT INTO tallies (business_id, day, name, amount_minor, items)
        SELECT business_id, '0001-01-01', CASE WHEN balance_minor < 0 THEN 'owed' ELSE 'prepaid' END,
               sum(abs(balance_minor)), count(*)
        FROM client_accounts WHERE balance_minor <> 0 GROUP BY business_id, balance_minor < 0"""
    )
    op.execute(
        """INSERT INTO tallies (business_id, day, name, amount_minor, items)
        SELECT business_id, effective_on, 'received:' || substr(method, 10),
               sum(CASE WHEN kind = 'payment' THEN amount_minor ELSE -amount_minor END),
               sum(CASE kind WHEN 'payment' THEN 1 WHEN 'payment_void' THEN -1 ELSE 0 END)
        FROM (SELECT transfers.*, CASE WHEN kind = 'payment' THEN debit_account ELSE credit_account END AS method
              FROM transfers WHERE kind IN ('payment', 'payment_void', 'refund')) AS moved
        GROUP BY business_id, effective_on, method"""
    )


def downgrade() -> None:
    raise NotImplementedError("money is not dropped by a migration; restore a backup instead")
