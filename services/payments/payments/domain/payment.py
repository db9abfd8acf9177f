"""A payment's rules, pure: what may be recorded, what its status is, what may still be given back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Protocol

from common.errors import FieldError

EARLIEST_RECEIVED_ON = date(1990, 1, 1)
# A desk west of the business may already write tomorrow's date.
LATEST_DAYS_AHEAD = 1
DUPLICATE_DAYS = 3


@dataclass(frozen=True, slots=True)
class NewPayment:
    """A payment to record, as it was sent. `client` stood in the field `client_field`: `client_id` holds an id,
    `client` (in a CSV) whatever names the client."""

    client: str
    amount_minor: int
    method: str
    client_field: str = "client_id"
    currency: str | None = None
    received_on: date | None = None
    invoice_number: str | None = None
    reference: str | None = None
    memo: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A payment among those to record, and what is wrong with how it was sent. Of a line with errors `payment` holds
    what could be read: an amount of 0 and an empty client or method could not. Such a line is never recorded."""

    payment: NewPayment
    errors: Sequence[FieldError] = ()


class Amounts(Protocol):
    """What the status is derived from."""

    amount_minor: int
    refunded_minor: int
    refund_pending_minor: int
    disputed_minor: int
    voided_at: Any
    dispute_state: str | None


def check(new: NewPayment, currency: str, today: date) -> Iterator[FieldError]:
    """What is wrong with `new` for a business with that currency, where it is `today`."""
    if new.currency is not None and new.currency != currency:
        yield FieldError(
            "currency",
            f"this business keeps its books in {currency}, not {new.currency}",
            code="currency_mismatch",
        )
    if new.received_on is not None:
        if new.received_on > today + timedelta(days=LATEST_DAYS_AHEAD):
            yield FieldError(
                "received_on",
                f"{new.received_on} is in the future; a payment is recorded once it was received",
            )
        elif new.received_on < EARLIEST_RECEIVED_ON:
            yield FieldError("received_on", f"{new.received_on} is too long ago")


def status(payment: Amounts) -> str:
    """recorded, voided, partially_refunded, refunded, disputed (a dispute is open, or its money is withdrawn) or
    charged_back (a dispute was lost)."""
    if payment.voided_at is not None:
        return "voided"
    if payment.dispute_state == "open":
        return "disputed"
    if payment.dispute_state == "lost":
        return "charged_back"
    if payment.disputed_minor > 0:
        return "disputed"
    if payment.refunded_minor == payment.amount_minor:
        return "refunded"
    return "partially_refunded" if payment.refunded_minor > 0 else "recorded"


def left_minor(payment: Amounts) -> int:
    """What has not been given back, is not on its way back, and is not withdrawn."""
    if payment.voided_at is not None:
        return 0
    return payment.amount_minor - payment.refunded_minor - payment.refund_pending_minor - payment.disputed_minor


def resembles(new: NewPayment, client_id: str, received_on: date, other: Any) -> str | None:
    """Why the recorded payment `other` looks like the same money as `new`; None when it does not."""
    if new.reference and other.reference == new.reference:
        return "same reference"
    same = other.client_id == client_id and other.amount_minor == new.amount_minor
    if same and abs((other.received_on - received_on).days) <= DUPLICATE_DAYS:
        return f"same client and amount within {DUPLICATE_DAYS} days"
    return None


def repeats(new: Sequence[tuple[NewPayment, str, date]]) -> dict[int, int]:
    """Place → the place before it that looks like the same money, among payments sent together: each with its client
    and day. Lists are typed twice more often than clients pay twice in a day, and two references tell two payments."""
    anyhow: dict[tuple[str, int, date], int] = {}
    without: dict[tuple[str, int, date], int] = {}  # a reference
    by_reference: dict[str, int] = {}
    found: dict[int, int] = {}
    for place, (payment, client_id, day) in enumerate(new):
        key = (client_id, payment.amount_minor, day)
        if payment.reference:
            before = by_reference.setdefault(payment.reference, place)
            before = without.get(key, place) if before == place else before
        else:
            before = anyhow.get(key, place)
            without.setdefault(key, place)
        anyhow.setdefault(key, place)
        if before != place:
            found[place] = before
    return found
