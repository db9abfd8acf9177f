"""What billing tells: businesses, clients, balances. E-mail addresses travel in client events only."""

from datetime import date
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
