"""Whoever guesses is slowed down: attempts are counted per account and address, per account, and per address. Asking
for a new password is counted apart from signing in, so that the one does not lock the other."""

import hashlib
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from common import clock
from common.db import insert_or
from common.errors import Refused
from portal.models import Attempts
from portal.usecases.users import fold

WINDOW = timedelta(minutes=15)
ANY = "*"
LIMIT, LIMIT_ACCOUNT, LIMIT_ADDRESS = 5, 50, 100
# An account gets this many mails at most, from wherever they are asked for; one of them is in the letter box then.
MAILS, MAILS_ADDRESS = 5, 20


class TooMany(Refused):
    title = "Too many attempts"


def note(session: Session, email: str, address: str) -> None:
    """Count an attempt to sign in, before its password is looked at: many at once count as well. Raises TooMany."""
    _count(session, _limits(_digest(email), address))


def note_mail(session: Session, email: str, address: str) -> None:
    """Count that a new password was asked for, whether or not anybody has the address. Raises TooMany."""
    account, caller = _digest("mail " + fold(email)), f"mail {address}"[:64]
    _count(session, [((account, ANY), MAILS), ((ANY, caller), MAILS_ADDRESS)])


def note_key(session: Session, key_id: str, address: str) -> None:
    """Count that somebody presented a team's key, before its secret is looked at. Raises TooMany. A key is not locked
    for other addresses: its secret cannot be guessed, and nobody shall keep a team out who only knows its id."""
    account = _digest(key_of(key_id))
    _count(session, [((account, address), LIMIT), ((ANY, address), LIMIT_ADDRESS)])


def key_of(key_id: str) -> str:
    """What a team's key is counted under, as an account is under its address; for `forgive`."""
    return f"key {key_id}"


def _count(session: Session, limits: list[tuple[tuple[str, str], int]]) -> None:
    now = clock.now()
    session.execute(delete(Attempts).where(Attempts.since < now - WINDOW))
    for key, limit in limits:
        row = {"account": key[0], "address": key[1], "failures": 1, "since": now}
        counted = insert_or(session, Attempts).values(row).on_conflict_do_update(
            index_elements=["account", "address"], set_={"failures": Attempts.failures + 1}
        )  # fmt: skip
        session.execute(counted)
        failures = session.scalar(
            select(Attempts.failures).where(Attempts.account == key[0], Attempts.address == key[1])
        )
        if failures is not None and failures > limit:
            raise TooMany("too_many_attempts", "Too many attempts. Wait a quarter of an hour, and try again.")


def forgive(session: Session, email: str, address: str) -> None:
    """The password was right: what was counted of this account is forgotten, and this address has one less."""
    account = _digest(email)
    session.execute(delete(Attempts).where(Attempts.account == account, Attempts.address == address))
    for key in ((account, ANY), (ANY, address)):
        row = session.get(Attempts, key, with_for_update=True)
        if row is not None:
            row.failures = max(row.failures - 1, 0)


def _limits(account: str, address: str) -> list[tuple[tuple[str, str], int]]:
    return [((account, address), LIMIT), ((account, ANY), LIMIT_ACCOUNT), ((ANY, address), LIMIT_ADDRESS)]


def _digest(email: str) -> str:
    return hashlib.sha256(fold(email).encode()).hexdigest()
