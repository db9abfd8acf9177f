"""Who subscribes to what: the one list. Queues, bindings and handler checks all come from here."""

from common.events import Event, snake
from common.events.billing import (
    BalanceBelowThreshold,
    BalanceEmailRequested,
    BusinessRegistered,
    BusinessUpdated,
    ClientDeactivationDue,
    ClientRegistered,
    ClientUpdated,
    InvoiceEmailRequested,
    InvoiceIssued,
    InvoicePaid,
    InvoiceReopened,
    InvoiceVoided,
    ReminderDue,
)
from common.events.gateways import (
    GatewayDisputeClosed,
    GatewayDisputeOpened,
    GatewayFeeKnown,
    GatewayFundsReinstated,
    GatewayFundsWithdrawn,
    GatewayPaymentFailed,
    GatewayPaymentPending,
    GatewayPaymentSucceeded,
    GatewayRefundFailed,
    GatewayRefundSucceeded,
    GatewayTestNoticed,
)
from common.events.payments import (
    PaymentDisputed,
    PaymentFundsReinstated,
    PaymentFundsWithdrawn,
    PaymentRecorded,
    PaymentRefunded,
    PaymentRefundReversed,
    PaymentUnmatched,
    PaymentVoided,
    ReceiptRequested,
    RefundAbandoned,
    RefundRequested,
)

EXCHANGE = "remit.events"

DIRECTORY = (BusinessRegistered, BusinessUpdated, ClientRegistered, ClientUpdated)

# What moves a payment's money: each is posted, and each has a receipt of its own.
MONEY = (
    PaymentRecorded,
    PaymentVoided,
    PaymentRefunded,
    PaymentRefundReversed,
    PaymentFundsWithdrawn,
    PaymentFundsReinstated,
)

SUBSCRIPTIONS: dict[str, tuple[type[Event], ...]] = {
    "payments": (
        *DIRECTORY,
        InvoiceIssued,
        InvoicePaid,
        InvoiceReopened,
        InvoiceVoided,
        GatewayPaymentPending,
        GatewayPaymentSucceeded,
        GatewayPaymentFailed,
        GatewayFeeKnown,
        GatewayRefundSucceeded,
        GatewayRefundFailed,
        GatewayDisputeOpened,
        GatewayDisputeClosed,
        GatewayFundsWithdrawn,
        GatewayFundsReinstated,
    ),
    "billing": (
        *MONEY,
        RefundRequested,
        RefundAbandoned,
        GatewayPaymentPending,
        GatewayPaymentSucceeded,
        GatewayPaymentFailed,
    ),
    "gateway-stripe": (*DIRECTORY, RefundRequested, GatewayTestNoticed),
    "gateway-paypal": (*DIRECTORY, RefundRequested, GatewayTestNoticed),
    "notifications": (
        *DIRECTORY,
        *MONEY,
        ReceiptRequested,
        PaymentUnmatched,
        PaymentDisputed,
        BalanceBelowThreshold,
        InvoiceEmailRequested,
        BalanceEmailRequested,
        ReminderDue,
        ClientDeactivationDue,
    ),
}


def queue_of(service: str) -> str:
    return f"remit.{service}"


def routing_keys(service: str) -> list[str]:
    """The routing keys that `service`'s queue is bound with."""
    return [
        f"{producer}.{snake(event_type.__name__)}.v{event_type.version}"
        for event_type in SUBSCRIPTIONS.get(service, ())
        for producer in event_type.producers
    ]


def subscribers_of(routing_key: str) -> list[str]:
    """The services that take messages with `routing_key`."""
    return _SUBSCRIBERS.get(routing_key, [])


_SUBSCRIBERS: dict[str, list[str]] = {}
for _service in SUBSCRIPTIONS:
    for _key in routing_keys(_service):
        _SUBSCRIBERS.setdefault(_key, []).append(_service)
