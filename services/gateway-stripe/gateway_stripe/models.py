"""gateway-stripe's tables. Secrets are sealed, bound to their business and field."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, MetaData, String, Text, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from common.db import NAMING, Moment, partial_index


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


class Operation(StripeModel):
    """One call that must answer with its outcome, committed before it is made. `request_key` is the caller's, so that a
    repeat resumes it; `attempt` is part of Stripe's idempotency key, and rises only when Stripe is known to have made
    nothing of the one before. state: started, done, refused, unknown, or resolved (what became of it was told)."""

    __tablename__ = "operations"
    __table_args__ = (
        Index("uq_operations_request", "business_id", "caller", "kind", "request_key", unique=True),
        partial_index("ix_operations_unknown", "business_id", "started_at", where="state IN ('started', 'unknown')"),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    operation_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    caller: Mapped[str] = mapped_column(String(200))
    request_key: Mapped[str] = mapped_column(String(255))
    request: Mapped[str] = mapped_column(Text)
    mode: Mapped[str] = mapped_column(String(4))
    state: Mapped[str] = mapped_column(String(10))
    attempt: Mapped[int]
    answer: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(Moment)


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


class Notice(StripeModel):
    """A callback as it arrived, once per event. state: received, done, ignored or refused, with the reason. mode: test,
    live, or none when it was not taken: nobody knows who sent it."""

    __tablename__ = "notices"
    __table_args__ = (
        Index("uq_notices_event", "business_id", "event_id", unique=True),
        Index("ix_notices_newest", "business_id", "notice_id"),
        partial_index("ix_notices_not_taken", "business_id", "received_at", where="mode = 'none'"),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    notice_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    event_id: Mapped[str] = mapped_column(String(100))
    type: Mapped[str] = mapped_column(String(100))
    mode: Mapped[str] = mapped_column(String(4))
    state: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str | None] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(Moment)


class Told(StripeModel):
    """A fact that was told of as an event, so that two notices of it tell it once; with its amount, so that
    reconciling sees when Stripe has another by now."""

    __tablename__ = "told"

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    fact: Mapped[str] = mapped_column(String(250), primary_key=True)
    amount_minor: Mapped[int | None] = mapped_column(BigInteger)
    told_at: Mapped[datetime] = mapped_column(Moment)


class TestRun(StripeModel):
    """One test transaction; `noticed_at` is when its callback had come back through the bus."""

    __tablename__ = "test_runs"
    __test__ = False  # not for pytest, whatever its name

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    test_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(Moment)
    noticed_at: Mapped[datetime | None] = mapped_column(Moment)
