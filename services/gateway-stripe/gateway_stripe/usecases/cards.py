"""Saved cards. They are Stripe's; here is only which customer of Stripe's is which client."""

from typing import Any

from sqlalchemy.orm import Session

from common import clock
from common.auth import Caller
from common.directory import Directory
from common.errors import Conflict, NotFound
from common.gateway.calls import plainly
from common.ids import new_id
from common.runtime import Runtime
from gateway_stripe.client import GATEWAY
from gateway_stripe.models import Customer
from gateway_stripe.usecases import accounts
from gateway_stripe.usecases.accounts import Opened


def customer_of(runtime: Runtime, opened: Opened, client_id: str) -> str:
    """The client's customer at Stripe, made when there is none."""
    with runtime.database.read() as session:
        held = held_customer(session, opened, client_id)
        if held is not None:
            return held
    marks = {"metadata": {"remit_business": opened.business_id, "remit_client": client_id}}
    # One key for the client, not for the call: two at once make one customer.
    made = opened.stripe.create_customer(marks, f"remit-customer-{opened.mode}-{opened.business_id}-{client_id}")
    with runtime.database.write() as session:
        session.merge(
            Customer(
                business_id=opened.business_id, client_id=client_id, mode=opened.mode,
                account_id=opened.context.account_id, customer_id=made["id"],
            )
        )  # fmt: skip
    return str(made["id"])


def held_customer(session: Session, opened: Opened, client_id: str) -> str | None:
    """The client's customer at this account of Stripe's, if there is one. Another account does not know it."""
    held = session.get(Customer, (opened.business_id, client_id, opened.mode, opened.context.account_id))
    return held.customer_id if held else None


def start_saving(runtime: Runtime, business_id: str, client_id: str, caller: Caller) -> dict[str, Any]:
    """A SetupIntent for a card to be typed on the page. Raises NotFound, Conflict, Unavailable."""
    with runtime.database.read() as session:
        directory = Directory(runtime, session, business_id)
        business, client = directory.business(), directory.client(client_id)
        if client is None:
            raise NotFound("not_found", "There is no such client.")
        if caller.client_id is not None:
            accounts.require_client_payments(session, business_id)
        if client.is_inactive(clock.today(business.time_zone)):
            raise Conflict("client_inactive", f"{client.name} is inactive and cannot save a card.")
        opened = accounts.open_account(runtime, session, business_id)
    with plainly(GATEWAY):
        params = {
            "customer": customer_of(runtime, opened, client_id),
            "usage": "off_session",
            "metadata": {"remit_business": business_id, "remit_client": client_id},
        }
        made = opened.stripe.create_setup_intent(params, f"remit-setup-{new_id()}")
    settings: Any = runtime.settings
    return {
        "setup_intent_id": made["id"],
        "client_secret": made["client_secret"],
        "publishable_key": opened.publishable_key,
        "stripe_js_url": settings.js_url,
    }


def saved(runtime: Runtime, business_id: str, client_id: str) -> list[dict[str, Any]]:
    """The client's cards, the newest first: brand, last four, expiry."""
    opened, customer_id = _customer(runtime, business_id, client_id)
    if customer_id is None:
        return []
    with plainly(GATEWAY):
        return [_shown(card) for card in opened.stripe.cards(customer_id)]


def remove(runtime: Runtime, business_id: str, client_id: str, payment_method_id: str) -> None:
    """Detach a card of the client's. Raises NotFound."""
    opened, customer_id = _customer(runtime, business_id, client_id)
    with plainly(GATEWAY):
        mine = [card["id"] for card in opened.stripe.cards(customer_id)] if customer_id else []
        if payment_method_id not in mine:
            raise NotFound("card_not_found", "This client has no such saved card.")
        opened.stripe.detach(payment_method_id)


def _customer(runtime: Runtime, business_id: str, client_id: str) -> tuple[Opened, str | None]:
    with runtime.database.read() as session:
        if Directory(runtime, session, business_id).client(client_id) is None:
            raise NotFound("not_found", "There is no such client.")
        opened = accounts.open_account(runtime, session, business_id)
        return opened, held_customer(session, opened, client_id)


def _shown(card: dict[str, Any]) -> dict[str, Any]:
    facts = card["card"]
    return {
        "id": card["id"],
        "brand": facts["brand"],
        "last4": facts["last4"],
        "expires": f"{facts['exp_year']}-{facts['exp_month']:02}",
    }
