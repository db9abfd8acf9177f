"""Who may sign in: people with passwords, and the invitations that set those."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Select, delete, select, update
from sqlalchemy.orm import Session

from common import clock
from common.auth import Signer
from common.context import seeking
from common.db import Database
from common.errors import Conflict, FieldError, Invalid, NotFound
from common.ids import new_id
from common.runtime import Runtime
from portal.models import Invitation, SignedIn, User
from portal.usecases.marks import fits, mark

ROLES = ("administrator", "staff", "client")
ROLE_WORDS = {"administrator": "an administrator", "staff": "staff", "client": "a client"}
INVITATION_GOOD_FOR = timedelta(days=7)
RESET_GOOD_FOR = timedelta(hours=1)
PASSWORD_SHORTEST, PASSWORD_LONGEST = 12, 200
# One address in more businesses than this is not tried in the rest: every try costs its time and memory.
MAX_BUSINESSES = 5

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Verified when nobody has the address, so that the answer takes as long.
_NOBODY = _hasher.hash(secrets.token_urlsafe(16))


@dataclass(frozen=True)
class Person:
    """A user, as screens know one."""

    business_id: str
    user_id: str
    role: str
    client_id: str | None
    name: str
    email: str
    is_operator: bool = False

    def may(self, roles: Sequence[str]) -> bool:
        """Whether something that is for these roles is for this person; `operator` is a role beside the own one."""
        return self.role in roles or (self.is_operator and "operator" in roles)

    @property
    def actor(self) -> dict[str, str]:
        """Who acts, as the other services record it."""
        if self.client_id is not None:
            return {"type": "client", "id": self.client_id, "name": self.name}
        return {"type": "staff", "id": self.user_id, "name": self.name}


def person_of(user: User) -> Person:
    return Person(
        user.business_id, user.user_id, user.role, user.client_id, user.name, user.email, user.is_operator
    )  # fmt: skip


def fold(email: str) -> str:
    return email.replace("\0", "").strip().casefold()


def with_password(candidates: Sequence[User], password: str) -> list[User]:
    """Those whose password it is; the work is the same when there is nobody."""
    fitting = [user for user in candidates if _verify(user.password_hash or _NOBODY, password) and user.password_hash]
    if not candidates:
        _verify(_NOBODY, password)
    return fitting


def by_email(database: Database, email: str, *, with_password: bool = True) -> Sequence[User]:
    """Users of any business with this address, who have a password unless told otherwise; nobody who is disabled."""
    found = select(User).where(User.email_folded == fold(email), User.disabled_at.is_(None))
    if with_password:
        found = found.where(User.password_hash.is_not(None))
    with seeking(fold(email)), database.read() as session:
        return session.scalars(found.order_by(User.business_id).limit(MAX_BUSINESSES)).all()


def at(session: Session, business_id: str, email: str) -> User | None:
    """The user of a business with this address, also one who is disabled."""
    return session.scalar(_of_business(business_id).where(User.email_folded == fold(email)))


def is_theirs(email: str, client: Mapping[str, Any]) -> bool:
    """Whether whoever has this address may sign in as the client, as billing knows them: it is the client's, who is
    not inactive."""
    return client["status"] != "inactive" and fold(email) == fold(client["email"] or "")


def ensure(
    session: Session, business_id: str, role: str, email: str, name: str, client_id: str | None,
    former: str | None = None,
) -> User:  # fmt: skip
    """The user with this address, made if there is none. Raises Conflict when it is somebody else's.

    A client's login goes with the client to a new address. `former` names a client whose address it was, and is not
    any more: the login becomes `client_id`'s. Whoever had it until then knows no way in."""
    if role not in ROLES or (role == "client") != (client_id is not None):
        raise Invalid("role_wrong", "A client, and only a client, names which client of the business they are.")
    held = at(session, business_id, email)
    if held is not None and (held.role, held.client_id) != (role, client_id):
        if held.client_id is None or held.client_id != former:
            words = f"{held.email} already signs in here as {ROLE_WORDS[held.role]}. One address is one person."
            raise Conflict("email_taken", words, [FieldError("email", words)])
        _let_go(session, held)
        held.client_id, held.name, held.disabled_at = client_id, name, None
    for other in _at_other_addresses(session, business_id, client_id, email):
        _let_go(session, other)
        if held is None:
            held, other.email, other.email_folded, other.name = other, email.strip(), fold(email), name
        else:
            other.disabled_at = other.disabled_at or clock.now()
    if held is not None:
        return held
    made = User(
        business_id=business_id, user_id=new_id(), role=role, client_id=client_id, name=name, email=email.strip(),
        email_folded=fold(email), password_hash=None, is_operator=False, disabled_at=None, created_at=clock.now(),
    )  # fmt: skip
    session.add(made)
    session.flush()
    return made


