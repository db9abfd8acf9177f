"""What gateways tell, whichever they are: money on its way, arrived, given back, withdrawn. They know no balances.

Amounts are minor units. `gateway_account` is the account at the gateway that the money went to; together with the
gateway and its own id of the payment it makes a payment one of a kind.
"""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field

from common.events import Event
from common.events.payments import Actor, Method, Source

GATEWAYS = ("gateway-stripe", "gateway-paypal")


class _GatewayFacts(Event):
    subject_field: ClassVar[str] = "gateway_payment_id"

    gateway: Literal["stripe", "paypal"]
    gateway_account: str
    gateway_payment_id: str


class _GatewayMoney(_GatewayFacts):
    amount_minor: int = Field(gt=0)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    client_id: str | None = Field(default=None, description="None when the gateway does not say whose it is")
    method: Method
    source: Source
    invoice_number: str | None = None
    recorded_by: Actor | None = None
    payer_id: str | None = Field(default=None, description="The gateway's own id of who paid; no address, no name")
    payer_client_ids: list[str] = Field(
        default_factory=list,
        description="Clients whose e-mail address is the payer's, where it does not say whose it is",
    )
    happened_at: datetime


class GatewayPaymentPending(_GatewayMoney):
    """Money was announced and is not certain yet. Shown, and nothing more, until it succeeds or fails."""

    producers = GATEWAYS

    reason: str


class GatewayPaymentSucceeded(_GatewayMoney):
    """Money arrived. payments records it exactly once."""

    producers = GATEWAYS

    fee_minor: int | None = None
    reference: str | None = None


class GatewayPaymentFailed(_GatewayFacts):
    """An attempt failed, or announced money will not come. Nothing was recorded."""

    producers = GATEWAYS

    client_id: str | None = None
    code: str
    reason: str


class GatewayFeeKnown(_GatewayFacts):
    """What the gateway kept of a payment."""

    producers = GATEWAYS

    fee_minor: int = Field(ge=0)
    currency: str | None = Field(
        default=None, pattern=r"^[A-Z]{3}$", description="Of the fee: the currency that the account is settled in"
    )


class _GatewayRefund(_GatewayFacts):
    gateway_refund_id: str
    refund_id: str | None = Field(default=None, description="payments' own refund, when it asked for it")
    amount_minor: int = Field(gt=0)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    happened_at: datetime


class GatewayRefundSucceeded(_GatewayRefund):
    """Money went back to the client, asked for here or made at the gateway's own site."""

    producers = GATEWAYS

    reason: str


class GatewayRefundFailed(_GatewayRefund):
    """Money did not go back, or came back after it had gone."""

    producers = GATEWAYS

    reason: str


class _GatewayDispute(_GatewayFacts):
    gateway_dispute_id: str
    happened_at: datetime


class GatewayDisputeOpened(_GatewayDispute):
    """The client disputes a payment at their bank. Moves no money by itself."""

    producers = GATEWAYS

    amount_minor: int = Field(gt=0)
    reason: str


class GatewayDisputeClosed(_GatewayDispute):
    """A dispute ended. Moves no money by itself."""

    producers = GATEWAYS

    outcome: Literal["won", "lost", "withdrawn"]


class _GatewayFunds(_GatewayFacts):
    gateway_dispute_id: str
    gateway_movement_id: str = Field(description="Unique at the gateway: one movement of money")
    amount_minor: int = Field(gt=0)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    happened_at: datetime


class GatewayFundsWithdrawn(_GatewayFunds):
    """The gateway took money of a disputed payment back."""

    producers = GATEWAYS


class GatewayFundsReinstated(_GatewayFunds):
    """The gateway gave withdrawn money back to the business."""

    producers = GATEWAYS


class GatewayTestNoticed(Event):
    """The callback of a test came through; it proves the way, and moves nothing."""

    producers = GATEWAYS
    subject_field: ClassVar[str] = "test_id"

    gateway: Literal["stripe", "paypal"]
    test_id: str
