"""The figures that other books must meet, while PostgreSQL has not yet looked at what was just recorded."""

import pytest
from sqlalchemy import insert, text

from common import clock, migrate, service
from common.db import Database
from payments.models import Payment, Receipt
from payments.reports.payments import figures
from services.payments.tests.conftest import payment_row

BUSINESS_ID = "01a22c3c-6c95-7788-8cfd-72fcedafa364"  # as long as those of life: that makes the key's index the larger
PAYMENTS = 10_000


@pytest.mark.broker
def test_each_receipt_is_found_by_its_key(postgresql_url: str) -> None:
    receipt = {
        "business_id": BUSINESS_ID, "revision": 1, "refunded_minor": 0, "withdrawn_minor": 0, "is_void": False,
        "issued_at": clock.now(),
    }  # fmt: skip
    ids = [f"01a22c3c-6c95-7788-8cfd-{number:012}" for number in range(1, PAYMENTS + 1)]
    payments = [payment_row(business_id=BUSINESS_ID, payment_id=payment_id) for payment_id in ids]
    receipts = [{**receipt, "payment_id": payment_id, "number": number} for number, payment_id in enumerate(ids, 1)]
    database = Database(postgresql_url)
    migrate.upgrade(service.find("payments"), database)
    with database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE payments SET (autovacuum_enabled = false)"))
        connection.execute(text("ALTER TABLE receipts SET (autovacuum_enabled = false)"))
        connection.execute(insert(Payment), payments)
        connection.execute(insert(Receipt), receipts)
        query = figures(BUSINESS_ID, "", 2_000).compile(connection, compile_kwargs={"literal_binds": True})
        plan = "\n".join(connection.execute(text(f"EXPLAIN (ANALYZE) {query}")).scalars())
    database.close()
    assert "using pk_receipts" in plan
    assert "Rows Removed by Filter" not in plan, plan
