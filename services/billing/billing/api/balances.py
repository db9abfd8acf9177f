"""Balances: one client's, explained, adjusted, and everybody's (the balances tool)."""

from collections.abc import Iterator
from typing import Any, Literal

from flask import request
from flask.wrappers import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from billing.api.clients import ClientPath
from billing.reports import balances
from billing.reports import ledger as ledger_reports
from billing.usecases import businesses, clients, reminders
from billing.usecases import ledger as ledger_usecases
from common import clock
from common.db import Database
from common.errors import NotFound
from common.money import describe_balance, to_decimal
from common.web import csv as csv_out
from common.web.app import ANY_JSON, B, caller, endpoint, runtime, session
from common.web.fields import AmountMinor, Body, BusinessPath, Day, Line, PageQuery, SumMinor
from common.web.paging import decode_cursor, page

LEDGER_HEADER = (
    "day", "entry", "memo", "change", "balance_after", "currency", "recorded_at", "recorded_by", "source"
)  # fmt: skip

api = APIBlueprint("balances", __name__, abp_tags=[Tag(name="Balances")], abp_security=[{"bearer": []}])


class NewAdjustment(Body):
    kind: Literal["credit", "debit"] = Field(description="credit is in the client's favour")
    amount_minor: AmountMinor
    reason: Line


class BalanceAnswer(BaseModel):
    """Positive = prepaid, negative = owed."""

    client_id: str
    currency: str
    balance_minor: int
    reserved_minor: int
    provisional_minor: int
    available_minor: int
    threshold_minor: int | None
    sequence: int = Field(description="Of the last entry that it counts: another one, another balance")
    in_words: str
    as_of: str


class LedgerQuery(PageQuery):
    from_: Day | None = Field(default=None, alias="from")
    to: Day | None = None
    sort: Literal["sequence", "-sequence"] = Field(default="sequence", description="-sequence: the newest first")


class BalancesQuery(PageQuery):
    below_minor: SumMinor | None = None
    above_minor: SumMinor | None = None
    status: Literal["active", "inactive", "prospect"] | None = None
    q: str | None = Field(default=None, max_length=200)
    sort: Literal["balance", "-balance", "name", "-name"] = "name"


@api.get(f"{B}/clients/<string:client_id>/balance", responses={200: BalanceAnswer})
@endpoint("billing:read")
def get_balance(path: ClientPath) -> dict[str, Any]:
    """A client's balance, and what of it is available"""
    caller().require_client(path.client_id)
    found = balances.balance(session(), path.business_id, path.client_id)
    if found is None:
        raise NotFound("not_found", "There is no such client.")
    return {
        **found,
        "in_words": describe_balance(found["balance_minor"], found["currency"]),
        "as_of": clock.now(),
    }


@api.get(f"{B}/clients/<string:client_id>/ledger")
@endpoint("billing:read")
def get_ledger(path: ClientPath, query: LedgerQuery) -> dict[str, Any] | Response:
    """The balance explained: every entry in order, with the balance after it and where it came from

    All of it as CSV with `Accept: text/csv`.
    """
    caller().require_client(path.client_id)
    client = clients.find(session(), path.business_id, path.client_id)
    filters = ledger_reports.EntryFilters(path.business_id, path.client_id, query.from_, query.to)
    if request.accept_mimetypes.best == "text/csv":
        lines = _ledger_csv(runtime().database, filters, query.sort)
        return csv_out.stream(LEDGER_HEADER, lines, f"ledger-{client.client_id}.csv")
    after = decode_cursor(query.cursor, int)
    rows = session().scalars(
        ledger_reports.entries(filters, query.sort, after[0] if after else None).limit(query.limit + 1)
    ).all()  # fmt: skip
    items = [ledger_reports.explain(row, runtime().settings.url_of) for row in rows]
    return page(items, query.limit, [rows[query.limit - 1].sequence] if len(rows) > query.limit else None)


