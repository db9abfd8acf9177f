"""A month of a studio on processes with RabbitMQ and PostgreSQL: every figure to the cent, books that prove clean, and
a proof that names what somebody edited by hand."""

from typing import Any

import psycopg
import pytest

from common.testing import eventually
from tests.harness.system import System
from tests.integration.month import CLIENTS, SESSIONS, Month

pytestmark = pytest.mark.broker

SEED = 20260301
# (what is edited, how the proof names it: the table, and the row); each is one row, put back afterwards.
EDITS = [
    (
        "UPDATE client_accounts SET balance_minor = balance_minor + 1 WHERE client_id = {client}",
        "client_accounts {client}",
    ),
    (
        "UPDATE client_accounts SET scheduled_minor = scheduled_minor + 1 WHERE client_id = {client}",
        "client_accounts {client}",
    ),
    (
        "UPDATE client_accounts SET refunding_minor = refunding_minor + 1 WHERE client_id = {client}",
        "client_accounts {client}",
    ),
    (
        "UPDATE transfers SET amount_minor = amount_minor + 1 WHERE client_id = {client} AND sequence = 1",
        "transfers ({client}, 1)",
    ),
    (
        "UPDATE transfers SET balance_after_minor = 7 WHERE client_id = {client} AND sequence = 2",
        "transfers ({client}, 2)",
    ),
    ("UPDATE sessions SET price_minor = price_minor + 1 WHERE session_id = {session}", "sessions {session}"),
    ("UPDATE sessions SET status = 'cancelled' WHERE session_id = {session}", "sessions {session}"),
    ("UPDATE invoices SET paid_minor = paid_minor - 1 WHERE invoice_id = {invoice}", "invoices {invoice}"),
    ("UPDATE invoices SET status = 'pending' WHERE invoice_id = {invoice}", "invoices {invoice}"),
    (
        "UPDATE invoice_lines SET amount_minor = amount_minor + 1 WHERE invoice_id = {invoice} AND line = 1",
        "invoices {invoice}",
    ),
    ("UPDATE allocations SET released_minor = 1 WHERE allocation_id = {allocation}", "allocations ({allocation}"),
    (
        "UPDATE invoice_counters SET last_number = last_number + 1 WHERE business_id = {business}",
        "invoice_counters {business}",
    ),
    (
        "UPDATE tallies SET amount_minor = amount_minor + 1 WHERE business_id = {business} AND name = 'owed'",
        "tallies (0001-01-01, owed)",
    ),
]


def prove(system: System, business_id: str) -> list[str]:
    """The lines of drift that the command prints; its exit status says whether there are any."""
    printed = system.command("billing", "do", "prove", "--business", business_id, check=False)
    assert "not compared" not in printed, printed
    return [line.strip() for line in printed.splitlines() if line.startswith("     ")]


@pytest.fixture(scope="module")
def month(system: System) -> Month:
    found = Month(system.api().business("Month Studio", time_zone="America/New_York"), SEED)
    found.live()
    return found


def test_every_figure_is_what_another_sum_says(month: Month) -> None:
    assert (len(month.client_ids), len(month.prices)) == (CLIENTS, SESSIONS)
    month.check()


def test_the_books_prove_clean_and_an_edited_row_is_named(month: Month, system: System) -> None:
    business_id = month.remit.id
    eventually(system.is_quiet, "nothing under way", 60)
    assert prove(system, business_id) == []
    keys = {"business": business_id, **_rows(system, business_id)}
    for statement, named in EDITS:
        _edit(system, statement, keys, back=False)
        found = prove(system, business_id)
        _edit(system, statement, keys, back=True)
        assert any(named.format(**keys) in line for line in found), (statement, found)
    assert prove(system, business_id) == []
    told = system.sql(
        "billing", "SELECT count(*) FROM outbox WHERE business_id = %s AND type = 'DriftFound'", business_id
    )
    assert told[0][0] == len(EDITS)


def test_a_payment_edited_at_payments_is_named(month: Month, system: System) -> None:
    paid = next(paid for paid in month.payments if not paid.back_minor)
    edit = "UPDATE payments SET amount_minor = amount_minor + %s WHERE payment_id = %s"
    # What was just recorded may still be under way, so only what is older is compared.
    with psycopg.connect(system.database_url("payments")) as connection:
        connection.execute("UPDATE receipts SET issued_at = issued_at - interval '1 hour'")
        connection.execute(edit, [1, paid.id])
    found = prove(system, month.remit.id)
    with psycopg.connect(system.database_url("payments")) as connection:
        connection.execute(edit, [-1, paid.id])
    assert [line for line in found if paid.id in line] == found != []
    assert prove(system, month.remit.id) == []


def _rows(system: System, business_id: str) -> dict[str, str]:
    """A paid invoice with an allocation and a session, and its client."""
    row = system.sql(
        "billing",
        "SELECT i.client_id, i.invoice_id, a.allocation_id, l.session_id FROM invoices i"
        " JOIN allocations a USING (business_id, invoice_id) JOIN invoice_lines l USING (business_id, invoice_id)"
        " JOIN sessions s USING (business_id, session_id)"
        " WHERE i.business_id = %s AND i.status = 'paid' AND a.released_minor = 0 AND a.amount_minor > 1"
        " AND s.status = 'completed' AND l.line = 1 ORDER BY i.number LIMIT 1",
        business_id,
    )[0]
    return dict(zip(("client", "invoice", "allocation", "session"), row, strict=True))


def _edit(system: System, statement: str, keys: dict[str, str], *, back: bool) -> None:
    """Do, or undo, an edit as somebody with the database's password would: past the ledger's triggers."""
    values: dict[str, Any] = {name: f"'{value}'" for name, value in keys.items()}
    table, _, rest = statement.removeprefix("UPDATE ").partition(" SET ")
    where = rest.partition(" WHERE ")[2].format(**values)
    with psycopg.connect(system.database_url("billing")) as connection:
        connection.execute("SET session_replication_role = replica")
        if back:
            connection.execute(f"DELETE FROM {table} WHERE {where}")
            connection.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}")
            connection.execute(f"DROP TABLE kept_{table}")
        else:
            connection.execute(f"CREATE TABLE kept_{table} AS SELECT * FROM {table} WHERE {where}")
            assert connection.execute(statement.format(**values)).rowcount == 1
