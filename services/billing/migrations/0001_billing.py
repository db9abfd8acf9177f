"""Businesses, clients, and the ledger with its guards."""

import sqlalchemy as sa
from alembic import op

from common.db import Moment

revision = "billing_0001"
down_revision = None
branch_labels = ("billing",)
depends_on = ("core_0001",)

GUARD_POSTGRES = """
CREATE FUNCTION refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the ledger is append-only: % on % is refused; post a reversing entry', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER transfers_append_only BEFORE UPDATE OR DELETE ON transfers
  FOR EACH ROW EXECUTE FUNCTION refuse_ledger_change();
CREATE TRIGGER transfers_no_truncate BEFORE TRUNCATE ON transfers
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change();
"""
GUARDS_SQLITE = [
    f"""CREATE TRIGGER transfers_no_{verb} BEFORE {verb} ON transfers BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: {verb} on transfers is refused; post a reversing entry'); END"""
    for verb in ("update", "delete")
]


def upgrade() -> None:
    op.create_table(
        "businesses",
        sa.Column("business_id", sa.String(64), primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("reply_to_email", sa.Text),
        sa.Column("prepayment_required", sa.Boolean, nullable=False),
        sa.Column("threshold_minor", sa.BigInteger, nullable=False),
        sa.Column("reserve_scheduled", sa.Boolean, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
    )
    op.create_table(
        "clients",
        sa.Column("business_id", sa.String(64), primary_key=True),
        sa.Column("client_id", sa.String(64), primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("email", sa.Text),
        sa.Column("email_folded", sa.Text),
        sa.Column("phone", sa.Text),
        sa.Column("external_ref", sa.Text),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("inactive_on", sa.Date),
        sa.Column("threshold_minor", sa.BigInteger),
        sa.Column("created_at", Moment, nullable=False),
        sa.ForeignKeyConstraint(["business_id"], ["businesses.business_id"], name="fk_clients_business_id"),
    )
    op.create_index("uq_clients_external_ref", "clients", ["business_id", "external_ref"], unique=True)
    op.create_index("ix_clients_name", "clients", ["business_id", "name", "client_id"])
    op.create_index("ix_clients_email", "clients", ["business_id", "email_folded"])
    op.create_table(
        "client_accounts",
        sa.Column("business_id", sa.String(64), primary_key=True),
        sa.Column("client_id", sa.String(64), primary_key=True),
        sa.Column("balance_minor", sa.BigInteger, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(
            ["business_id", "client_id"],
            ["clients.business_id", "clients.client_id"],
            name="fk_client_accounts_business_id_client_id",
        ),
    )
    op.create_index("ix_client_accounts_balance", "client_accounts", ["business_id", "balance_minor", "client_id"])
    op.create_table(
        "transfers",
        sa.Column("business_id", sa.String(64), primary_key=True),
        sa.Column("client_id", sa.String(64), primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True),
        sa.Column("debit_account", sa.String(100), nullable=False),
        sa.Column("credit_account", sa.String(100), nullable=False),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("source", sa.String(100), nullable=False),
        sa.Column("line", sa.Integer, nullable=False),
        sa.Column("effective_on", sa.Date, nullable=False),
        sa.Column("recorded_at", Moment, nullable=False),
        sa.Column("recorded_by", sa.Text),
        sa.Column("memo", sa.Text),
        sa.Column("balance_after_minor", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(
            ["business_id", "client_id"],
            ["client_accounts.business_id", "client_accounts.client_id"],
            name="fk_transfers_business_id_client_id",
        ),
        sa.CheckConstraint("amount_minor > 0", name="ck_transfers_amount_positive"),
        sa.CheckConstraint("debit_account <> credit_account", name="ck_transfers_two_accounts"),
    )
    op.create_index("uq_transfers_source", "transfers", ["business_id", "source", "line"], unique=True)
    op.create_index("ix_transfers_effective_on", "transfers", ["business_id", "effective_on"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(GUARD_POSTGRES)
    else:
        for guard in GUARDS_SQLITE:
            op.execute(guard)


def downgrade() -> None:
    raise NotImplementedError("a ledger is not dropped by a migration; restore a backup instead")
