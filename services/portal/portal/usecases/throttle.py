"""Sign-in slows down whoever guesses: failures are counted per account and address, per account, and per address."""

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


class TooMany(Refused):
    title = "Too many attempts"


def note(session: Session, email: str, address: str) -> None:
    """Count an attempt, before its password is looked at: many at once count as well. Raises TooMany."""
    now = clock.now()
    session.execute(delete(Attempts).where(Attempts.since < now - WINDOW))
    account = _digest(email)
    for key, limit in _limits(account, address):
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
