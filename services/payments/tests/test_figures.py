"""The figures that other books must meet, while PostgreSQL has not yet looked at what was just recorded."""

import pytest
from sqlalchemy import insert, text

from common import clock, migrate, service
from common.db import Database
from payments.models import Payment, Receipt
from payments.reports.payments import figures

BUSINESS_ID = "01a22c3c-6c95-7788-8cfd-72fcedafa364"  # as long as those of life: that makes the key's index the larger
PAYMENTS = 10_000


@pytest.mark.broker
def test_each_receipt_is_found_by_its_key(postgresql_url: str) -> None:
    now = clock.now()
    payment = {
        "business_id": BUSINESS_ID, "client_id": "ada", "client_name": "Ada", "amount_minor": 1, "refunded_minor": 0,
        "refund_pending_minor": 0, "disputed_minor": 0, "currency": "USD", "method": "cash", "source": "manual",
        "received_on": clock.today("UTC"), "recorded_at": now, "recorded_by_type": "staff", "recorded_by_id": "s1",
        "recorded_by_name": "Sam", "receipt_revision": 1,
    }  # fmt: skip
    receipt = {
        "business_id": BUSINESS_ID, "revision": 1, "refunded_minor": 0, "withdrawn_minor": 0, "is_void": False,
        "issued_at": now,
    }  # fmt: skip
    ids = [(f"01a22c3c-6c95-7788-8cfd-{number:012}", number) for number in range(1, PAYMENTS + 1)]
    database = Database(postgresql_url)
    migrate.upgrade(service.find("payments"), database)
    with database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE payments SET (autovacuum_enabled = false)"))
        connection.execute(text("ALTER TABLE receipts SET (autovacuum_enabled = false)"))
        connection.execute(insert(Payment), [{**payment, "payment_id": payment_id} for payment_id, _ in ids])
        connection.execute(
            insert(Receipt), [{**receipt, "payment_id": payment_id, "number": number} for payment_id, number in ids]
        )
        query = figures(BUSINESS_ID, "", 2_000).compile(connection, compile_kwargs={"literal_binds": True})
        plan = "\n".join(connection.execute(text(f"EXPLAIN (ANALYZE) {query}")).scalars())
    database.close()
    assert "using pk_receipts" in plan
    assert "Rows Removed by Filter" not in plan, plan
