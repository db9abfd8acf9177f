"""Money at gateways that is no payment yet: the unmatched tray with the payers it remembers, what is on its way, and
facts that wait."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field

from common.errors import NotFound
from common.events.payments import Method, Source
from common.web.app import B, caller, endpoint, runtime, session
from common.web.fields import AmountMinor, Body, BusinessPath, Id, OptionalLine, PageQuery
from common.web.paging import decode_cursor, page
from payments.api.payments import PaymentAnswer, directory
from payments.domain.gateway import Key
from payments.models import Unmatched
from payments.reports import gateways, suggestions
from payments.reports import payments as reports
from payments.usecases import payers, unmatched

api = APIBlueprint("gateways", __name__, abp_tags=[Tag(name="Money at gateways")], abp_security=[{"bearer": []}])


class UnmatchedPath(BusinessPath):
    unmatched_id: Id


class PayerPath(BusinessPath):
    gateway: Id
    payer_id: str = Field(max_length=100, description="The gateway's own id of who paid")


class TrayQuery(PageQuery):
    state: Literal["open", "assigned"] = "open"


class PendingQuery(PageQuery):
    client_id: str | None = Field(default=None, max_length=64)


class AssignBody(Body):
    """Whose money it is."""

    client_id: Id
    invoice_number: OptionalLine = Field(
        default=None,
        max_length=50,
        description="The client's invoice that it pays, as people write it: `INV-000012`, `inv 12`, `12`. Without it,"
        " the one that was typed at the gateway",
    )
    amount_minor: AmountMinor | None = Field(
        default=None, description="For money in another currency: what it came to in the business's own"
    )
    remember_payer: bool = Field(
        default=False,
        description="From now on record this payer's money for this client at once, when it names neither a client nor"
        " an invoice that fits. Replaces who was remembered before",
    )


Why = Literal["remembered_payer", "payer_email", "invoice_like", "amount", "open_invoice"]


class SuggestionAnswer(BaseModel):
    """Whom money may be of. `why`: the client is remembered for its payer; has the payer's e-mail address; the number
    of the invoice is the typed one or nearly; it asks for exactly this amount; it is open, and the client's."""

    client_id: str
    client_name: str
    invoice_number: str | None
    outstanding_minor: int | None
    why: list[Why]


class ReferredAnswer(BaseModel):
    """A client whom the gateway named, or whom the money's reference fits."""

    client_id: str
    name: str
    external_ref: str | None


class RememberedAnswer(BaseModel):
    client_id: str
    client_name: str


class UnmatchedAnswer(BaseModel):
    """Money in the tray."""

    model_config = ConfigDict(title="Unmatched")

    id: str
    state: Literal["open", "assigned"]
    reason: str
    gateway: str
    gateway_payment_id: str
    amount_minor: int
    currency: str
    fee_minor: int | None
    method: Method
    source: Source
    client_id: str | None = Field(description="Whom the gateway named")
    invoice_number: str | None = Field(description="As it was typed")
    payer_id: str | None = Field(description="The gateway's own id of who paid")
    remembered_client: RememberedAnswer | None = Field(description="Whose the payer's money is taken to be")
    suggestions: list[SuggestionAnswer] = Field(description="At most five, the likeliest first")
    suggested: list[ReferredAnswer] = Field(description="Clients by the gateway's words alone")
    reference: str | None
    happened_at: datetime
    created_at: datetime
    payment_id: str | None
    assigned_to: RememberedAnswer | None = Field(description="Whose payment it became")
    assigned_at: datetime | None
    assigned_by: str | None = Field(description="None when its invoice, heard of later, told whose it is")


class TrayAnswer(BaseModel):
    items: list[UnmatchedAnswer]
    next_cursor: str | None


