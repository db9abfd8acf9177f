"""gateway-stripe's tables besides those of every gateway. Secrets are sealed, bound to their business and field."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, MetaData, String, Text, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from common.db import NAMING, Moment


class StripeModel(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class Account(StripeModel):
    """A business's Stripe: its mode, whether clients may pay by themselves, and whether Stripe has enabled the account
    for mail and telephone orders (MOTO)."""

    __tablename__ = "stripe_accounts"

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    mode: Mapped[str] = mapped_column(String(4))
    allow_client_initiated_payments: Mapped[bool]
    mail_and_telephone_orders: Mapped[bool] = mapped_column(server_default=false())
    updated_at: Mapped[datetime] = mapped_column(Moment)


class Keys(StripeModel):
    """The keys of one mode, test or live. `state`: registering, ready or failed (with the reason), of its webhook."""

    __tablename__ = "stripe_keys"

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    mode: Mapped[str] = mapped_column(String(4), primary_key=True)
    publishable_key: Mapped[str | None] = mapped_column(Text)
    secret_key: Mapped[str | None] = mapped_column(Text)
    secret_key_end: Mapped[str | None] = mapped_column(String(8))
    account_id: Mapped[str | None] = mapped_column(String(100))
    webhook_id: Mapped[str | None] = mapped_column(String(100))
    webhook_secret: Mapped[str | None] = mapped_column(Text)
    # Both are good while a secret is being rotated.
    previous_webhook_secret: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str | None] = mapped_column(Text)
    # Up to when Stripe's events were asked for, while its callbacks cannot reach us.
    polled_until: Mapped[datetime | None] = mapped_column(Moment)


class Intent(StripeModel):
    """A PaymentIntent that was made here, and whose it is."""

    __tablename__ = "intents"
    __table_args__ = (Index("ix_intents_client", "business_id", "client_id"),)

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    intent_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    mode: Mapped[str] = mapped_column(String(4))
    client_id: Mapped[str] = mapped_column(String(64))
    operation_id: Mapped[str] = mapped_column(String(64))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    invoice_number: Mapped[str | None] = mapped_column(String(50))
    source: Mapped[str] = mapped_column(String(20))
    actor: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)


class Customer(StripeModel):
    """A client as one Stripe account knows it in one mode, for saved cards."""

    __tablename__ = "customers"

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    mode: Mapped[str] = mapped_column(String(4), primary_key=True)
    account_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(100))
