"""The baseline of recording a payment: Flask and SQLAlchemy Core, the same statements, and nothing else.

No authentication, no validation, no documents, no ids for tracing, no metrics. It runs under the same gunicorn
settings because it runs through the same `serve`.
"""

import json
import os
import sys
import tempfile
import uuid
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, jsonify, request
from sqlalchemy import any_, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection
from sqlalchemy.types import NullType

from common import context
from common.db import Database
from common.directory import Business, Client
from common.outbox import OutboxRow
from common.web.idempotency import IdempotencyRow
from payments.models import Payment, Receipt, ReceiptCounter

business, client = Business.__table__, Client.__table__
payments, receipts, counters = Payment.__table__, Receipt.__table__, ReceiptCounter.__table__
outbox, keys = OutboxRow.__table__, IdempotencyRow.__table__


def bare_app(database: Database) -> Flask:
    """The WSGI application."""
    app = Flask("bare")

    @app.post("/v1/businesses/<business_id>/payments")
    def record(business_id: str) -> tuple[Response, int]:
        context.confine(business_id)
        with database.engine.begin() as connection:
            key = request.headers.get("Idempotency-Key")
            if key is not None:
                take_key(connection, business_id, key)
            answer = record_payment(connection, business_id, request.get_json())
            if key is not None:
                keep_answer(connection, business_id, key, json.dumps(answer).encode())
            return jsonify(answer), 201

    @app.get("/healthz")
    def healthz() -> str:
        return "ok"

    return app


def record_payment(connection: Connection, business_id: str, sent: dict[str, Any]) -> dict[str, Any]:
    now = datetime.now(UTC)
    payment_id = str(uuid.uuid4())
    studio = connection.execute(select(business).where(business.c.business_id == business_id)).one()
    payer = connection.execute(
        select(client).where(
            client.c.business_id == business_id,
            client.c.client_id == any_(literal(f"{{{sent['client_id']}}}", NullType())),
        )
    ).one()
    row = {
        "business_id": business_id, "payment_id": payment_id, "client_id": payer.client_id,
        "client_name": payer.name, "amount_minor": sent["amount_minor"], "refunded_minor": 0,
        "refund_pending_minor": 0, "disputed_minor": 0, "currency": studio.currency, "method": sent["method"],
        "source": "manual", "gateway": None, "gateway_account": None, "gateway_payment_id": None, "fee_minor": None,
        "invoice_number": None, "invoice_tidied": None, "reference": None, "memo": None, "received_on": now.date(),
        "recorded_at": now, "recorded_by_type": "staff", "recorded_by_id": "s1", "recorded_by_name": "Ann Example",
        "batch_id": None, "receipt_revision": 1, "voided_at": None, "void_reason": None, "dispute_state": None,
    }  # fmt: skip
    connection.execute(insert(payments), row)
    turn = select(func.pg_advisory_xact_lock(func.hashtextextended(f"receipts\n{business_id}", 0))).cte("turn")
    number = connection.execute(
        upsert(counters)
        .from_select(["business_id", "last_number"], select(literal(business_id), literal(1)).select_from(turn))
        .on_conflict_do_update(index_elements=["business_id"], set_={"last_number": counters.c.last_number + 1})
        .returning(counters.c.last_number)
    ).scalar_one()
    connection.execute(
        insert(receipts),
        {
            "business_id": business_id, "payment_id": payment_id, "revision": 1, "number": number,
            "refunded_minor": 0, "withdrawn_minor": 0, "is_void": False, "issued_at": now,
        },
    )  # fmt: skip
    answer = {**row, "received_on": str(row["received_on"]), "recorded_at": str(now), "receipt_number": number}
    connection.execute(
        insert(outbox),
        {
            "event_id": str(uuid.uuid4()), "business_id": business_id, "type": "PaymentRecorded",
            "routing_key": "payments.payment_recorded.v1", "body": json.dumps(answer), "occurred_at": now,
        },
    )  # fmt: skip
    return answer


def take_key(connection: Connection, business_id: str, key: str) -> None:
    connection.execute(
        upsert(keys)
        .values(
            business_id=business_id, caller="bare", route=request.path, key=key, request_hash="-",
            created_at=datetime.now(UTC),
        )
        .on_conflict_do_nothing()
        .returning(keys.c.key)
    ).one()  # fmt: skip


def keep_answer(connection: Connection, business_id: str, key: str, body: bytes) -> None:
    connection.execute(
        update(keys)
        .where(
            keys.c.business_id == business_id, keys.c.caller == "bare", keys.c.route == request.path,
            keys.c.key == key,
        )
        .values(status=201, content_type="application/json", body=body)
    )  # fmt: skip


def main() -> int:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="bare-metrics-")
    from common.runtime import Runtime
    from common.service import find
    from common.settings import Settings
    from common.web import server

    server.create_app = lambda runtime: bare_app(runtime.database)
    return server.serve("payments", lambda: Runtime.open(find("payments"), Settings.read(), for_web=True))


if __name__ == "__main__":
    sys.exit(main())