@api.get(f"{B}/unmatched", responses={200: TrayAnswer})
@endpoint("payments:read")
def list_unmatched(path: BusinessPath, query: TrayQuery) -> dict[str, Any]:
    """Money that could not be attributed, newest first, with the clients it may be of"""
    caller().require_staff("business")
    after = decode_cursor(query.cursor, str)
    found = gateways.tray(path.business_id, query.state, after[0] if after else None)
    rows = session().scalars(found.limit(query.limit + 1)).all()
    shown = rows[: query.limit]
    items = _with_clients(path.business_id, shown)
    return page(items, query.limit, [shown[-1].unmatched_id] if len(rows) > query.limit else None)


@api.get(f"{B}/unmatched/<string:unmatched_id>", responses={200: UnmatchedAnswer})
@endpoint("payments:read")
def get_unmatched(path: UnmatchedPath) -> dict[str, Any]:
    """Money in the tray, or that was"""
    caller().require_staff("money in the tray")
    row = session().get(Unmatched, (path.business_id, path.unmatched_id))
    if row is None:
        raise NotFound("not_found", "There is no such money in the tray.")
    return _with_clients(path.business_id, [row])[0]


@api.post(f"{B}/unmatched/<string:unmatched_id>/assign", responses={201: PaymentAnswer})
@endpoint("payments:write")
def assign_unmatched(path: UnmatchedPath, body: AssignBody) -> tuple[dict[str, Any], int]:
    """Record money of the tray as a client's payment, and remember its payer if told so

    An invoice must be the client's, and not void: 422 names `invoice_number` otherwise.
    """
    caller().require_staff("money in the tray")
    payment = unmatched.assign(
        session(), runtime(), directory(path.business_id), path.business_id, path.unmatched_id,
        body.client_id, body.invoice_number, body.amount_minor, body.remember_payer, caller(),
    )  # fmt: skip
    found = reports.find(session(), path.business_id, payment.payment_id)
    assert found is not None
    return reports.as_json(found[0], found[1]), 201


@api.delete(f"{B}/remembered-payers/<string:gateway>/<string:payer_id>", responses={204: None})
@endpoint("payments:write")
def forget_payer(path: PayerPath) -> tuple[str, int]:
    """Record a payer's money for no client by itself any more"""
    caller().require_staff("money in the tray")
    payers.forget(session(), path.business_id, path.gateway, path.payer_id)
    return "", 204


@api.get(f"{B}/payments/pending")
@endpoint("payments:read")
def list_pending(path: BusinessPath, query: PendingQuery) -> dict[str, Any]:
    """Money that gateways announced and that is not certain yet"""
    own = caller().client_id
    if own is not None and query.client_id not in (None, own):
        raise NotFound("not_found", "There is no such client.")
    after = decode_cursor(query.cursor, str, str, str)
    found = gateways.announced(path.business_id, own or query.client_id, after)
    rows = session().scalars(found.limit(query.limit + 1)).all()
    last = list(Key.of(rows[query.limit - 1])[1:]) if len(rows) > query.limit else None
    return page([gateways.pending_json(row) for row in rows], query.limit, last)


@api.get(f"{B}/payments/waiting")
@endpoint("payments:read")
def list_waiting(path: BusinessPath, query: PageQuery) -> dict[str, Any]:
    """What gateways told that is not part of a payment, and why: its payment is not recorded, or has no room for it"""
    caller().require_staff("business")
    after = decode_cursor(query.cursor, str, str, str, str)
    rows = session().scalars(gateways.waiting(path.business_id, after).limit(query.limit + 1)).all()
    last = None
    if len(rows) > query.limit:
        newest = rows[query.limit - 1]
        last = [*Key.of(newest)[1:], newest.fact]
    return page([gateways.waiting_json(row) for row in rows], query.limit, last)


def _with_clients(business_id: str, rows: Sequence[Unmatched]) -> list[dict[str, Any]]:
    found = suggestions.of_page(session(), business_id, rows)
    clients = gateways.assigned_to(session(), business_id, rows)
    return [
        gateways.unmatched_json(row)
        | suggestions.as_json(found, row.unmatched_id)
        | {"assigned_to": clients.get(row.payment_id or "")}
        for row in rows
    ]
