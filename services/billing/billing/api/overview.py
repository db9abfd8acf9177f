"""One client at a glance: what a client's own page, or staff's page of one, begins with, in one call."""

from typing import Any

from flask_openapi3 import APIBlueprint, Tag

from billing.api import clients as client_api
from billing.api.clients import ClientPath
from billing.reports import balances, invoices, sessions
from billing.usecases import businesses, clients
from common import clock
from common.money import describe_balance
from common.web.app import B, caller, endpoint, session

api = APIBlueprint("overview", __name__, abp_tags=[Tag(name="Clients")], abp_security=[{"bearer": []}])

INVOICES_SHOWN = 20
SESSIONS_SHOWN = 10


@api.get(f"{B}/clients/<string:client_id>/overview")
@endpoint("billing:read")
def get_overview(path: ClientPath) -> dict[str, Any]:
    """A client with balance, pending invoices, and the sessions that come next

    `{client, balance, invoices, sessions}`; at most 20 invoices, the newest first, and 10 sessions.
    """
    caller().require_client(path.client_id)
    business = businesses.find(session(), path.business_id)
    today = clock.today(business.time_zone)
    client = clients.find(session(), path.business_id, path.client_id)
    figures = balances.balance(session(), path.business_id, path.client_id)
    assert figures is not None  # a client has an account
    pending = invoices.InvoiceFilters(path.business_id, today, "pending", path.client_id, drafts=False)
    coming = sessions.SessionFilters(
        path.business_id, begin=clock.now(), client_id=path.client_id, status="scheduled"
    )  # fmt: skip
    invoice_rows = session().execute(invoices.invoices(pending, None).limit(INVOICES_SHOWN)).all()
    session_rows = session().execute(sessions.sessions(coming, None).limit(SESSIONS_SHOWN)).all()
    return {
        "client": client_api.as_json(client, today),
        "balance": {
            **figures,
            "in_words": describe_balance(figures["balance_minor"], figures["currency"]),
            "as_of": clock.now(),
        },
        "invoices": [invoices.as_json(invoice, name, today) for invoice, name in invoice_rows],
        "sessions": [sessions.as_json(row, name, service, business.currency) for row, name, service in session_rows],
    }
