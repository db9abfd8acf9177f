"""The portal's tables: who may sign in, who is signed in, invitations, and failed attempts. No money."""

from datetime import datetime

from sqlalchemy import Index, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from common.db import NAMING, Moment


class PortalModel(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class User(PortalModel):
    """Someone of one business. role: administrator, staff or client; a client names which. Without a password hash the
    invitation has not been used yet."""

    __tablename__ = "users"
    __table_args__ = (
        Index("uq_users_email", "business_id", "email_folded", unique=True),
        Index("ix_users_email", "email_folded"),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    role: Mapped[str] = mapped_column(String(13))
    client_id: Mapped[str | None] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text)
    email_folded: Mapped[str] = mapped_column(Text)
    password_hash: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)


class SignedIn(PortalModel):
    """A session. `session_id` is the digest of what the browser holds."""

    __tablename__ = "signed_in"
    __table_args__ = (
        Index("ix_signed_in_user", "business_id", "user_id"),
        Index("ix_signed_in_until", "until"),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(64))
    seen_at: Mapped[datetime] = mapped_column(Moment)
    until: Mapped[datetime] = mapped_column(Moment)


class Invitation(PortalModel):
    """A link that sets a password, once."""

    __tablename__ = "invitations"

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    invitation_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(64))
    until: Mapped[datetime] = mapped_column(Moment)
    used_at: Mapped[datetime | None] = mapped_column(Moment)


class Attempts(PortalModel):
    """Failed sign-ins since `since`. `account` is the digest of an e-mail address, `address` the caller's; `*` stands
    for all of them. Not of a business: which one is known only after the password fits."""

    __tablename__ = "attempts"
    __table_args__ = (Index("ix_attempts_since", "since"),)

    account: Mapped[str] = mapped_column(String(64), primary_key=True)
    address: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int]
    since: Mapped[datetime] = mapped_column(Moment)
