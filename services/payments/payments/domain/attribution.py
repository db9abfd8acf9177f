"""Whose money it is, pure: the client that the gateway names, else the one of the invoice it names, else the one who is
remembered for its payer; else nobody's, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from payments.domain import invoice as rules
from payments.domain.invoice import Known

MATCHED_BY_PAYER = "Matched by payer"


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


def of_nobody(typed: str | None, named: Sequence[Known], remembered: str | None) -> Owner:
    """Money that comes without a client. A void invoice attracts none; a payer whose client is remembered does, unless
    the invoice named is another client's."""
    invoice = rules.fitting(typed, named)
    if invoice is not None and invoice.state != "void":
        return Owner(invoice.client_id, invoice.number)
    if remembered is not None and (invoice is None or invoice.client_id == remembered):
        return Owner(remembered, invoice.number if invoice else typed, MATCHED_BY_PAYER)
    return Owner(None, typed, reason=_why_nobody(typed, named, invoice))


def _why_nobody(typed: str | None, named: Sequence[Known], invoice: Known | None) -> str:
    # What was typed is not repeated: it may be anything, and a reason travels.
    if rules.tidy(typed) is None:
        return "the gateway does not say whose it is"
    if invoice is not None:
        return "the invoice that it names is void"
    if named:
        return "more than one invoice fits what it names"
    return "the gateway does not say whose it is, and no invoice fits what it names"
