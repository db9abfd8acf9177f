"""Payments' tables. What makes a fact unique is a constraint here, not a check in code."""

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKeyConstraint, Index, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from common.db import NAMING, Moment, partial_index


class PaymentsModel(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class Payment(PaymentsModel):
    """Money received from a client. Amounts are minor units of `currency`; the status is derived, never stored.
    `invoice_number` is what was typed, `invoice_tidied` what it is found by."""

    __tablename__ = "payments"
    __table_args__ = (
        Index("ix_payments_received_on", "business_id", "received_on", "payment_id"),
        Index("ix_payments_client", "business_id", "client_id", "received_on", "payment_id"),
        Index("ix_payments_batch", "business_id", "batch_id"),
        Index("ix_payments_reference", "business_id", "reference"),
        Index("ix_payments_amount", "business_id", "amount_minor", "payment_id"),
        Index("ix_payments_client_name", "business_id", "client_name", "payment_id"),
        partial_index(
            "ix_payments_invoice", "business_id", "invoice_tidied", "invoice_number", where="invoice_number IS NOT NULL"
        ),
        Index(
            "uq_payments_gateway",
            "business_id",
            "gateway",
            "gateway_account",
            "gateway_payment_id",
            unique=True,
        ),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint(
            "refunded_minor >= 0 AND refund_pending_minor >= 0 AND disputed_minor >= 0"
            " AND refunded_minor + refund_pending_minor + disputed_minor <= amount_minor",
            name="not_more_given_back",
        ),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    payment_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(64))
    client_name: Mapped[str] = mapped_column(Text)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    refunded_minor: Mapped[int] = mapped_column(BigInteger)
    refund_pending_minor: Mapped[int] = mapped_column(BigInteger)
    disputed_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    method: Mapped[str] = mapped_column(String(20))
    source: Mapped[str] = mapped_column(String(20))
    gateway: Mapped[str | None] = mapped_column(String(20))
    gateway_account: Mapped[str | None] = mapped_column(String(100))
    gateway_payment_id: Mapped[str | None] = mapped_column(String(100))
    fee_minor: Mapped[int | None] = mapped_column(BigInteger)
    invoice_number: Mapped[str | None] = mapped_column(String(50))
    invoice_tidied: Mapped[str | None] = mapped_column(String(50))
    reference: Mapped[str | None] = mapped_column(String(200))
    memo: Mapped[str | None] = mapped_column(Text)
    received_on: Mapped[date] = mapped_column(Date)
    recorded_at: Mapped[datetime] = mapped_column(Moment)
    recorded_by_type: Mapped[str] = mapped_column(String(10))
    recorded_by_id: Mapped[str] = mapped_column(String(200))
    recorded_by_name: Mapped[str] = mapped_column(String(200))
    batch_id: Mapped[str | None] = mapped_column(String(64))
    receipt_revision: Mapped[int]
    voided_at: Mapped[datetime | None] = mapped_column(Moment)
    void_reason: Mapped[str | None] = mapped_column(Text)
    # What its disputes come to: open, lost or won; None without any. `disputed_minor` is the money, this the state.
    dispute_state: Mapped[str | None] = mapped_column(String(10))


class Receipt(PaymentsModel):
    """One revision of a payment's receipt: the number stays, the revision rises. What had been given back and
    withdrawn by then is kept with it, so that an older revision can still be shown."""

    __tablename__ = "receipts"
    # The number first: PostgreSQL must not take this for a way from a payment to its receipt, which is the key's.
    __table_args__ = (Index("uq_receipts_number", "number", "business_id", "revision", unique=True),)

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    payment_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)
    refunded_minor: Mapped[int] = mapped_column(BigInteger)
    withdrawn_minor: Mapped[int] = mapped_column(BigInteger)
    is_void: Mapped[bool]
    issued_at: Mapped[datetime] = mapped_column(Moment)


