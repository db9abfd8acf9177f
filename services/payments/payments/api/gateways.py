"""Money at gateways that is no payment yet: the unmatched tray, what is on its way, and facts that wait."""

from typing import Any, Literal

from flask_openapi3 import APIBlueprint, Tag
from pydantic import Field

from common.errors import NotFound
from common.web.app import B, caller, endpoint, session
from common.web.fields import AmountMinor, Body, BusinessPath, Id, OptionalLine, PageQuery
from common.web.paging import decode_cursor, page
from payments.api.payments import PaymentAnswer, directory
from payments.domain.gateway import Key
from payments.reports import gateways
from payments.reports import payments as reports
from payments.usecases import unmatched

api = APIBlueprint("gateways", __name__, abp_tags=[Tag(name="Money at gateways")], abp_security=[{"bearer": []}])


class UnmatchedPath(BusinessPath):
    unmatched_id: Id


class TrayQuery(PageQuery):
    state: Literal["open", "assigned"] = "open"


class PendingQuery(PageQuery):
    client_id: str | None = Field(default=None, max_length=64)


class AssignBody(Body):
    """Whose money it is."""

    client_id: Id
    invoice_number: OptionalLine = Field(default=None, max_length=50)
    amount_minor: AmountMinor | None = Field(
        default=None, description="For money in another currency: what it came to in the business's own"
    )


@api.get(f"{B}/unmatched")
@endpoint("payments:read")
def list_unmatched(path: BusinessPath, query: TrayQuery) -> dict[str, Any]:
    """Money that could not be attributed, newest first, with the clients it may be of"""
    caller().require_staff("business")
    after = decode_cursor(query.cursor, str)
    found = gateways.tray(path.business_id, query.state, after[0] if after else None)
    rows = session().scalars(found.limit(query.limit + 1)).all()
    shown = rows[: query.limit]
    fits = gateways.suggested(session(), shown)
    items = [gateways.unmatched_json(row, fits.get(row.unmatched_id, [])) for row in shown]
    return page(items, query.limit, [shown[-1].unmatched_id] if len(rows) > query.limit else None)


@api.post(f"{B}/unmatched/<string:unmatched_id>/assign", responses={201: PaymentAnswer})
@endpoint("payments:write")
def assign_unmatched(path: UnmatchedPath, body: AssignBody) -> tuple[dict[str, Any], int]:
    """Record money of the tray as a client's payment"""
    caller().require_staff("money in the tray")
    payment = unmatched.assign(
        session(), directory(path.business_id), path.business_id, path.unmatched_id,
        body.client_id, body.invoice_number, body.amount_minor, caller(),
    )  # fmt: skip
    found = reports.find(session(), path.business_id, payment.payment_id)
    assert found is not None
    return reports.as_json(found[0], found[1]), 201


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
