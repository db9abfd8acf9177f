"""gateway-paypal's tables besides those of every gateway. Modes are Remit's: test (PayPal's sandbox) and live."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from common.db import NAMING, Moment


class PayPalModel(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class Account(PayPalModel):
    """A business's PayPal. `checkout`: standard (a form and IPN) or orders (Orders v2 and webhooks).
    `webhook_state`: none, registering, ready or failed, with the reason."""

    __tablename__ = "paypal_accounts"

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    mode: Mapped[str] = mapped_column(String(4))
    checkout: Mapped[str] = mapped_column(String(10))
    business_email: Mapped[str] = mapped_column(Text)
    merchant_id: Mapped[str | None] = mapped_column(String(20))
    allow_client_initiated_payments: Mapped[bool]
    client_id: Mapped[str | None] = mapped_column(Text)
    client_secret: Mapped[str | None] = mapped_column(Text)
    client_secret_end: Mapped[str | None] = mapped_column(String(8))
    webhook_id: Mapped[str | None] = mapped_column(String(100))
    webhook_state: Mapped[str] = mapped_column(String(12))
    webhook_reason: Mapped[str | None] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(Moment)


class Checkout(PayPalModel):
    """A payment that was begun here: what was asked, of whom, and what became of it. `invoice_id` is PayPal's invoice
    field, fresh for every attempt; `txn_id` is PayPal's payment once it is known. state: waiting, pending, paid or
    failed."""

    __tablename__ = "checkouts"
    __table_args__ = (
        Index("uq_checkouts_invoice_id", "business_id", "invoice_id", unique=True),
        Index("ix_checkouts_order", "business_id", "order_id"),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    checkout_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    mode: Mapped[str] = mapped_column(String(4))
    kind: Mapped[str] = mapped_column(String(10))
    client_id: Mapped[str] = mapped_column(String(64))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    invoice_number: Mapped[str | None] = mapped_column(String(50))
    actor: Mapped[str] = mapped_column(Text)
    invoice_id: Mapped[str] = mapped_column(String(127))
    order_id: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(10))
    txn_id: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(Moment)


class Transaction(PayPalModel):
    """A payment of PayPal's that was told of, and the account that it went to: what comes of it later goes with it."""

    __tablename__ = "transactions"
    __table_args__ = (Index("ix_transactions_seen", "business_id", "mode", "seen_at"),)

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    txn_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    mode: Mapped[str] = mapped_column(String(4))
    gateway_account: Mapped[str] = mapped_column(String(254))
    seen_at: Mapped[datetime] = mapped_column(Moment)
