"""Who is signed in: rows here, a random token in the browser, its digest in the row."""

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from common import clock
from common.db import Database
from portal.models import SignedIn, User
from portal.usecases.users import Person, person_of

IDLE = timedelta(hours=2)
LONGEST = timedelta(hours=12)
NOTED_EVERY = timedelta(minutes=1)


def begin(session: Session, user: User, former: str | None) -> str:
    """Sign in: a new token for the browser; the row of the one that it held before is gone."""
    now = clock.now()
    if former is not None:
        end(session, former)
    session.execute(delete(SignedIn).where(SignedIn.until < now))
    token = f"{user.business_id}.{secrets.token_urlsafe(32)}"
    session.add(
        SignedIn(
            business_id=user.business_id, session_id=_digest(token), user_id=user.user_id, seen_at=now,
            until=now + LONGEST,
        )
    )  # fmt: skip
    return token


def who(database: Database, token: str) -> Person | None:
    """Whose token it is, unless it is over."""
    now = clock.now()
    with database.read() as session:
        row = session.get(SignedIn, _key(token))
        if row is None or row.until < now or row.seen_at + IDLE < now:
            return None
        user = session.get(User, (row.business_id, row.user_id))
    if user is None:
        return None
    if row.seen_at + NOTED_EVERY < now:
        with database.write() as session:
            seen = session.get(SignedIn, _key(token))
            if seen is not None:
                seen.seen_at = now
    return person_of(user)


def end(session: Session, token: str) -> None:
    business_id, session_id = _key(token)
    session.execute(delete(SignedIn).where(SignedIn.business_id == business_id, SignedIn.session_id == session_id))


def end_all(session: Session, person: Person) -> None:
    """Sign the person out everywhere."""
    session.execute(
        delete(SignedIn).where(SignedIn.business_id == person.business_id, SignedIn.user_id == person.user_id)
    )


def _key(token: str) -> tuple[str, str]:
    return token.rpartition(".")[0], _digest(token)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
