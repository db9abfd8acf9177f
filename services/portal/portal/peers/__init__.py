"""The other services' APIs, asked for one person: what they answer is what that person may see. One module each."""

from dataclasses import dataclass, field
from functools import cached_property

from common.errors import Unavailable
from common.runtime import Runtime
from portal.peers.asking import Actor
from portal.peers.billing import Billing
from portal.peers.known import Known
from portal.peers.notifications import Notifications
from portal.peers.payments import Payments
from portal.peers.paypal import PayPal
from portal.peers.stripe import Stripe


@dataclass
class Remit:
    """One business, as `actor` sees it; without one, as the portal itself does. Refusals are raised as they were
    answered, Unavailable when a service is away. `known` remembers businesses; `away` holds who did not answer, so
    that one page waits for a silent service once."""

    runtime: Runtime
    business_id: str
    actor: Actor | None = None
    known: Known = field(default_factory=Known)
    away: dict[str, Unavailable] = field(default_factory=dict)

    @cached_property
    def billing(self) -> Billing:
        return Billing(self)

    @cached_property
    def payments(self) -> Payments:
        return Payments(self)

    @cached_property
    def stripe(self) -> Stripe:
        return Stripe(self)

    @cached_property
    def paypal(self) -> PayPal:
        return PayPal(self)

    @cached_property
    def notifications(self) -> Notifications:
        return Notifications(self)

    def as_portal(self) -> "Remit":
        """The same business, asked for by the portal itself."""
        return Remit(self.runtime, self.business_id, None, self.known, self.away)
