"""Sessions: added through the pre-pay gate, charged once when completed or missed, or cancelled."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.domain import ledger
from billing.domain.calendar import day_of
from billing.domain.ledger import Posting
from billing.models import Business, CatalogService, Client, Invoice, ServiceSession
from billing.usecases import accounts, allocations, catalog, clients
from billing.usecases.accounts import Account
from billing.usecases.ledger import book
from common import clock
from common.errors import Conflict, NotFound
from common.events.billing import SessionCancelled, SessionCharged, SessionScheduled
from common.ids import new_id
from common.money import describe_balance, format_money
from common.outbox import emit
from common.pay_link import PayLinks
from common.standing import effective_status

Actor = dict[str, Any]


@dataclass(frozen=True)
class Eligibility:
    """May a session be added, and if not, why: `reasons` are stable words. Amounts in minor units."""

    reasons: list[str]
    figures: dict[str, Any]
    sentence: str
    warnings: list[str]


def find(session: Session, business_id: str, session_id: str) -> ServiceSession:
    """The session, or NotFound."""
    found = session.get(ServiceSession, (business_id, session_id))
    if found is None:
        raise NotFound("not_found", "There is no such session.")
    return found


def eligibility(
    business: Business, client: Client, account: Account, price_minor: int, starts_at: datetime | None, links: PayLinks
) -> Eligibility:
    """What adding a session at this price would meet."""
    today = clock.today(business.time_zone)
    shortfall_minor = account.gate.shortfall_minor(account.available_minor, price_minor)
    figures: dict[str, Any] = {
        "currency": account.currency,
        "balance_minor": account.balance_minor,
        "reserved_minor": account.reserved_minor,
        "available_minor": account.available_minor,
        "threshold_minor": account.gate.threshold_minor,
        "price_minor": price_minor,
        "shortfall_minor": shortfall_minor,
        "pay_url": None,
    }
    reasons, sentence = [], f"A session can be added for {client.name}."
    if shortfall_minor:
        figures["pay_url"] = links.to(business.business_id, client.client_id, shortfall_minor)
        reasons.append("balance_below_threshold")
        sentence = _too_little(client, account, price_minor, shortfall_minor)
    if effective_status(client.status, client.inactive_on, today) == "inactive":
        reasons.insert(0, "client_inactive")
        sentence = f"{client.name} is inactive and gets no sessions. Make the client active again first."
    return Eligibility(reasons, figures, sentence, _warnings(business, client, starts_at, today))


def warnings_of(business: Business, client: Client, held: ServiceSession) -> list[str]:
    """What to be warned of while the session is to come, in sentences."""
    if held.status != "scheduled":
        return []
    return _warnings(business, client, held.starts_at, clock.today(business.time_zone))


def _warnings(business: Business, client: Client, starts_at: datetime | None, today: date) -> list[str]:
    if starts_at is None or client.inactive_on is None:
        return []
    if not today < client.inactive_on <= day_of(starts_at, business.time_zone):
        return []
    return [f"{client.name} becomes inactive on {client.inactive_on}, not after this session."]


def _too_little(client: Client, account: Account, price_minor: int, shortfall_minor: int) -> str:
    def money(amount_minor: int) -> str:
        return format_money(amount_minor, account.currency)

    reserved = f"; {money(account.reserved_minor)} are reserved" if account.reserved_minor else ""
    return (
        f"{client.name} {describe_balance(account.balance_minor, account.currency)}{reserved}. A session needs"
        f" {money(account.gate.required_minor(price_minor))} available; {money(shortfall_minor)} is missing."
        " Send the pay link, or record a payment first."
    )


def schedule(
    session: Session,
    business: Business,
    client_id: str,
    service_id: str,
    starts_at: datetime,
    price_minor: int | None,
    actor: Actor,
    links: PayLinks,
) -> tuple[ServiceSession, list[str]]:
    """Add a session, and what to be warned of. Raises NotFound, and Conflict with all figures when the gate is shut."""
    service = catalog.find(session, business.business_id, service_id)
    if not service.active:
        raise Conflict("service_inactive", f"{service.name} is not offered any more. Choose another service.")
    account = accounts.lock_one(session, business.business_id, client_id)
    client = clients.find(session, business.business_id, client_id)
    price_minor = service.price_minor if price_minor is None else price_minor
    answer = eligibility(business, client, account, price_minor, starts_at, links)
    if answer.reasons:
        raise Conflict(answer.reasons[0], answer.sentence, **answer.figures)
    added = ServiceSession(
        business_id=business.business_id,
        session_id=new_id(),
        sequence=1,
        client_id=client_id,
        service_id=service_id,
        starts_at=starts_at,
        duration_minutes=service.duration_minutes,
        price_minor=price_minor,
        status="scheduled",
        created_at=clock.now(),
        created_by=actor["name"],
    )
    session.add(added)
    session.flush()
    account.scheduled_minor += price_minor
    accounts.store(session, [account])
    emit(session, "billing", [SessionScheduled(**_facts(added, account.currency))])
    return added, answer.warnings


def charge(
    session: Session, business: Business, session_id: str, outcome: Literal["completed", "missed"], actor: Actor
) -> ServiceSession:
    """Complete or miss a session: its price is charged once, and asking again changes nothing. Raises NotFound,
    Conflict."""
    held, account = _lock(session, business.business_id, session_id)
    if held.status == outcome:
        return held
    if held.status != "scheduled":
        raise Conflict(
            "session_ended",
            f"This session is {held.status} already. Cancel it to take its charge back, and add it anew.",
        )
    held.status, held.ended_at = outcome, clock.now()
    held.sequence += 1
    session.flush()
    posting = _charge_of(held, business, catalog.find(session, business.business_id, held.service_id), outcome, actor)
    book(session, [posting], {(account.business_id, account.client_id): account})
    emit(session, "billing", [SessionCharged(**_facts(held, account.currency), outcome=outcome)])
    return held


def cancel(session: Session, business: Business, session_id: str, actor: Actor) -> ServiceSession:
    """Cancel a session: a scheduled one is released, a charged one is given back. Raises NotFound, Conflict."""
    held, account = _lock(session, business.business_id, session_id)
    if held.status == "cancelled":
        return held
    if held.invoice_id is not None:
        invoice = session.get_one(Invoice, (business.business_id, held.invoice_id))
        raise Conflict(
            "session_invoiced",
            "An invoice asks for this session. Void that invoice first.",
            invoice_id=invoice.invoice_id,
        )
    was, held.status, held.ended_at = held.status, "cancelled", clock.now()
    held.sequence += 1
    session.flush()
    if was == "scheduled":
        account.scheduled_minor -= held.price_minor
        accounts.store(session, [account])
    else:
        service = catalog.find(session, business.business_id, held.service_id)
        charged = _charge_of(held, business, service, was, actor)
        today = clock.today(business.time_zone)
        back = ledger.reversal(charged, f"session-cancel:{held.session_id}", "session_cancelled", today, actor)
        book(session, [back], {(account.business_id, account.client_id): account})
        allocations.apply_automatically(session, account)
    emit(session, "billing", [SessionCancelled(**_facts(held, account.currency), was_charged=was != "scheduled")])
    return held


def _lock(session: Session, business_id: str, session_id: str) -> tuple[ServiceSession, Account]:
    """The session and its client's account, locked: the account first, as everywhere."""
    found = find(session, business_id, session_id)
    account = accounts.lock_one(session, business_id, found.client_id)
    held = session.scalars(
        select(ServiceSession)
        .where(ServiceSession.business_id == business_id, ServiceSession.session_id == session_id)
        .with_for_update(),
        execution_options={"populate_existing": True},
    ).one()
    return held, account


def _charge_of(
    held: ServiceSession, business: Business, service: CatalogService, outcome: str, actor: Actor
) -> Posting:
    """Dated by the day of the session, or by today when it is charged before its day."""
    day = day_of(held.starts_at, business.time_zone)
    return ledger.charge(
        business.business_id, held.client_id, f"session:{held.session_id}", f"session_{outcome}", held.price_minor,
        business.currency, held.service_id, min(day, clock.today(business.time_zone)), f"{service.name}, {day}", actor,
        unreserved_minor=held.price_minor,
    )  # fmt: skip


def _facts(held: ServiceSession, currency: str) -> dict[str, Any]:
    return {
        "business_id": held.business_id,
        "sequence": held.sequence,
        "session_id": held.session_id,
        "client_id": held.client_id,
        "service_id": held.service_id,
        "starts_at": held.starts_at,
        "price_minor": held.price_minor,
        "currency": currency,
    }
