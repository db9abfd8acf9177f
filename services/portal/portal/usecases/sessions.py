"""Who is signed in: rows here, a random token in the browser, its digest in the row."""

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from common import clock
from common.context import confined
from common.db import Database
from portal.models import SignedIn, User
from portal.usecases.users import Person, person_of

IDLE = timedelta(hours=2)
LONGEST = timedelta(hours=12)
NOTED_EVERY = timedelta(minutes=1)


def begin(session: Session, user: User) -> str:
    """Sign in: a new token for the browser. Sessions of the business that are over are forgotten."""
    now = clock.now()
    user.seen_at = now
    session.execute(delete(SignedIn).where(SignedIn.business_id == user.business_id, SignedIn.until < now))
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
    with confined(_key(token)[0]):  # it says whose it is; the digest of the whole must be there
        return _who(database, token)


def _who(database: Database, token: str) -> Person | None:
    now = clock.now()
    with database.read() as session:
        row = session.get(SignedIn, _key(token))
        if row is None or row.until < now or row.seen_at + IDLE < now:
            return None
        user = session.get(User, (row.business_id, row.user_id))
    if user is None or user.disabled_at is not None:
        return None
    if row.seen_at + NOTED_EVERY < now:
        with database.write() as session:
            seen = session.get(SignedIn, _key(token))
            if seen is not None:
                seen.seen_at = now
                session.get_one(User, (seen.business_id, seen.user_id)).seen_at = now
    return person_of(user)


def end(database: Database, token: str) -> None:
    business_id, session_id = _key(token)
    with confined(business_id), database.write() as session:
        session.execute(delete(SignedIn).where(SignedIn.business_id == business_id, SignedIn.session_id == session_id))


def end_all(session: Session, person: Person | User) -> None:
    """Sign the person out everywhere."""
    session.execute(
        delete(SignedIn).where(SignedIn.business_id == person.business_id, SignedIn.user_id == person.user_id)
    )


def _key(token: str) -> tuple[str, str]:
    return token.rpartition(".")[0], _digest(token)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