class ReceiptCounter(PaymentsModel):
    """The last receipt number of a business. Taken late in a transaction: its lock is what keeps numbers gapless."""

    __tablename__ = "receipt_counters"

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    last_number: Mapped[int] = mapped_column(BigInteger)


class Refund(PaymentsModel):
    """Money given back of one payment. status: pending, succeeded, failed (before any money moved) or reversed (after
    it). `gateway_refund_id` is the gateway's own id, once it is known."""

    __tablename__ = "refunds"
    __table_args__ = (
        ForeignKeyConstraint(["business_id", "payment_id"], ["payments.business_id", "payments.payment_id"]),
        Index("ix_refunds_payment", "business_id", "payment_id"),
        Index("ix_refunds_refunded_on", "business_id", "refunded_on"),
        Index("uq_refunds_gateway", "business_id", "payment_id", "gateway_refund_id", unique=True),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    refund_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    payment_id: Mapped[str] = mapped_column(String(64))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str] = mapped_column(Text)
    refunded_on: Mapped[date] = mapped_column(Date)
    created_at: Mapped[datetime] = mapped_column(Moment)
    created_by_name: Mapped[str] = mapped_column(String(200))
    created_by_type: Mapped[str | None] = mapped_column(String(10))
    created_by_id: Mapped[str | None] = mapped_column(String(200))
    gateway_refund_id: Mapped[str | None] = mapped_column(String(100))
    failure: Mapped[str | None] = mapped_column(Text)
    reversed_on: Mapped[date | None] = mapped_column(Date)


class Batch(PaymentsModel):
    """Payments recorded together."""

    __tablename__ = "batches"

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    batch_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    batch_reference: Mapped[str | None] = mapped_column(String(200))
    payments: Mapped[int]
    total_minor: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(Moment)
    created_by_name: Mapped[str] = mapped_column(String(200))


class Unmatched(PaymentsModel):
    """Money that arrived and could not be attributed: the tray. state: open, or assigned to `payment_id`. `client_id`
    is whom the gateway named, if it named anybody. `invoice_number` is what was typed, `invoice_tidied` what it is
    looked up by; `payer_client_ids` is a JSON list. `assigned_by_name` is None when an invoice told whose it is."""

    __tablename__ = "unmatched"
    __table_args__ = (
        Index("uq_unmatched_gateway", "business_id", "gateway", "gateway_account", "gateway_payment_id", unique=True),
        Index("ix_unmatched_state", "business_id", "state", "unmatched_id"),
        Index("ix_unmatched_invoice", "business_id", "invoice_tidied", "state"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    unmatched_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str] = mapped_column(Text)
    gateway: Mapped[str] = mapped_column(String(20))
    gateway_account: Mapped[str] = mapped_column(String(100))
    gateway_payment_id: Mapped[str] = mapped_column(String(100))
    client_id: Mapped[str | None] = mapped_column(String(64))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    fee_minor: Mapped[int | None] = mapped_column(BigInteger)
    method: Mapped[str] = mapped_column(String(20))
    source: Mapped[str] = mapped_column(String(20))
    invoice_number: Mapped[str | None] = mapped_column(String(50))
    invoice_tidied: Mapped[str | None] = mapped_column(String(50))
    payer_id: Mapped[str | None] = mapped_column(String(100))
    payer_client_ids: Mapped[str | None] = mapped_column(Text)
    reference: Mapped[str | None] = mapped_column(String(200))
    happened_at: Mapped[datetime] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)
    payment_id: Mapped[str | None] = mapped_column(String(64))
    assigned_at: Mapped[datetime | None] = mapped_column(Moment)
    assigned_by_name: Mapped[str | None] = mapped_column(String(200))


