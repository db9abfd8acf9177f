"""Whose money it is, pure: the client that the gateway names, else the one of the invoice it names, else the one who is
remembered for its payer; else nobody's, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol

from common.invoice_number import tidy
from payments.domain import invoice as rules
from payments.domain.invoice import Known

MATCHED_BY_PAYER = "Matched by payer"
# Money and invoice are dated in different zones.
DAYS_APART = timedelta(days=1)


class Issued(Known, Protocol):
    """An invoice of which the day is known, where billing told it."""

    @property
    def issued_on(self) -> date | None: ...


LATER = "the invoice that it names was issued after it"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose it is and what it pays. Without a client, `reason` says why nobody is known."""

    client_id: str | None
    invoice_number: str | None
    memo: str | None = None
    reason: str = ""


def of_client(client_id: str, typed: str | None, named: Sequence[Known]) -> Owner:
    """Money of a client that is known: only the number is put right, when the invoice is that client's. Another's is
    left as it was typed: billing keeps such money as credit and flags it for staff, with the number."""
    invoice = rules.fitting(typed, named)
    is_theirs = invoice is not None and invoice.client_id == client_id
    return Owner(client_id, invoice.number if invoice is not None and is_theirs else typed)


def of_nobody(typed: str | None, named: Sequence[Issued], remembered: str | None, paid_on: date) -> Owner:
    """Money that comes without a client. A void invoice attracts none, nor one that was issued after the money came:
    numbers rise, so any that somebody mistypes is issued one day. A payer whose client is remembered does, unless the
    invoice named is another client's."""
    invoice = rules.fitting(typed, named)
    is_later = invoice is not None and invoice.issued_on is not None and invoice.issued_on > paid_on + DAYS_APART
    if invoice is not None and invoice.state != "void" and not is_later:
        return Owner(invoice.client_id, invoice.number)
    if remembered is not None and (invoice is None or invoice.client_id == remembered):
        return Owner(remembered, invoice.number if invoice else typed, MATCHED_BY_PAYER)
    return Owner(None, typed, reason=LATER if is_later else _why_nobody(typed, named, invoice))


def _why_nobody(typed: str | None, named: Sequence[Known], invoice: Known | None) -> str:
    # What was typed is not repeated: it may be anything, and a reason travels.
    if tidy(typed) is None:
        return "the gateway does not say whose it is"
    if invoice is not None:
        return "the invoice that it names is void"
    if named:
        return "more than one invoice fits what it names"
    return "the gateway does not say whose it is, and no invoice fits what it names"
