"""Billing's tables. The ledger is append-only: triggers in the migration forbid update and delete."""

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKeyConstraint, Index, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from common.db import NAMING, Moment, partial_index


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
    apply_credit_automatically: Mapped[bool]
    invoice_due_days: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Moment)


class Client(BillingModel):
    """A person or household that pays a business. Addresses need not be unique; external references are.

    Whether a client is inactive is computed on every read; `is_deactivated` only says that it was told, and
    `due_told_for` which coming date staff were reminded of."""

    __tablename__ = "clients"
    __table_args__ = (
        Index("uq_clients_external_ref", "business_id", "external_ref", unique=True),
        Index("ix_clients_name", "business_id", "name", "client_id"),
        Index("ix_clients_email", "business_id", "email_folded"),
        partial_index("ix_clients_leaving", "inactive_on", where="inactive_on IS NOT NULL AND NOT is_deactivated"),
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
    is_deactivated: Mapped[bool]
    due_told_for: Mapped[date | None] = mapped_column(Date)
    created_at: Mapped[datetime] = mapped_column(Moment)


class ClientAccount(BillingModel):
    """A client's running total, always the sum of its transfers; `sequence` is the last transfer's.

    `scheduled_minor` is the sum of the prices of its scheduled sessions, `refunding_minor` of its refunds under way.
    Its lock serialises all that happens to the client's money."""

    __tablename__ = "client_accounts"
    __table_args__ = (
        Index("ix_client_accounts_balance", "business_id", "balance_minor", "client_id"),
        ForeignKeyConstraint(["business_id", "client_id"], ["clients.business_id", "clients.client_id"]),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    balance_minor: Mapped[int] = mapped_column(BigInteger)
    scheduled_minor: Mapped[int] = mapped_column(BigInteger)
    refunding_minor: Mapped[int] = mapped_column(BigInteger)
    sequence: Mapped[int] = mapped_column(BigInteger)


class Transfer(BillingModel):
    """One row of the ledger: `amount_minor` from the credit account's side to the debit account's, in one client's
    order. `source` is unique, so a fact is posted once; an entry is the transfers that share a source. `payment_id` and
    `service_id` say whose money, or which service's income, it changes."""

    __tablename__ = "transfers"
    __table_args__ = (
        Index("uq_transfers_source", "business_id", "source", "line", unique=True),
        Index("ix_transfers_effective_on", "business_id", "client_id", "effective_on", "sequence"),
        partial_index("ix_transfers_payment", "business_id", "payment_id", where="payment_id IS NOT NULL"),
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
    payment_id: Mapped[str | None] = mapped_column(String(64))
    service_id: Mapped[str | None] = mapped_column(String(64))


class RefundUnderWay(BillingModel):
    """A refund that payments was asked for and that is not certain yet. state: open, or closed once it was posted or
    abandoned; one that was closed before it was heard of is kept as well, so that it is never opened."""

    __tablename__ = "refunds_under_way"
    __table_args__ = (
        partial_index("ix_refunds_under_way_open", "business_id", "client_id", where="state = 'open'"),
        ForeignKeyConstraint(["business_id", "client_id"], ["clients.business_id", "clients.client_id"]),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    refund_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(64))
    payment_id: Mapped[str] = mapped_column(String(64))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime] = mapped_column(Moment)


class AnnouncedPayment(BillingModel):
    """Money that a gateway announced. state: pending, failed or arrived; what arrived is the ledger's, and stays here
    so that a late announcement is not shown."""

    __tablename__ = "announced_payments"
    __table_args__ = (
        partial_index("ix_announced_payments_pending", "business_id", "client_id", where="state = 'pending'"),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    gateway: Mapped[str] = mapped_column(String(20), primary_key=True)
    gateway_account: Mapped[str] = mapped_column(String(100), primary_key=True)
    gateway_payment_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    client_id: Mapped[str | None] = mapped_column(String(64))
    amount_minor: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(String(3))
    state: Mapped[str] = mapped_column(String(10))
    told_at: Mapped[datetime] = mapped_column(Moment)


class Tally(BillingModel):
    """A sum that reports would otherwise add up from every row: of a business, by name, by effective day.

    Rows here are folded from `TallyChange`, so that nobody waits for a row that everybody changes; a reader adds what
    is not folded yet. Names: see `domain/tally.py`."""

    __tablename__ = "tallies"

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    items: Mapped[int] = mapped_column(BigInteger)


class TallyChange(BillingModel):
    """What one transaction did to a tally."""

    __tablename__ = "tally_changes"

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    change_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    day: Mapped[date] = mapped_column(Date)
    name: Mapped[str] = mapped_column(String(100))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    items: Mapped[int] = mapped_column(BigInteger)


class CatalogService(BillingModel):
    """What a business sells by the session."""

    __tablename__ = "catalog"
    __table_args__ = (
        Index("uq_catalog_name", "business_id", "name", unique=True),
        ForeignKeyConstraint(["business_id"], ["businesses.business_id"]),
        CheckConstraint("price_minor > 0", name="price_positive"),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    service_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    price_minor: Mapped[int] = mapped_column(BigInteger)
    duration_minutes: Mapped[int]
    active: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(Moment)


class ServiceSession(BillingModel):
    """One appointment of one client for one service. status: scheduled, completed, missed or cancelled; completed and
    missed ones have their charge in the ledger under the source session:<id>. `invoice_id`: the invoice that asks for
    it, until that is void."""

    __tablename__ = "sessions"
    __table_args__ = (
        Index("ix_sessions_calendar", "business_id", "starts_at", "session_id"),
        Index("ix_sessions_client", "business_id", "client_id", "starts_at"),
        partial_index("ix_sessions_invoice", "business_id", "invoice_id", where="invoice_id IS NOT NULL"),
        ForeignKeyConstraint(["business_id", "client_id"], ["clients.business_id", "clients.client_id"]),
        ForeignKeyConstraint(["business_id", "service_id"], ["catalog.business_id", "catalog.service_id"]),
        CheckConstraint("price_minor > 0", name="price_positive"),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    client_id: Mapped[str] = mapped_column(String(64))
    service_id: Mapped[str] = mapped_column(String(64))
    starts_at: Mapped[datetime] = mapped_column(Moment)
    duration_minutes: Mapped[int]
    price_minor: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(String(10))
    invoice_id: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(Moment)
    created_by: Mapped[str] = mapped_column(Text)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)


class Invoice(BillingModel):
    """A request for money. status: draft, pending, paid or void. A draft has no number. `paid_minor` is the sum of what
    is allocated to it."""

    __tablename__ = "invoices"
    __table_args__ = (
        Index("uq_invoices_number", "business_id", "number", unique=True),
        Index("ix_invoices_client", "business_id", "client_id", "invoice_id"),
        Index("ix_invoices_status", "business_id", "status", "due_on"),
        ForeignKeyConstraint(["business_id", "client_id"], ["clients.business_id", "clients.client_id"]),
        CheckConstraint("paid_minor >= 0 AND paid_minor <= total_minor", name="paid_within_total"),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    invoice_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    client_id: Mapped[str] = mapped_column(String(64))
    number: Mapped[int | None] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(String(10))
    currency: Mapped[str] = mapped_column(String(3))
    total_minor: Mapped[int] = mapped_column(BigInteger)
    paid_minor: Mapped[int] = mapped_column(BigInteger)
    due_on: Mapped[date | None] = mapped_column(Date)
    issued_on: Mapped[date | None] = mapped_column(Date)
    memo: Mapped[str | None] = mapped_column(Text)
    void_reason: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)
    created_by: Mapped[str] = mapped_column(Text)


class InvoiceLine(BillingModel):
    """One line of an invoice: a session, or an ad hoc line, which is charged when the invoice is issued."""

    __tablename__ = "invoice_lines"
    __table_args__ = (
        ForeignKeyConstraint(["business_id", "invoice_id"], ["invoices.business_id", "invoices.invoice_id"]),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    invoice_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    description: Mapped[str] = mapped_column(Text)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    service_id: Mapped[str | None] = mapped_column(String(64))
    session_id: Mapped[str | None] = mapped_column(String(64))
    day: Mapped[date | None] = mapped_column(Date)


class InvoiceCounter(BillingModel):
    """The last invoice number of a business. Taken late in a transaction: its lock is what keeps numbers gapless."""

    __tablename__ = "invoice_counters"

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    last_number: Mapped[int] = mapped_column(BigInteger)


class Allocation(BillingModel):
    """Money of a client set against an invoice: a payment's, or, without `payment_id`, other credit. What was taken off
    again, because the payment was given back or the invoice voided, is `released_minor`."""

    __tablename__ = "allocations"
    __table_args__ = (
        Index("ix_allocations_invoice", "business_id", "invoice_id"),
        Index("ix_allocations_payment", "business_id", "payment_id"),
        Index("ix_allocations_client", "business_id", "client_id", "allocation_id"),
        ForeignKeyConstraint(["business_id", "invoice_id"], ["invoices.business_id", "invoices.invoice_id"]),
        CheckConstraint(
            "amount_minor > 0 AND released_minor >= 0 AND released_minor <= amount_minor", name="released_within_amount"
        ),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    allocation_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(64))
    invoice_id: Mapped[str] = mapped_column(String(64))
    payment_id: Mapped[str | None] = mapped_column(String(64))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    released_minor: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(Moment)
    created_by: Mapped[str | None] = mapped_column(Text)


class PaymentFlag(BillingModel):
    """A payment that named an invoice which could not take it; it stayed credit. `reason` is a stable word."""

    __tablename__ = "payment_flags"

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    payment_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(64))
    invoice_number: Mapped[str] = mapped_column(String(50))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(String(30))
    created_at: Mapped[datetime] = mapped_column(Moment)


class Invoicing(BillingModel):
    """Automated invoicing of one client: at `next_on`, sessions that ended before it are invoiced. `anchor_on` is the
    date that the repetitions are counted from."""

    __tablename__ = "invoicing"
    __table_args__ = (
        Index("ix_invoicing_next_on", "next_on"),
        ForeignKeyConstraint(["business_id", "client_id"], ["clients.business_id", "clients.client_id"]),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    frequency: Mapped[str] = mapped_column(String(10))
    delivery: Mapped[str] = mapped_column(String(10))
    anchor_on: Mapped[date] = mapped_column(Date)
    next_on: Mapped[date] = mapped_column(Date)


class ReminderSettings(BillingModel):
    """When a business reminds its clients. `invoice_offsets_days`: JSON list of days after an invoice's due date,
    before it when negative. Owed balances are told every `owed_every_days`, counted from `owed_since`."""

    __tablename__ = "reminder_settings"

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    invoice_offsets_days: Mapped[str] = mapped_column(Text)
    owed_every_days: Mapped[int | None]
    owed_minimum_minor: Mapped[int] = mapped_column(BigInteger)
    owed_since: Mapped[date] = mapped_column(Date)
    deactivation_days_ahead: Mapped[int]


class ReminderSent(BillingModel):
    """One reminder that was told, so that it is never told twice. `about`: invoice:<id>:<offset> or
    balance:<client>:<period>."""

    __tablename__ = "reminders_sent"

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    about: Mapped[str] = mapped_column(String(150), primary_key=True)
    told_at: Mapped[datetime] = mapped_column(Moment)
