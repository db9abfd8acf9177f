"""Credit: what of a client's money is free, setting it against invoices, and payments that no invoice could take."""

from typing import Any

from flask_openapi3 import APIBlueprint, Tag
from pydantic import Field

from billing.api.clients import ClientPath
from billing.api.invoices import shown
from billing.reports import invoices as reports
from billing.usecases import accounts, allocations, businesses, invoices
from common.errors import NotFound
from common.web.app import ANY_JSON, B, caller, endpoint, session
from common.web.fields import AmountMinor, Body, BusinessPath, Line, PageQuery
from common.web.paging import decode_cursor, page

api = APIBlueprint("credit", __name__, abp_tags=[Tag(name="Credit")], abp_security=[{"bearer": []}])


class AllocationBody(Body):
    invoice_number: Line
    amount_minor: AmountMinor


class AllocationsBody(Body):
    allocations: list[AllocationBody] = Field(min_length=1, max_length=100)


class FlagsQuery(PageQuery):
    client_id: str | None = Field(default=None, max_length=64)


@api.post(f"{B}/clients/<string:client_id>/allocations", responses={201: ANY_JSON})
@endpoint("billing:write")
def apply_credit(path: ClientPath, body: AllocationsBody) -> tuple[dict[str, Any], int]:
    """Set the client's credit against invoices, as much to each as is told; all or nothing"""
    caller().require_staff("client")
    business = businesses.find(session(), path.business_id)
    account = accounts.lock_one(session(), path.business_id, path.client_id)
    wanted = []
    for allocation in body.allocations:
        invoice, _ = invoices.lock(session(), path.business_id, allocation.invoice_number)
        if invoice.client_id != path.client_id:
            raise NotFound("not_found", f"This client has no invoice {allocation.invoice_number}.")
        wanted.append((invoice, allocation.amount_minor))
    allocations.apply_credit(session(), account, wanted, caller().actor)
    return {
        "invoices": [shown(business, invoice) for invoice, _ in wanted],
        "credit_minor": allocations.free_credit_minor(session(), account),
        "currency": business.currency,
    }, 201


@api.get(f"{B}/clients/<string:client_id>/credit")
@endpoint("billing:read")
def get_credit(path: ClientPath) -> dict[str, Any]:
    """What of the client's money can be set against invoices"""
    caller().require_client(path.client_id)
    account = accounts.look(session(), path.business_id, path.client_id)
    credit_minor = max(0, allocations.free_credit_minor(session(), account))
    return {"client_id": path.client_id, "credit_minor": credit_minor, "currency": account.currency}


@api.get(f"{B}/payment-flags")
@endpoint("billing:read")
def list_flags(path: BusinessPath, query: FlagsQuery) -> dict[str, Any]:
    """Payments that stayed credit, because the invoice they named is void, paid, another client's or not there"""
    caller().require_staff("business")
    businesses.find(session(), path.business_id)
    found = reports.flags(path.business_id, query.client_id, decode_cursor(query.cursor, str))
    rows = session().scalars(found.limit(query.limit + 1)).all()
    items = [
        {
            "payment_id": row.payment_id,
            "client_id": row.client_id,
            "invoice_number": row.invoice_number,
            "amount_minor": row.amount_minor,
            "reason": row.reason,
            "created_at": row.created_at,
        }
        for row in rows
    ]
    return page(items, query.limit, [rows[query.limit - 1].payment_id] if len(rows) > query.limit else None)
