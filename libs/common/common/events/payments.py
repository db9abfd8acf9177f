"""What payments tells: money received, voided and given back, and receipts asked for again."""

from datetime import date, datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from common.events import Event

Method = Literal["cash", "check", "bank_transfer", "card_terminal", "other", "card", "paypal"]
Source = Literal["manual", "batch", "client", "pay_assist", "saved_card", "paypal", "virtual_terminal", "reconciled"]


class Actor(BaseModel):
    """Who did it."""

    model_config = ConfigDict(frozen=True)

    type: Literal["staff", "client", "team", "system"]
    id: str
    name: str


class _PaymentFacts(Event):
    subject_field: ClassVar[str] = "payment_id"

    payment_id: str
    client_id: str
    amount_minor: int = Field(gt=0, description="What this event moves, in minor units")
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    method: Method
    receipt_number: int = Field(ge=1)
    receipt_revision: int = Field(ge=1)
    recorded_by: Actor | None = None


class PaymentRecorded(_PaymentFacts):
    """Money was received from a client, once. Credits the client with `amount_minor`."""

    producers = ("payments",)

    source: Source
    gateway: str | None = None
    invoice_number: str | None = None
    received_on: date = Field(description="The date in the business's time zone")


class PaymentVoided(_PaymentFacts):
    """A payment had been recorded by mistake. Debits the client with `amount_minor`, what was left of it."""

    producers = ("payments",)

    voided_on: date
    reason: str


class PaymentRefunded(_PaymentFacts):
    """Money was given back. Debits the client with `amount_minor`, the amount of this refund."""

    producers = ("payments",)

    refund_id: str
    refunded_on: date
    refunded_total_minor: int = Field(gt=0)
    reason: str


class ReceiptRequested(Event):
    """Someone asked for a receipt to be e-mailed. Without `to_client_address` the address was given to the
    notifications service itself: addresses do not travel here."""

    producers = ("payments",)
    subject_field: ClassVar[str] = "payment_id"

    payment_id: str
    client_id: str
    receipt_number: int
    receipt_revision: int
    request_id: str


class PaymentRefundReversed(_PaymentFacts):
    """A refund failed at the gateway after all, and its money came back. Credits the client with `amount_minor`."""

    producers = ("payments",)

    refund_id: str
    reversed_on: date
    refunded_total_minor: int = Field(ge=0)
    reason: str


class _PaymentFunds(_PaymentFacts):
    movement_id: str = Field(description="One movement of money at the gateway")
    moved_on: date
    withdrawn_total_minor: int = Field(ge=0)


class PaymentFundsWithdrawn(_PaymentFunds):
    """The gateway took money of a disputed payment back. Debits the client with `amount_minor`."""

    producers = ("payments",)


class PaymentFundsReinstated(_PaymentFunds):
    """The gateway gave withdrawn money back. Credits the client with `amount_minor`."""

    producers = ("payments",)


class _PaymentDispute(Event):
    subject_field: ClassVar[str] = "payment_id"

    payment_id: str
    client_id: str
    gateway_dispute_id: str


class PaymentDisputed(_PaymentDispute):
    """The client disputes a payment at their bank. Moves no money by itself."""

    producers = ("payments",)

    amount_minor: int = Field(gt=0)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    reason: str


class DisputeResolved(_PaymentDispute):
    """A dispute ended. Moves no money by itself."""

    producers = ("payments",)

    outcome: Literal["won", "lost", "withdrawn"]


class PaymentUnmatched(Event):
    """Money arrived that could not be attributed to a client; it waits in the unmatched tray."""

    producers = ("payments",)
    subject_field: ClassVar[str] = "unmatched_id"

    unmatched_id: str
    gateway: str
    gateway_payment_id: str
    amount_minor: int = Field(gt=0)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    reason: str
    happened_at: datetime


class RefundRequested(Event):
    """Staff asked for money of a gateway's payment to be given back. The amount is held until the gateway answers."""

    producers = ("payments",)
    subject_field: ClassVar[str] = "refund_id"

    refund_id: str
    payment_id: str
    client_id: str
    gateway: str
    gateway_account: str
    gateway_payment_id: str
    amount_minor: int = Field(gt=0)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    reason: str


class RefundAbandoned(Event):
    """A refund that was asked for will not happen; no money moved. What was held for it is free again."""

    producers = ("payments",)
    subject_field: ClassVar[str] = "refund_id"

    refund_id: str
    payment_id: str
    client_id: str
    amount_minor: int = Field(gt=0, description="What was held")
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    reason: str
