"""Billing's tables. The ledger is append-only: triggers in the migration forbid update and delete."""

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKeyConstraint, Index, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from common.db import NAMING, Moment


class BillingModel(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class Business(BillingModel):
    """One tenant. `sequence` rises with every change and orders its events."""

    __tablename__ = "businesses"

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(Text)
    currency: Mapped[str] = mapped_column(String(3))
    time_zone: Mapped[str] = mapped_column(String(64))
    reply_to_email: Mapped[str | None] = mapped_column(Text)
    prepayment_required: Mapped[bool]
    threshold_minor: Mapped[int] = mapped_column(BigInteger)
    reserve_scheduled: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(Moment)


class Client(BillingModel):
    """A person or household that pays a business. Addresses need not be unique; external references are."""

    __tablename__ = "clients"
    __table_args__ = (
        Index("uq_clients_external_ref", "business_id", "external_ref", unique=True),
        Index("ix_clients_name", "business_id", "name", "client_id"),
        Index("ix_clients_email", "business_id", "email_folded"),
        ForeignKeyConstraint(["business_id"], ["businesses.business_id"]),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    email_folded: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    external_ref: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(10))
    inactive_on: Mapped[date | None] = mapped_column(Date)
    threshold_minor: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(Moment)


class ClientAccount(BillingModel):
    """A client's running total, always the sum of its transfers; `sequence` is the last transfer's."""

    __tablename__ = "client_accounts"
    __table_args__ = (
        Index("ix_client_accounts_balance", "business_id", "balance_minor", "client_id"),
        ForeignKeyConstraint(["business_id", "client_id"], ["clients.business_id", "clients.client_id"]),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    balance_minor: Mapped[int] = mapped_column(BigInteger)
    sequence: Mapped[int] = mapped_column(BigInteger)


class Transfer(BillingModel):
    """One row of the ledger: `amount_minor` from the credit account's side to the debit account's, in one client's
    order. `source` is unique, so a fact is posted once; an entry is the transfers that share a source."""

    __tablename__ = "transfers"
    __table_args__ = (
        Index("uq_transfers_source", "business_id", "source", "line", unique=True),
        Index("ix_transfers_effective_on", "business_id", "effective_on"),
        ForeignKeyConstraint(
            ["business_id", "client_id"], ["client_accounts.business_id", "client_accounts.client_id"]
        ),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("debit_account <> credit_account", name="two_accounts"),
    )  # fmt: skip

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    debit_account: Mapped[str] = mapped_column(String(100))
    credit_account: Mapped[str] = mapped_column(String(100))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    kind: Mapped[str] = mapped_column(String(30))
    source: Mapped[str] = mapped_column(String(100))
    line: Mapped[int]
    effective_on: Mapped[date] = mapped_column(Date)
    recorded_at: Mapped[datetime] = mapped_column(Moment)
    recorded_by: Mapped[str | None] = mapped_column(Text)
    memo: Mapped[str | None] = mapped_column(Text)
    balance_after_minor: Mapped[int] = mapped_column(BigInteger)
