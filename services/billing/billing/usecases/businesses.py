"""Businesses: register and change. Every change is told with all that others need to know."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.models import Business
from billing.usecases import accounts, allocations
from common import clock
from common.errors import NotFound
from common.events.billing import BusinessRegistered, BusinessUpdated
from common.ids import new_id
from common.outbox import emit

SESSION_CONTROL = ("prepayment_required", "threshold_minor", "reserve_scheduled")
INVOICING = ("apply_credit_automatically", "invoice_due_days")


def find(session: Session, business_id: str) -> Business:
    """The business, or NotFound."""
    business = session.get(Business, business_id)
    if business is None:
        raise NotFound("not_found", "There is no such business.")
    return business


def register(session: Session, name: str, currency: str, time_zone: str, reply_to_email: str | None) -> Business:
    """Add a business, with pre-payment off."""
    business = Business(
        business_id=new_id(),
        sequence=1,
        name=name,
        currency=currency,
        time_zone=time_zone,
        reply_to_email=reply_to_email,
        prepayment_required=False,
        threshold_minor=0,
        reserve_scheduled=True,
        apply_credit_automatically=False,
        invoice_due_days=14,
        created_at=clock.now(),
    )
    session.add(business)
    session.flush()
    emit(session, "billing", [BusinessRegistered(**_facts(business))])
    return business


def change(session: Session, business_id: str, changes: dict[str, Any]) -> Business:
    """Change the fields that are named. Credit that is to be applied from now on is applied now. Raises NotFound."""
    had_applied = find(session, business_id).apply_credit_automatically
    business = session.scalars(
        select(Business).where(Business.business_id == business_id).with_for_update(),
        execution_options={"populate_existing": True},
    ).one()
    for field, value in changes.items():
        setattr(business, field, value)
    business.sequence += 1
    session.flush()
    emit(session, "billing", [BusinessUpdated(**_facts(business))])
    if business.apply_credit_automatically and not had_applied:
        for account in accounts.lock(session, allocations.asked_to_pay(session, business_id)).values():
            allocations.apply_automatically(session, account)
    return business


def _facts(business: Business) -> dict[str, Any]:
    return {
        "business_id": business.business_id,
        "sequence": business.sequence,
        "name": business.name,
        "currency": business.currency,
        "time_zone": business.time_zone,
        "reply_to_email": business.reply_to_email,
    }