@api.post(f"{B}/clients/<string:client_id>/adjustments", responses={201: ANY_JSON})
@endpoint("billing:adjust")
def adjust_balance(path: ClientPath, body: NewAdjustment) -> tuple[dict[str, Any], int]:
    """Correct a balance, saying why"""
    caller().require_staff("client")
    business = businesses.find(session(), path.business_id)
    adjustment_id = ledger_usecases.adjust(
        session(), business, path.client_id, body.kind, body.amount_minor, body.reason, caller().actor
    )
    found = balances.balance(session(), path.business_id, path.client_id)
    assert found is not None
    return {
        "id": adjustment_id,
        "client_id": path.client_id,
        "kind": body.kind,
        "amount_minor": body.amount_minor,
        "currency": business.currency,
        "reason": body.reason,
        "balance_minor": found["balance_minor"],
    }, 201


@api.post(f"{B}/clients/<string:client_id>/balance-email", responses={202: ANY_JSON})
@endpoint("billing:write")
def email_balance(path: ClientPath) -> tuple[dict[str, Any], int]:
    """E-mail the client what they owe now, with a link that pays it"""
    caller().require_staff("client")
    business = businesses.find(session(), path.business_id)
    return reminders.ask_to_pay(session(), business, path.client_id, runtime().pay_links), 202


@api.get(f"{B}/balances")
@endpoint("billing:read")
def list_balances(path: BusinessPath, query: BalancesQuery) -> dict[str, Any] | Response:
    """Everybody's balance, with totals; as CSV with `Accept: text/csv`"""
    business = businesses.find(session(), path.business_id)
    filters = balances.BalanceFilters(
        business_id=path.business_id,
        today=clock.today(business.time_zone),
        below_minor=query.below_minor,
        above_minor=query.above_minor,
        status=query.status,
        q=query.q,
        client_id=caller().client_id,
    )
    if request.accept_mimetypes.best == "text/csv":
        header = ("client_id", "name", "email", "status", "balance", "currency", "in_words", "phone", "external_ref")
        return csv_out.stream(
            header, _csv_rows(runtime().database, filters, query.sort, business.currency), "balances.csv"
        )
    by_name = query.sort.endswith("name")
    key_types = (str, str) if by_name else (int, str)
    rows = session().execute(
        balances.balances(filters, query.sort, decode_cursor(query.cursor, *key_types)).limit(query.limit + 1)
    ).all()  # fmt: skip
    last = rows[query.limit - 1] if len(rows) > query.limit else None
    key = None if last is None else [last.name if by_name else last.balance_minor, last.client_id]
    items = [balances.balance_line(row, business.currency, filters.today) for row in rows]
    totals = {**balances.balance_totals(session(), filters), "currency": business.currency}
    return {**page(items, query.limit, key), "totals": totals}


def _csv_rows(database: Database, filters: balances.BalanceFilters, sort: str, currency: str) -> Iterator[list[Any]]:
    with database.read() as reading:
        for row in reading.execute(balances.balances(filters, sort, None).execution_options(yield_per=500)):
            line = balances.balance_line(row, currency, filters.today)
            amount = to_decimal(line["balance_minor"], currency)
            client = [line["client_id"], line["client_name"], line["email"], line["status"]]
            yield [*client, amount, currency, line["in_words"], line["phone"], line["external_ref"]]


def _ledger_csv(database: Database, filters: ledger_reports.EntryFilters, sort: str) -> Iterator[list[Any]]:
    with database.read() as reading:
        for row in reading.scalars(ledger_reports.entries(filters, sort, None).execution_options(yield_per=500)):
            line = ledger_reports.explain(row, lambda _: "")
            by = line["recorded_by"]
            yield [
                row.effective_on, line["description"], row.memo, to_decimal(line["change_minor"], row.currency),
                to_decimal(row.balance_after_minor, row.currency), row.currency, row.recorded_at.isoformat(),
                by["name"] if by else "", row.source,
            ]  # fmt: skip
