"""Keys of internal teams: made and taken back by administrators, exchanged by programs for short tokens.

The portal keeps a digest of each secret. It is long and random, so a fast digest is as good as a slow one.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from common import clock, logs
from common.auth import TEAM, Signer
from common.context import seeking
from common.db import Database
from common.errors import Conflict, NotFound
from portal.domain import team_scopes
from portal.models import TeamKey
from portal.usecases.marks import mark
from portal.usecases.users import Person

GOOD_FOR = timedelta(minutes=15)
# So long the page that showed a secret may be sent again, by a double click say, and shows the same one.
SHOWN_AGAIN = timedelta(minutes=2)
NOTED_EVERY = timedelta(minutes=1)
MOST = 200

Status = Literal["active", "expired", "revoked"]

log = logs.get("team_keys")


class NoSuchKey(Exception):
    """The key or its secret is not right, or it is over. Which of these is not said to whoever asks."""


class WrongScope(Exception):
    """More was asked for than the key may have; the message says what."""


@dataclass(frozen=True)
class Made:
    """A key with its secret, which is shown now and never again."""

    key_id: str
    secret: str
    name: str


@dataclass(frozen=True)
class Token:
    """What a key was exchanged for."""

    token: str
    seconds: int
    scope: str


def listed(session: Session, business_id: str) -> Sequence[TeamKey]:
    """The newest first; those that are over stay, so that what they did can be understood."""
    found = select(TeamKey).where(TeamKey.business_id == business_id)
    return session.scalars(found.order_by(TeamKey.made_at.desc(), TeamKey.key_id).limit(MOST)).all()


def status_of(key: TeamKey) -> Status:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= clock.now() else "active"


def as_row(key: TeamKey) -> dict[str, Any]:
    return {
        "id": key.key_id, "name": key.name, "may": team_scopes.in_words(key.scopes.split()), "status": status_of(key),
        "made_by": key.made_by, "made_at": key.made_at.isoformat(),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "used_at": key.used_at.isoformat() if key.used_at else None,
    }  # fmt: skip


def make(
    session: Session, signer: Signer, by: Person, attempt: str, name: str, scopes: Sequence[str],
    expires_at: datetime | None,
) -> Made:  # fmt: skip
    """A new key. The same attempt by the same person answers the same one, for a moment; then Conflict."""
    said = f"{by.business_id}/{by.user_id}/{attempt}"
    key_id = "team-" + hashlib.sha256(f"id\n{said}".encode()).hexdigest()[:24]
    # A signature by the portal's own key: nobody else can work it out, and it need not be kept to be shown twice.
    secret = "remit_secret_" + hashlib.sha256(mark(signer, "team-key", said).encode()).hexdigest()[:40]
    held = session.get(TeamKey, (by.business_id, key_id))
    if held is not None:
        is_shown_again = held.made_at + SHOWN_AGAIN >= clock.now() and held.secret_digest == _digest(secret)
        if held.revoked_at is not None or not is_shown_again:
            words = f"“{held.name}” was made already, and its secret is not shown again. Make a new one if it is lost."
            raise Conflict("token_made", words)
        return Made(key_id, secret, held.name)
    session.add(
        TeamKey(
            business_id=by.business_id, key_id=key_id, name=name, scopes=" ".join(team_scopes.known(scopes)),
            secret_digest=_digest(secret), made_by=by.name, made_at=clock.now(), expires_at=expires_at, used_at=None,
            revoked_at=None,
        )
    )  # fmt: skip
    session.flush()
    log.info("team key made", business_id=by.business_id, by=by.user_id, key_id=key_id, scopes=" ".join(scopes))
    return Made(key_id, secret, name)


def end_of(last_day: date, time_zone: str) -> datetime:
    """When the last day is over, where the business is."""
    return datetime.combine(last_day + timedelta(days=1), datetime.min.time(), ZoneInfo(time_zone)).astimezone(UTC)


def find(session: Session, business_id: str, key_id: str) -> TeamKey:
    """The key, or NotFound."""
    key = session.get(TeamKey, (business_id, key_id))
    if key is None:
        raise NotFound("not_found", "There is no such token.")
    return key


def revoke(session: Session, by: Person, key_id: str) -> None:
    """Take a key back: it is exchanged no more, and tokens that it brought end by themselves. Raises NotFound."""
    key = find(session, by.business_id, key_id)
    if key.revoked_at is None:
        key.revoked_at = clock.now()
        log.info("team key revoked", business_id=by.business_id, by=by.user_id, key_id=key_id)


def business_of(database: Database, key_id: str) -> str | None:
    """Whose key it is."""
    with seeking(key_id), database.read() as session:
        return session.scalar(select(TeamKey.business_id).where(TeamKey.key_id == key_id))


def exchange(session: Session, signer: Signer, key_id: str, secret: str, asked: str) -> Token:
    """A token for whoever knows the secret, with the scopes asked for, or all of the key's. Raises NoSuchKey,
    WrongScope."""
    key = session.scalar(select(TeamKey).where(TeamKey.key_id == key_id))
    digest = key.secret_digest if key is not None else "0" * 64
    if not hmac.compare_digest(digest, _digest(secret)) or key is None or status_of(key) != "active":
        raise NoSuchKey
    allowed = team_scopes.known(key.scopes.split())
    wanted = asked.split() or allowed
    beyond = sorted(set(wanted) - set(allowed))
    if beyond:
        raise WrongScope(f"This token was not given {' '.join(beyond)[:200]}.")
    now = clock.now()
    left = GOOD_FOR if key.expires_at is None else min(GOOD_FOR, key.expires_at - now)
    seconds = max(1, int(left.total_seconds()))
    if key.used_at is None or key.used_at + NOTED_EVERY < now:
        key.used_at = now
    scope = " ".join(team_scopes.known(wanted))
    actor = {"type": "team", "id": key.key_id, "name": key.name}
    return Token(signer.sign(f"{TEAM}{key.key_id}", scope, key.business_id, seconds, actor), seconds, scope)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
