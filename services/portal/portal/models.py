"""The portal's tables: who may sign in, who is signed in, invitations, failed attempts, and what was asked for of
several clients at once. No money: what is charged and owed is the other services'."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from common.db import NAMING, Moment


class PortalModel(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class User(PortalModel):
    """Someone of one business. role: administrator, staff or client; a client names which. Without a password hash the
    invitation has not been used yet. An operator also sees how the system does, of all businesses; only the command
    makes one. Who was disabled cannot sign in. `seen_at` is the last page they opened, to a few minutes."""

    __tablename__ = "users"
    __table_args__ = (
        Index("uq_users_email", "business_id", "email_folded", unique=True),
        Index("ix_users_email", "email_folded"),
        Index("ix_users_name", "business_id", "name", "user_id"),
    )

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    role: Mapped[str] = mapped_column(String(13))
    client_id: Mapped[str | None] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text)
    email_folded: Mapped[str] = mapped_column(Text)
    password_hash: Mapped[str | None] = mapped_column(Text)
    is_operator: Mapped[bool] = mapped_column(default=False)
    disabled_at: Mapped[datetime | None] = mapped_column(Moment)
    seen_at: Mapped[datetime | None] = mapped_column(Moment)
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


class TeamKey(PortalModel):
    """What an internal team's program presents for a token (`usecases.team_keys`). `scopes` is a list with spaces; of
    the secret there is only its digest. It is good until it expires or is revoked."""

    __tablename__ = "team_keys"
    __table_args__ = (Index("uq_team_keys_key_id", "key_id", unique=True),)

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    scopes: Mapped[str] = mapped_column(Text)
    secret_digest: Mapped[str] = mapped_column(String(64))
    made_by: Mapped[str] = mapped_column(Text)
    made_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime | None] = mapped_column(Moment)
    used_at: Mapped[datetime | None] = mapped_column(Moment)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)


class Attempts(PortalModel):
    """Failed sign-ins since `since`. `account` is the digest of an e-mail address, `address` the caller's; `*` stands
    for all of them. Not of a business: which one is known only after the password fits."""

    __tablename__ = "attempts"
    __table_args__ = (Index("ix_attempts_since", "since"),)

    account: Mapped[str] = mapped_column(String(64), primary_key=True)
    address: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int]
    since: Mapped[datetime] = mapped_column(Moment)


class Run(PortalModel):
    """Charges or mails for several clients, which somebody asked for at once and which are made one after the other.
    kind: charge or email."""

    __tablename__ = "runs"
    __table_args__ = (Index("ix_runs_begun_at", "business_id", "begun_at"),)

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    run_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(6))
    begun_by: Mapped[str] = mapped_column(Text)
    begun_at: Mapped[datetime] = mapped_column(Moment)


class RunClient(PortalModel):
    """One client of a run, the amount that somebody agreed to, and what became of it (`domain.runs`). `claim` is the
    entry of the client's ledger up to which the balance counted when it was charged, `booked` the entry that the charge
    became, once a run has seen it: no other run charges a balance that does not count it, while it may be charged."""

    __tablename__ = "run_clients"
    __table_args__ = (Index("uq_run_clients_claim", "business_id", "client_id", "claim", unique=True),)

    business_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    run_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    position: Mapped[int]
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    state: Mapped[str] = mapped_column(String(12))
    detail: Mapped[str] = mapped_column(Text)
    claim: Mapped[int | None] = mapped_column(BigInteger)
    booked: Mapped[int | None] = mapped_column(BigInteger)
    asked_at: Mapped[datetime | None] = mapped_column(Moment)
