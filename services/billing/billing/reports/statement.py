"""A client's statement: what was there, what came and went by effective day, and what is there now."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, case, func, literal, select
from sqlalchemy.orm import Session

from billing.domain import ledger
from billing.models import Transfer


@dataclass(frozen=True)
class StatementLine:
    """One transfer, with the balance after it in the statement's order."""

    transfer: Transfer
    change_minor: int
    balance_minor: int


@dataclass(frozen=True)
class Statement:
    """Amounts in minor units; positive is what the client holds. closing = opening + received - charged + adjusted.

    What was received, and what was charged for services, are less what was given or taken back of them; the rest is
    adjusted. Each may be negative."""

    first: date
    last: date
    opening_minor: int
    closing_minor: int
    received_minor: int
    charged_minor: int
    adjusted_minor: int
    lines: list[StatementLine]


def change_minor(client_id: str) -> ColumnElement[int]:
    """What a transfer does to the client's balance, signed."""
    favour = Transfer.credit_account == literal(f"client:{client_id}")
    return case((favour, Transfer.amount_minor), else_=-Transfer.amount_minor)


def statement(session: Session, business_id: str, client_id: str, first: date, last: date) -> Statement:
    """The statement of a client for the days from `first` to `last`, both included."""
    mine = (Transfer.business_id == business_id, Transfer.client_id == client_id)
    opening_minor = int(
        session.execute(
            select(func.coalesce(func.sum(change_minor(client_id)), 0)).where(*mine, Transfer.effective_on < first)
        ).scalar_one()
    )
    rows = session.execute(
        select(Transfer, change_minor(client_id))
        .where(*mine, Transfer.effective_on.between(first, last))
        .order_by(Transfer.effective_on, Transfer.sequence)
    )
    lines: list[StatementLine] = []
    balance_minor = opening_minor
    for transfer, changed_minor in rows:
        balance_minor += changed_minor
        lines.append(StatementLine(transfer, changed_minor, balance_minor))
    received_minor = sum(line.change_minor for line in lines if line.transfer.kind in ledger.RECEIPTS)
    charged_minor = -sum(line.change_minor for line in lines if line.transfer.service_id is not None)
    return Statement(
        first=first,
        last=last,
        opening_minor=opening_minor,
        closing_minor=balance_minor,
        received_minor=received_minor,
        charged_minor=charged_minor,
        adjusted_minor=balance_minor - opening_minor - received_minor + charged_minor,
        lines=lines,
    )
