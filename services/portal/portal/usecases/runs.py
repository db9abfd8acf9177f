"""Runs: clients who owe are charged, or mailed what they owe, one after the other, each once however often it is asked.

The amount is what somebody saw and agreed to. Before a card is charged, billing is asked what is owed at that moment;
when it is another amount, nothing is charged. The key of a charge is the run's and the client's, so that whoever asks
again, on whatever page, takes up the charge that was begun.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.orm import Session

from common import clock
from common.db import Database, bulk_insert, insert_or
from common.errors import Conflict, NotFound, Refused, Unavailable
from common.money import format_money
from portal.domain import runs
from portal.domain.runs import Kind, Line, Result
from portal.models import Run, RunClient
from portal.peers import Remit
from portal.usecases.users import Person

MOST_CLIENTS = 200
KEPT = timedelta(days=90)
UNFINISHED_SHOWN = 3


@dataclass(frozen=True)
class Unfinished:
    """A run that was stopped, or whose page was closed, before all of it was done."""

    run_id: str
    kind: str
    begun_by: str
    begun_at: datetime
    left: int


def begin(
    session: Session, person: Person, kind: Kind, owed_minor: Mapping[str, int], currency: str, attempt: str
) -> str:
    """A run over these clients and amounts, in their order; answers its id. The same attempt at the same is one run."""
    now = clock.now()
    old = select(Run.run_id).where(Run.business_id == person.business_id, Run.begun_at < now - KEPT)
    for table in (RunClient, Run):
        session.execute(delete(table).where(table.business_id == person.business_id, table.run_id.in_(old)))
    said = "\n".join([attempt, person.user_id, kind, *(f"{key}:{value}" for key, value in owed_minor.items())])
    run_id = hashlib.sha256(said.encode()).hexdigest()[:32]
    row = {
        "business_id": person.business_id, "run_id": run_id, "kind": kind, "begun_by": person.name, "begun_at": now,
    }  # fmt: skip
    fresh = insert_or(session, Run).values(row).on_conflict_do_nothing().returning(Run.run_id)
    if session.execute(fresh).first() is not None:
        rows = [
            {
                "business_id": person.business_id, "run_id": run_id, "client_id": client_id, "position": position,
                "amount_minor": amount_minor, "currency": currency, "state": runs.WAITING, "detail": "",
                "claim": None, "booked": None, "asked_at": None,
            }
            for position, (client_id, amount_minor) in enumerate(owed_minor.items())
        ]  # fmt: skip
        bulk_insert(session, RunClient.__table__, rows)  # type: ignore[arg-type]
    return run_id


def find(session: Session, business_id: str, run_id: str) -> Run:
    """Raises NotFound."""
    run = session.get(Run, (business_id, run_id))
    if run is None:
        raise NotFound("not_found", "There is no such run.")
    return run


def lines(session: Session, run: Run) -> list[Line]:
    """The clients of a run, in their order."""
    mine = select(RunClient).where(RunClient.business_id == run.business_id, RunClient.run_id == run.run_id)
    return [_line(row) for row in session.scalars(mine.order_by(RunClient.position))]


def unfinished(session: Session, business_id: str) -> list[Unfinished]:
    """The newest runs that are not done. One that was only looked at has not begun."""
    left = func.sum(case((RunClient.state.in_(runs.OPEN), 1), else_=0))
    has_begun = func.sum(case((RunClient.state != runs.WAITING, 1), else_=0)) > 0
    query = (
        select(Run.run_id, Run.kind, Run.begun_by, Run.begun_at, left)
        .join(RunClient, (RunClient.business_id == Run.business_id) & (RunClient.run_id == Run.run_id))
        .where(Run.business_id == business_id)
        .group_by(Run.run_id, Run.kind, Run.begun_by, Run.begun_at)
        .having(left > 0, has_begun)
        .order_by(Run.begun_at.desc())
    )
    return [Unfinished(*row) for row in session.execute(query.limit(UNFINISHED_SHOWN))]


def leave(session: Session, run: Run) -> None:
    """Leave out who has not been asked yet. Who may have been charged stays, until it is known."""
    mine = (RunClient.business_id == run.business_id, RunClient.run_id == run.run_id)
    session.execute(update(RunClient).where(*mine, RunClient.state == runs.WAITING).values(state="left"))


def step(remit: Remit, database: Database, run_id: str, client_id: str) -> Line:
    """Do one client of a run, unless that is done; what became of it. Raises NotFound, Unavailable."""
    with database.read() as session:
        kind = find(session, remit.business_id, run_id).kind
        row = session.get(RunClient, (remit.business_id, run_id, client_id))
        if row is None:
            raise NotFound("not_found", "This client is not part of this run.")
        line, claim, asked_at = _line(row), row.claim, row.asked_at
    if not line.is_open:
        return line
    key = f"run-{run_id}-{client_id}"
    if kind == "email":
        result = _mail(remit, line, key)
    elif line.state == runs.WAITING:
        result = _charge_first(remit, database, run_id, line, key)
    else:
        result = _charge_again(remit, line, key, claim, asked_at)
    return _note(database, remit.business_id, run_id, client_id, result)


def _mail(remit: Remit, line: Line, key: str) -> Result:
    try:
        asked = remit.billing.ask_to_pay(line.client_id, key)
    except Unavailable:  # the key makes it safe to ask again
        raise
    except Refused as refused:
        state = {"nothing_owed": "changed", "no_address": "no_address"}.get(refused.code, "refused")
        return Result(state, refused.detail)
    return Result("mailed", f"{format_money(asked['owed_minor'], asked['currency'])}, to {asked['email']}.")


def _charge_first(remit: Remit, database: Database, run_id: str, line: Line, key: str) -> Result:
    balance = remit.billing.balance(line.client_id)
    owed_minor = _owed_minor(balance)
    if owed_minor != line.amount_minor:
        return runs.of_changed_balance(owed_minor, balance["provisional_minor"], line.currency)
    _look_for_booked(remit, database, run_id, line.client_id, balance["sequence"])
    state = _claim(database, remit.business_id, run_id, line.client_id, balance["sequence"])
    if state is None:
        words = "Another run charged them, or may have; their balance does not count it yet. Nothing was charged here."
        return Result("elsewhere", words)
    return _charge(remit, line, key, was_asked=state != runs.WAITING)


def _look_for_booked(remit: Remit, database: Database, run_id: str, client_id: str, sequence: int) -> None:
    """Note which charges of other runs have become entries of the client's ledger. Billing is asked only where one may
    have, and never again about one that has."""
    mine = (RunClient.business_id == remit.business_id, RunClient.client_id == client_id)
    with database.read() as session:
        query = select(RunClient.run_id, RunClient.amount_minor, RunClient.claim, RunClient.asked_at).where(*mine)
        query = query.where(RunClient.run_id != run_id, RunClient.claim < sequence, RunClient.booked.is_(None))
        held = session.execute(query).all()
    if not held:
        return
    # A day more, for the business's time zone. From there on, and not from the end: much may have come since.
    since = min(row.asked_at for row in held).date() - timedelta(days=1)
    entries = remit.billing.ledger(client_id, {"from": since.isoformat(), "limit": 200})["items"]
    by_card = [entry for entry in entries if entry["kind"] == "payment" and entry["debit_account"] == "clearing:card"]
    with database.write() as session:
        for row in held:
            for entry in by_card:
                if entry["change_minor"] == row.amount_minor and entry["sequence"] > row.claim:
                    its = (*mine, RunClient.run_id == row.run_id)
                    session.execute(update(RunClient).where(*its).values(booked=entry["sequence"]))
                    break


def _charge_again(remit: Remit, line: Line, key: str, claim: int | None, asked_at: datetime | None) -> Result:
    """Of a charge that was begun, and whose outcome is not known here. While the balance is the one that was charged,
    asking again finds out, or charges. When it has moved, the charge itself may have moved it, or something else
    has: then nothing is charged any more, and what was recorded tells."""
    balance = remit.billing.balance(line.client_id)
    if balance["sequence"] == claim:
        return _charge(remit, line, key, was_asked=True)
    exactly = {"min_minor": line.amount_minor, "max_minor": line.amount_minor}
    query = {"client_id": line.client_id, "source": "saved_card", **exactly, "limit": 1}
    for payment in remit.payments.history(query)["items"]:
        if asked_at is not None and datetime.fromisoformat(payment["recorded_at"]) >= asked_at:
            return Result("charged")
    words = "The balance has changed since. Look at their payments before you charge them in another way."
    return Result(runs.UNKNOWN, words)


def _charge(remit: Remit, line: Line, key: str, *, was_asked: bool) -> Result:
    """Charge the newest saved card; the same key charges once. What is refused to whoever asks again says nothing of
    what was asked before."""
    body = {
        "client_id": line.client_id, "amount_minor": line.amount_minor, "currency": line.currency,
        "invoice_number": None, "payment_method_id": None,
    }  # fmt: skip
    try:
        return runs.of_charge(remit.stripe.charge_saved_card(body, key))
    except Unavailable:  # it may have been charged
        return runs.of_charge({"status": runs.UNKNOWN})
    except Refused as refused:
        if was_asked:
            words = "It may have been charged before. Ask again later, or look for it at Stripe."
            return Result(runs.UNKNOWN, f"{refused.detail} {words}")
        if refused.code == "card_not_found":
            return Result("no_card", "Take the payment with Pay Assist, or mail them what they owe.")
        return Result("refused", f"{refused.detail} Nothing was charged.")


def _owed_minor(balance: dict[str, Any]) -> int:
    """What is owed and not on its way."""
    return -int(balance["balance_minor"]) - int(balance["provisional_minor"])


def _claim(database: Database, business_id: str, run_id: str, client_id: str, sequence: int) -> str | None:
    """Take this balance of the client's for this run: answers the state of before, or None when a charge of another
    run is missing in the balance. All rows of the client are locked, so that runs take turns."""
    with database.write() as session:
        mine = select(RunClient).where(RunClient.business_id == business_id, RunClient.client_id == client_id)
        rows = {row.run_id: row for row in session.scalars(mine.order_by(RunClient.run_id).with_for_update())}
        row = rows.pop(run_id)
        if row.state != runs.WAITING:  # another page of this run was first: the key is the same
            return row.state if row.claim == sequence else None
        for other in rows.values():
            if other.claim is not None and (other.booked is None or other.booked > sequence):
                return None
        row.state, row.claim, row.asked_at = runs.ASKED, sequence, clock.now()
    return runs.WAITING


def _note(database: Database, business_id: str, run_id: str, client_id: str, result: Result) -> Line:
    """Keep what became of a client. What was known before stays known; what was decided before a charge was begun
    says nothing of one that another page of the run has begun meanwhile."""
    with database.write() as session:
        row = session.get_one(RunClient, (business_id, run_id, client_id), with_for_update=True)
        if row.state == runs.WAITING or (row.state in runs.OPEN and result.state not in runs.NOT_BEGUN):
            row.state, row.detail = result.state, result.detail
            if result.state not in runs.HELD:
                row.claim = None
        return _line(row)


def _line(row: RunClient) -> Line:
    return Line(row.client_id, row.amount_minor, row.currency, row.state, row.detail)


def chosen(values: Sequence[str]) -> dict[str, int]:
    """Client id → what they owe, of the values that the list's boxes carry (`<id>:<minor units>`). Raises Conflict."""
    found: dict[str, int] = {}
    for value in values:
        client_id, _, amount = value.rpartition(":")
        if not client_id or not amount.isascii() or not amount.isdigit() or int(amount) <= 0:
            raise Conflict("page_too_old", "This page is too old. Open it again, and choose again.")
        found[client_id] = int(amount)
    return found