def _of_business(business_id: str) -> Select[User]:
    return select(User).where(User.business_id == business_id)


def _at_other_addresses(session: Session, business_id: str, client_id: str | None, email: str) -> Sequence[User]:
    """A client's logins at addresses that were theirs; who is let in first."""
    if client_id is None:
        return []
    found = _of_business(business_id).where(User.client_id == client_id, User.email_folded != fold(email))
    return session.scalars(found.order_by(User.disabled_at.is_not(None), User.created_at)).all()


def _let_go(session: Session, user: User) -> None:
    """End every way in: the password, links that set one, and sessions."""
    user.password_hash = None
    _end_links_and_sessions(session, user)


def _end_links_and_sessions(session: Session, user: User) -> None:
    session.execute(delete(SignedIn).where(SignedIn.business_id == user.business_id, SignedIn.user_id == user.user_id))
    mine = (Invitation.business_id == user.business_id, Invitation.user_id == user.user_id)
    session.execute(update(Invitation).where(*mine, Invitation.used_at.is_(None)).values(used_at=clock.now()))


def set_password(session: Session, user: User, password: str) -> None:
    """Raises Invalid. Whoever was signed in with the former one no longer is, and links that set one are over."""
    words = None
    if len(password) < PASSWORD_SHORTEST:
        words = f"Use at least {PASSWORD_SHORTEST} characters."
    elif len(password) > PASSWORD_LONGEST:
        words = f"Use at most {PASSWORD_LONGEST} characters."
    elif fold(password) == user.email_folded or len(set(password)) < 4:
        words = "That is too easy to guess."
    if words is not None:
        raise Invalid("password_weak", words, [FieldError("password", words)])
    user.password_hash = _hasher.hash(password)
    _end_links_and_sessions(session, user)


@dataclass(frozen=True)
class Link:
    """A link with which somebody sets a password, once, until a moment."""

    url: str
    good_until: datetime


def link(
    session: Session, signer: Signer, portal_url: str, user: User, good_for: timedelta = INVITATION_GOOD_FOR,
    attempt: str | None = None,
) -> Link:  # fmt: skip
    """A new link for the user. With `attempt`, a page's, the same one again answers the same link."""
    now = clock.now().replace(microsecond=0)
    session.execute(delete(Invitation).where(Invitation.business_id == user.business_id, Invitation.until < now))
    invitation_id = new_id()
    if attempt:
        invitation_id = hashlib.sha256(f"{attempt}\n{user.user_id}".encode()).hexdigest()
    row = session.get(Invitation, (user.business_id, invitation_id))
    if row is None:
        row = Invitation(
            business_id=user.business_id, invitation_id=invitation_id, user_id=user.user_id, until=now + good_for,
            used_at=None,
        )  # fmt: skip
        session.add(row)
        session.flush()
    value = f"{row.business_id}/{row.invitation_id}"
    facts = {"business": row.business_id, "invitation": row.invitation_id, "signature": mark(signer, "invite", value)}
    return Link(f"{portal_url}/welcome?{urlencode(facts)}", row.until)


def invited(session: Session, runtime: Runtime, business_id: str, invitation_id: str, signature: str) -> User:
    """Whose link it is. Raises NotFound when it is changed, used, or too old. A password that is set ends it."""
    row = None
    if fits(runtime, "invite", f"{business_id}/{invitation_id}", signature):
        row = session.get(Invitation, (business_id, invitation_id), with_for_update=True)
    user = session.get(User, (business_id, row.user_id)) if row is not None else None
    is_over = row is None or row.used_at is not None or row.until < clock.now()
    if row is None or user is None or is_over or user.disabled_at is not None:
        raise NotFound("invitation_over", "This link was used already, or is too old. Ask for a new one.")
    return user


def _verify(hashed: str, password: str) -> bool:
    try:
        return _hasher.verify(hashed, password[:PASSWORD_LONGEST])
    except (VerificationError, InvalidHashError):
        return False
