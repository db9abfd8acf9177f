"""Refunds under way: money that a client has and is about to get back. It is reserved until the refund is posted, or
abandoned; whichever of these is heard first. Callers hold the clients' accounts."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.models import RefundUnderWay, Transfer
from billing.usecases.accounts import Account, Key
from common import clock
from common.events.payments import PaymentRefunded, RefundAbandoned, RefundRequested


def reserve(session: Session, events: Sequence[RefundRequested], held: Mapping[Key, Account]) -> None:
    """Reserve what is to be given back, unless it was posted or abandoned already."""
    for event in events:
        if _find(session, event.business_id, event.refund_id) is not None or _is_posted(session, event):
            continue
        session.add(_row(event, "open"))
        session.flush()
        held[event.business_id, event.client_id].refunding_minor += event.amount_minor


def release(session: Session, events: Sequence[PaymentRefunded | RefundAbandoned], held: Mapping[Key, Account]) -> None:
    """Reserve no longer what was posted or abandoned. A posted one needs no row of its own: the ledger knows it."""
    for event in events:
        row = _find(session, event.business_id, event.refund_id)
        if row is not None and row.state == "open":
            row.state = "closed"
            held[event.business_id, event.client_id].refunding_minor -= row.amount_minor
        elif row is None and isinstance(event, RefundAbandoned):
            session.add(_row(event, "closed"))
        session.flush()


def _find(session: Session, business_id: str, refund_id: str) -> RefundUnderWay | None:
    return session.get(RefundUnderWay, (business_id, refund_id))


def _is_posted(session: Session, event: RefundRequested) -> bool:
    posted = select(Transfer.source).where(
        Transfer.business_id == event.business_id, Transfer.source == f"refund:{event.refund_id}"
    )
    return session.scalars(posted).first() is not None


def _row(event: RefundRequested | RefundAbandoned, state: str) -> RefundUnderWay:
    return RefundUnderWay(
        business_id=event.business_id,
        refund_id=event.refund_id,
        client_id=event.client_id,
        payment_id=event.payment_id,
        amount_minor=event.amount_minor,
        state=state,
        created_at=clock.now(),
    )
