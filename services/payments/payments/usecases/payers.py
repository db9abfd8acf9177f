"""Payers whom staff let Remit remember: the client that a payer at a gateway pays for."""

from sqlalchemy import delete
from sqlalchemy.orm import Session

from common import clock
from common.db import insert_or
from common.errors import NotFound
from payments.domain.gateway import Payer
from payments.models import RememberedPayer


def remember(session: Session, payer: Payer, client_id: str, by_name: str) -> None:
    """From now on the payer's money is this client's."""
    values = {"client_id": client_id, "remembered_at": clock.now(), "remembered_by_name": by_name}
    statement = insert_or(session, RememberedPayer).values(**payer._asdict(), **values)
    session.execute(statement.on_conflict_do_update(index_elements=list(Payer._fields), set_=values))


def forget(session: Session, business_id: str, gateway: str, payer_id: str) -> None:
    """Remember no client for the payer, at any account of the gateway. Raises NotFound when none was."""
    forgotten = session.execute(
        delete(RememberedPayer)
        .where(
            RememberedPayer.business_id == business_id,
            RememberedPayer.gateway == gateway,
            RememberedPayer.payer_id == payer_id,
        )
        .returning(RememberedPayer.payer_id)
    ).first()
    if forgotten is None:
        raise NotFound("not_found", "No client is remembered for this payer.")
