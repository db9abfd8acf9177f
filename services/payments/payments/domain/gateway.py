"""What gateways tell, pure: which payment a fact is about, what makes it one of a kind, how things are named."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from common.events.gateways import (
    GatewayDisputeClosed,
    GatewayDisputeOpened,
    GatewayFeeKnown,
    GatewayFundsReinstated,
    GatewayFundsWithdrawn,
    GatewayRefundFailed,
    GatewayRefundSucceeded,
)
from common.text import refuse_card_number

Fact = (
    GatewayFeeKnown
    | GatewayRefundSucceeded
    | GatewayRefundFailed
    | GatewayDisputeOpened
    | GatewayDisputeClosed
    | GatewayFundsWithdrawn
    | GatewayFundsReinstated
)

NAMES = {"stripe": "Stripe", "paypal": "PayPal"}


class Key(NamedTuple):
    """Which payment at which gateway: what makes a payment one of a kind."""

    business_id: str
    gateway: str
    gateway_account: str
    gateway_payment_id: str

    @classmethod
    def of(cls, named: Any) -> "Key":
        """The key of an event, or of a row."""
        return cls(named.business_id, named.gateway, named.gateway_account, named.gateway_payment_id)


class Payer(NamedTuple):
    """Who paid, as the gateway's account knows them."""

    business_id: str
    gateway: str
    gateway_account: str
    payer_id: str

    @classmethod
    def of(cls, paid: Any) -> "Payer | None":
        """The payer of an event, or of a row; None where the gateway does not say."""
        if not paid.payer_id:
            return None
        return cls(paid.business_id, paid.gateway, paid.gateway_account, paid.payer_id[:100])


def fact_of(event: Fact) -> str:
    """What makes a fact about a payment one of a kind, however often and under whichever event id it is told."""
    match event:
        case GatewayFeeKnown():
            return f"fee:{event.fee_minor}"
        case GatewayRefundSucceeded():
            return f"refund-succeeded:{event.gateway_refund_id or event.refund_id}"
        case GatewayRefundFailed():
            return f"refund-failed:{event.gateway_refund_id or event.refund_id}"
        case GatewayDisputeOpened():
            return f"dispute-opened:{event.gateway_dispute_id}"
        case GatewayDisputeClosed():
            return f"dispute-closed:{event.gateway_dispute_id}"
        case GatewayFundsWithdrawn() | GatewayFundsReinstated():
            return f"funds:{event.gateway_movement_id}"


def dispute_state(states: Iterable[str]) -> str | None:
    """What a payment's disputes come to: open while one is, else lost when one was, else won; None without any."""
    found = set(states)
    if not found:
        return None
    return "open" if "open" in found else "lost" if "lost" in found else "won"


def system_actor(gateway: str) -> dict[str, str]:
    """Who did it when nobody but the gateway is named."""
    return {"type": "system", "id": gateway, "name": NAMES.get(gateway, gateway)}


def kept(text: str | None) -> str | None:
    """What is kept of text that was typed at a gateway: as it is, but nothing of what may hold a card's number, and
    without the character that PostgreSQL does not take. Money is never refused for its text."""
    try:
        return refuse_card_number(text.replace("\0", "")) if text else None
    except ValueError:
        return None


def as_utc(moment: datetime) -> datetime:
    """The moment in UTC, which it is taken to be in already when it names no zone."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def day_of(moment: datetime, time_zone: str) -> date:
    """The date that the clocks of the business showed at a moment."""
    return as_utc(moment).astimezone(ZoneInfo(time_zone)).date()
