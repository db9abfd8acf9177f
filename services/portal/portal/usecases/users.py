"""Who may sign in: people with passwords, and the invitations that set those."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from common import clock
from common.auth import Signer
from common.errors import Conflict, FieldError, Invalid, NotFound
from common.ids import new_id
from portal.models import Invitation, SignedIn, User
from portal.usecases.marks import fits, mark

ROLES = ("administrator", "staff", "client")
INVITATION_GOOD_FOR = timedelta(days=7)
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

    @property
    def actor(self) -> dict[str, str]:
        """Who acts, as the other services record it."""
        if self.client_id is not None:
            return {"type": "client", "id": self.client_id, "name": self.name}
        return {"type": "staff", "id": self.user_id, "name": self.name}


def person_of(user: User) -> Person:
    return Person(user.business_id, user.user_id, user.role, user.client_id, user.name, user.email)


def fold(email: str) -> str:
    return email.strip().casefold()


def with_password(candidates: Sequence[User], password: str) -> list[User]:
    """Those whose password it is; the work is the same when there is nobody."""
    fitting = [user for user in candidates if _verify(user.password_hash or _NOBODY, password) and user.password_hash]
    if not candidates:
        _verify(_NOBODY, password)
    return fitting


def by_email(session: Session, email: str) -> Sequence[User]:
    """Users of any business with this address, who have a password."""
    found = select(User).where(User.email_folded == fold(email), User.password_hash.is_not(None))
    return session.scalars(found.order_by(User.business_id).limit(MAX_BUSINESSES)).all()


def ensure(session: Session, business_id: str, role: str, email: str, name: str, client_id: str | None) -> User:
    """The user with this address, made if there is none. Raises Conflict when it is somebody else's."""
    if role not in ROLES or (role == "client") != (client_id is not None):
        raise Invalid("role_wrong", "A client, and only a client, names which client of the business they are.")
    held = session.scalar(select(User).where(User.business_id == business_id, User.email_folded == fold(email)))
    if held is not None:
        if (held.role, held.client_id) != (role, client_id):
            raise Conflict("email_taken", f"{held.email} is already a {held.role} of this business.")
        return held
    made = User(
        business_id=business_id, user_id=new_id(), role=role, client_id=client_id, name=name, email=email.strip(),
        email_folded=fold(email), password_hash=None, created_at=clock.now(),
    )  # fmt: skip
    session.add(made)
    session.flush()
    return made


def set_password(session: Session, user: User, password: str) -> None:
    """Raises Invalid. Whoever was signed in with the former one no longer is."""
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
    session.execute(delete(SignedIn).where(SignedIn.business_id == user.business_id, SignedIn.user_id == user.user_id))


def invite(session: Session, signer: Signer, portal_url: str, user: User) -> str:
    """A link with which the user sets a password, once, within a week."""
    until = clock.now() + INVITATION_GOOD_FOR
    row = Invitation(
        business_id=user.business_id, invitation_id=new_id(), user_id=user.user_id, until=until, used_at=None
    )
    session.add(row)
    session.flush()
    value = f"{row.business_id}/{row.invitation_id}"
    facts = {"business": row.business_id, "invitation": row.invitation_id, "signature": mark(signer, "invite", value)}
    return f"{portal_url}/welcome?{urlencode(facts)}"


def invited(
    session: Session, signer: Signer, business_id: str, invitation_id: str, signature: str
) -> tuple[Invitation, User]:
    """The invitation that a link names, and whose it is. Raises NotFound when it is changed, used, or too old."""
    row = None
    if fits(signer, "invite", f"{business_id}/{invitation_id}", signature):
        row = session.get(Invitation, (business_id, invitation_id), with_for_update=True)
    user = session.get(User, (business_id, row.user_id)) if row is not None else None
    if row is None or user is None or row.used_at is not None or row.until < clock.now():
        raise NotFound("invitation_over", "This link was used already, or is too old. Ask for a new one.")
    return row, user


def accept(session: Session, invitation: Invitation, user: User, password: str) -> None:
    """Use the invitation. Raises Invalid. Other invitations of the user are over as well."""
    set_password(session, user, password)
    mine = select(Invitation).where(Invitation.business_id == user.business_id, Invitation.user_id == user.user_id)
    for row in session.scalars(mine.where(Invitation.used_at.is_(None))):
        row.used_at = clock.now()
    invitation.used_at = clock.now()


def _verify(hashed: str, password: str) -> bool:
    try:
        return _hasher.verify(hashed, password[:PASSWORD_LONGEST])
    except (VerificationError, InvalidHashError):
        return False
