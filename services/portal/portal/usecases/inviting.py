"""Links that set a password, by mail: invitations, and what somebody who forgot theirs asks for.

The mail is asked for after the rows are there, outside their transaction. It does not travel in events: its link opens.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import TypeVar

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from common import logs
from common.context import confined
from common.errors import Conflict, FieldError, NotFound, Refused, Unavailable
from common.ids import new_id
from common.runtime import Runtime
from portal.models import User
from portal.peers import Remit
from portal.peers.known import Known
from portal.usecases import attempts, users

log = logs.get("inviting")

T = TypeVar("T")

# New passwords are mailed after the answer: it must take as long for an address that nobody has.
_later = ThreadPoolExecutor(max_workers=2, thread_name_prefix="new-password")
_room = BoundedSemaphore(100)


def may_enter(remit: Remit, user: User) -> bool:
    """A client who is inactive, or has another address by now, may not; billing knows. Raises Unavailable while it
    does not answer."""
    if user.client_id is None:
        return True
    try:
        return users.is_theirs(user.email, remit.billing.client(user.client_id))
    except NotFound:
        return False


def ensure(runtime: Runtime, remit: Remit, role: str, email: str, name: str, client_id: str | None = None) -> User:
    """The user with this address, made if there is none. Raises Conflict, also for somebody who is disabled."""
    former = _former_client(runtime, remit, email, client_id) if client_id else None

    def make(session: Session) -> User:
        return users.ensure(session, remit.business_id, role, email, name, client_id, former)

    user = _written(runtime, make)
    if user.disabled_at is not None:
        words = f"{user.email} is disabled. Enable them under Team members first."
        raise Conflict("user_disabled", words, [FieldError("email", words)])
    return user


def _former_client(runtime: Runtime, remit: Remit, email: str, client_id: str) -> str | None:
    """Another client who signed in at this address, and may not any more."""
    with runtime.database.read() as session:
        held = users.at(session, remit.business_id, email)
    if held is None or held.client_id in (None, client_id) or may_enter(remit, held):
        return None
    return held.client_id


def invite_member(runtime: Runtime, remit: Remit, role: str, email: str, name: str, attempt: str) -> User:
    """Add somebody to the team and mail them a link. Raises Conflict, Invalid, and Unavailable when nothing was mailed:
    the person is in the list all the same, and can be mailed from there."""
    user = ensure(runtime, remit, role, email, name)
    if user.password_hash is not None:
        words = f"{user.email} signs in here already. Who forgot the password finds a link on the sign-in page."
        raise Conflict("already_here", words, [FieldError("email", words)])
    mail_link(runtime, remit, user, attempt)
    return user


def invite_client(runtime: Runtime, remit: Remit, client_id: str, attempt: str) -> User:
    """Mail a client a link to sign in with, at the address that billing has. Raises Conflict in words for staff."""
    client = remit.billing.client(client_id)
    if client["status"] == "inactive":
        raise Conflict("client_inactive", f"{client['name']} is inactive, and cannot sign in. Make them active first.")
    if not client.get("email"):
        raise Conflict("client_without_address", f"{client['name']} has no e-mail address. Add one first.")
    user = ensure(runtime, remit, "client", client["email"], client["name"], client["id"])
    mail_link(runtime, remit, user, attempt)
    return user


def mail_link(runtime: Runtime, remit: Remit, user: User, attempt: str | None = None) -> None:
    """Mail the user a link: an invitation, or a new password for somebody who has one. Raises Unavailable."""
    if user.password_hash is None:
        _mail(runtime, remit, user, "invitation", attempt)
    else:
        _mail(runtime, remit, user, "password_reset", attempt)


def forgotten(runtime: Runtime, known: Known, email: str) -> None:
    """Mail a link for each business that knows the address. Answers at once, and the same whoever asks."""
    if _room.acquire(blocking=False):
        _later.submit(_mail_forgotten, runtime, known, email)
    else:
        log.warning("new password not mailed: too many are waiting")


def _mail_forgotten(runtime: Runtime, known: Known, email: str) -> None:
    try:
        for user in users.by_email(runtime.database, email, with_password=False):
            with confined(user.business_id):
                _mail_if_welcome(runtime, Remit(runtime, user.business_id, None, known), user)
    except Exception as error:  # nobody waits for this thread: what it meets is seen in the log or not at all
        log.error("new password not mailed", exc_info=error)
    finally:
        _room.release()


def _mail_if_welcome(runtime: Runtime, remit: Remit, user: User) -> None:
    try:
        if may_enter(remit, user):
            _mail(runtime, remit, user, "password_reset", None)
    except Refused as refused:  # another business that knows the address may be luckier
        log.warning("new password not mailed", business_id=user.business_id, code=refused.code)


def _mail(runtime: Runtime, remit: Remit, user: User, kind: str, attempt: str | None) -> None:
    good_for = users.RESET_GOOD_FOR if kind == "password_reset" else users.INVITATION_GOOD_FOR

    def make(session: Session) -> users.Link:
        return users.link(session, runtime.signer, runtime.settings.portal, user, good_for, attempt)

    link = _written(runtime, make)
    body = {
        "kind": kind, "to": user.email, "name": user.name, "link": link.url,
        "good_until": link.good_until.isoformat(), "client_id": user.client_id,
    }  # fmt: skip
    try:
        remit.notifications.send(body, attempts.key(remit, attempt or new_id(), body))
    except Unavailable as away:
        words = f"{user.email} was not mailed: the e-mail service does not answer. Send the link again in a moment."
        raise Unavailable("notifications_unavailable", words) from away


def _written(runtime: Runtime, make: Callable[[Session], T]) -> T:
    """What `make` writes, or finds written by the twin of a double click that was a moment faster."""
    for is_second in (False, True):
        try:
            with runtime.database.write() as session:
                return make(session)
        except IntegrityError:
            if is_second:
                raise
    raise AssertionError("the second attempt returns or raises")
