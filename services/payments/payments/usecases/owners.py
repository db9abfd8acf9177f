"""Whose the money of a batch is: what is known of the invoices it names and of its payers, read once."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from common.events.gateways import GatewayPaymentPending, GatewayPaymentSucceeded
from payments.domain import attribution, gateway
from payments.domain.attribution import Owner
from payments.domain.gateway import Payer
from payments.reports import payers
from payments.usecases import invoices
from payments.usecases.invoices import Named

Money = GatewayPaymentPending | GatewayPaymentSucceeded


@dataclass(frozen=True)
class Owners:
    named: Named
    remembered: dict[Payer, str]

    @classmethod
    def read(cls, session: Session, events: Sequence[Money]) -> "Owners":
        return cls(
            invoices.named(session, map(name_of, events)),
            payers.remembered(session, [Payer.of(event) for event in events if event.client_id is None]),
        )

    def of(self, event: Money) -> Owner:
        """Whose money it is; its invoice's number as it is, or as it was typed."""
        fits = invoices.fits(self.named, name_of(event))
        typed = gateway.kept(event.invoice_number)
        if event.client_id is not None:
            return attribution.of_client(event.client_id, typed, fits)
        payer = Payer.of(event)
        remembered = self.remembered.get(payer) if payer else None
        return attribution.of_nobody(typed, fits, remembered, event.happened_at.date())


def name_of(event: Money) -> invoices.Name | None:
    """What the invoice that the money names is looked up by."""
    return invoices.name_of(event.business_id, gateway.kept(event.invoice_number))
