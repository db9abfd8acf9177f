"""What billing tells: businesses, clients, balances, sessions, invoices. E-mail addresses travel in client events
only."""

from datetime import date, datetime
from typing import ClassVar, Literal

from pydantic import Field

from common.events import Event

ClientStatus = Literal["active", "inactive", "prospect"]


class _BusinessFacts(Event):
    name: str
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    time_zone: str
    reply_to_email: str | None = None


class BusinessRegistered(_BusinessFacts):
    """A business began to use Remit."""

    producers = ("billing",)


class BusinessUpdated(_BusinessFacts):
    """A business's name, addresses or settings changed; carries all of them."""

    producers = ("billing",)


class _ClientFacts(Event):
    subject_field: ClassVar[str] = "client_id"

    client_id: str
    name: str
    email: str | None = None
    external_ref: str | None = None
    status: ClientStatus = "active"
    inactive_on: date | None = None


class ClientRegistered(_ClientFacts):
    """A client was added to a business."""

    producers = ("billing",)


class ClientUpdated(_ClientFacts):
    """A client's details changed; carries all of them."""

    producers = ("billing",)


class BalanceChanged(Event):
    """An entry moved a client's balance. `change_minor` is signed: positive is in the client's favour."""

    producers = ("billing",)
    subject_field: ClassVar[str] = "client_id"

    client_id: str
    balance_minor: int
    change_minor: int
    currency: str
    entry_source: str = Field(description="The entry's source, such as payment:<id>")


class _Crossing(Event):
    subject_field: ClassVar[str] = "client_id"

    client_id: str
    balance_minor: int
    threshold_minor: int
    currency: str
    entry_source: str
    cause_event_id: str | None = Field(default=None, description="The event that caused the crossing, if one did")


class BalanceBelowThreshold(_Crossing):
    """A client's balance crossed its threshold downwards. Told once per crossing; `BalanceRestored` re-arms it."""

    producers = ("billing",)


class BalanceRestored(_Crossing):
    """A client's balance rose to its threshold or above, after having been below."""

    producers = ("billing",)


class GateOpened(Event):
    """A client has enough available again to add sessions, after having had too little."""

    producers = ("billing",)
    subject_field: ClassVar[str] = "client_id"

    client_id: str
    available_minor: int
    threshold_minor: int
    currency: str


class ClientDeactivated(Event):
    """A client became inactive, by its date or by staff. Told once, until `ClientReactivated`."""

    producers = ("billing",)
    subject_field: ClassVar[str] = "client_id"

    client_id: str
    inactive_on: date | None = None
    by: Literal["date", "staff"]


class ClientReactivated(Event):
    """A client who was told to be inactive is not any more."""

    producers = ("billing",)
    subject_field: ClassVar[str] = "client_id"

    client_id: str


class ClientDeactivationDue(Event):
    """A client's inactive date is near; for the business's staff. Told once per date."""

    producers = ("billing",)
    subject_field: ClassVar[str] = "client_id"

    client_id: str
    inactive_on: date
    balance_minor: int
    currency: str
    future_sessions: int
    pending_invoices: int


class _SessionFacts(Event):
    subject_field: ClassVar[str] = "session_id"

    session_id: str
    client_id: str
    service_id: str
    starts_at: datetime
    price_minor: int = Field(gt=0)
    currency: str


class SessionScheduled(_SessionFacts):
    """A session was added for a client."""

    producers = ("billing",)


class SessionCharged(_SessionFacts):
    """A session was completed or missed, and charged to the client, once."""

    producers = ("billing",)

    outcome: Literal["completed", "missed"]


class SessionCancelled(_SessionFacts):
    """A session was cancelled. What it had been charged was given back, if it had been."""

    producers = ("billing",)

    was_charged: bool


class _InvoiceFacts(Event):
    subject_field: ClassVar[str] = "invoice_id"

    invoice_id: str
    invoice_number: str
    client_id: str
    total_minor: int = Field(gt=0)
    paid_minor: int = Field(ge=0)
    currency: str
    due_on: date | None = None
    issued_on: date | None = Field(default=None, description="The day where the business is")


class InvoiceIssued(_InvoiceFacts):
    """A client was asked for money."""

    producers = ("billing",)


class InvoicePaid(_InvoiceFacts):
    """All that an invoice asked for is allocated to it."""

    producers = ("billing",)


class InvoiceReopened(_InvoiceFacts):
    """An invoice that had been paid is pending again, because money was given back."""

    producers = ("billing",)


class InvoiceVoided(_InvoiceFacts):
    """An invoice asks for nothing any more; what had been paid on it is credit."""

    producers = ("billing",)

    reason: str


class InvoiceEmailRequested(_InvoiceFacts):
    """An invoice is to be e-mailed to its client. `pay_url` leads to paying what is still asked for."""

    producers = ("billing",)

    request_id: str
    pay_url: str


class ReminderDue(Event):
    """A client is to be reminded of a pending invoice or of an owed balance. Told once per `reminder`."""

    producers = ("billing",)
    subject_field: ClassVar[str] = "client_id"

    client_id: str
    kind: Literal["invoice", "balance"]
    reminder: str = Field(description="What makes it one of a kind, such as invoice:<id>:7")
    owed_minor: int = Field(gt=0)
    currency: str
    invoice_id: str | None = None
    invoice_number: str | None = None
    due_on: date | None = None
    days_overdue: int | None = Field(default=None, description="Negative before the due date")
    pay_url: str


class BalanceEmailRequested(Event):
    """A client is to be e-mailed what they owe now, because somebody asked for it. `pay_url` leads to paying it."""

    producers = ("billing",)
    subject_field: ClassVar[str] = "client_id"

    client_id: str
    request_id: str
    owed_minor: int = Field(gt=0)
    currency: str
    pay_url: str


class DriftFound(Event):
    """The proof of the books found figures that do not agree. `findings` are sentences, the first hundred."""

    producers = ("billing",)

    checks: list[str]
    findings: list[str]
    findings_count: int = Field(ge=1)
