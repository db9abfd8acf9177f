"""Notifications' tables: every mail with its state, and each business's settings."""

from datetime import datetime

from sqlalchemy import Index, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from common.db import NAMING, Moment


class NotificationsModel(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class Email(NotificationsModel):
    """One mail. `about` is unique, so that a fact is mailed once: receipt:<payment>:<revision>, low-balance:<event>,
    invoice:<invoice>:<request>, dispute:<payment>:<dispute> … state: queued, sent, failed or suppressed. `facts` is
    what its text is made from, as JSON."""

    __tablename__ = "emails"
    __table_args__ = (
        Index("uq_emails_about", "business_id", "about", unique=True),
        Index("ix_emails_address", "business_id", "address_folded"),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    email_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    about: Mapped[str] = mapped_column(String(200))
    client_id: Mapped[str | None] = mapped_column(String(64))
    address: Mapped[str | None] = mapped_column(Text)
    address_folded: Mapped[str | None] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    facts: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Moment)
    sent_at: Mapped[datetime | None] = mapped_column(Moment)


class EmailSettings(NotificationsModel):
    """How a business's mails look and which are sent; without a row the defaults hold."""

    __tablename__ = "email_settings"

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    from_name: Mapped[str | None] = mapped_column(Text)
    reply_to: Mapped[str | None] = mapped_column(Text)
    receipts_enabled: Mapped[bool]
    low_balance_enabled: Mapped[bool]
    reminders_enabled: Mapped[bool]


class EmailTexts(NotificationsModel):
    """A business's own words in one kind of its mails, with placeholders: what comes before the facts, and after."""

    __tablename__ = "email_texts"

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    intro: Mapped[str | None] = mapped_column(Text)
    closing: Mapped[str | None] = mapped_column(Text)