class Invoice(PaymentsModel):
    """An invoice as billing's newest event told of it. state: pending, paid or void. `tidied` is what it is looked up
    by, whatever people type; `outstanding_minor` is nothing unless it is pending."""

    __tablename__ = "invoices"
    __table_args__ = (
        Index("ix_invoices_tidied", "business_id", "tidied"),
        Index("ix_invoices_client", "business_id", "client_id", "state"),
        Index("ix_invoices_outstanding", "business_id", "state", "outstanding_minor"),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    invoice_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    number: Mapped[str] = mapped_column(String(50))
    tidied: Mapped[str] = mapped_column(String(50))
    client_id: Mapped[str] = mapped_column(String(64))
    total_minor: Mapped[int] = mapped_column(BigInteger)
    paid_minor: Mapped[int] = mapped_column(BigInteger)
    outstanding_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    state: Mapped[str] = mapped_column(String(10))
    issued_on: Mapped[date | None] = mapped_column(Date)


class RememberedPayer(PaymentsModel):
    """The client that a payer at a gateway pays for, because staff said so once and for later. `payer_id` is the
    gateway's own id: no name, no address."""

    __tablename__ = "remembered_payers"

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    gateway: Mapped[str] = mapped_column(String(20), primary_key=True)
    gateway_account: Mapped[str] = mapped_column(String(100), primary_key=True)
    payer_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(64))
    remembered_at: Mapped[datetime] = mapped_column(Moment)
    remembered_by_name: Mapped[str] = mapped_column(String(200))


class PendingPayment(PaymentsModel):
    """Money that a gateway has announced. state: pending, or failed; what succeeded is a payment and has no row here.
    A failure that came first is a row too: the announcement, when it comes late, must not be shown."""

    __tablename__ = "pending_payments"
    __table_args__ = (Index("ix_pending_payments_client", "business_id", "state", "client_id"),)

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    gateway: Mapped[str] = mapped_column(String(20), primary_key=True)
    gateway_account: Mapped[str] = mapped_column(String(100), primary_key=True)
    gateway_payment_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    state: Mapped[str] = mapped_column(String(10))
    told_at: Mapped[datetime] = mapped_column(Moment)
    reason: Mapped[str] = mapped_column(Text)
    client_id: Mapped[str | None] = mapped_column(String(64))
    amount_minor: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(String(3))
    method: Mapped[str | None] = mapped_column(String(20))
    source: Mapped[str | None] = mapped_column(String(20))
    invoice_number: Mapped[str | None] = mapped_column(String(50))


class Dispute(PaymentsModel):
    """A dispute's state: open, won, lost or withdrawn. Its money is in `FundsMovement`: neither tells the other."""

    __tablename__ = "disputes"
    __table_args__ = (
        ForeignKeyConstraint(["business_id", "payment_id"], ["payments.business_id", "payments.payment_id"]),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    payment_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    gateway_dispute_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    state: Mapped[str] = mapped_column(String(10))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime] = mapped_column(Moment)
    closed_at: Mapped[datetime | None] = mapped_column(Moment)


class FundsMovement(PaymentsModel):
    """Money of a disputed payment that the gateway took (direction: withdrawn) or gave back (reinstated)."""

    __tablename__ = "funds_movements"
    __table_args__ = (
        ForeignKeyConstraint(["business_id", "payment_id"], ["payments.business_id", "payments.payment_id"]),
        Index("ix_funds_movements_moved_on", "business_id", "moved_on"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    payment_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    gateway_movement_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    gateway_dispute_id: Mapped[str] = mapped_column(String(100))
    direction: Mapped[str] = mapped_column(String(10))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    moved_on: Mapped[date] = mapped_column(Date)
    created_at: Mapped[datetime] = mapped_column(Moment)


class WaitingFact(PaymentsModel):
    """What a gateway told that cannot be part of a payment yet, with the reason: its payment is not recorded, or there
    is no room for it. Tried again whenever something happens to the payment; `body` is the event as it travelled."""

    __tablename__ = "waiting_facts"

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    gateway: Mapped[str] = mapped_column(String(20), primary_key=True)
    gateway_account: Mapped[str] = mapped_column(String(100), primary_key=True)
    gateway_payment_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    fact: Mapped[str] = mapped_column(String(150), primary_key=True)
    body: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(Moment)
