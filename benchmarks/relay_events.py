"""Events relayed from outbox to broker a second, against one confirm per message with kombu's own publisher."""

from collections.abc import Sequence
from typing import Any

import kombu
from sqlalchemy import func, insert, select, text

from benchmarks.figure import Figure, Findings, alternate, seconds
from benchmarks.stage import recorded_messages, staged
from benchmarks.statements import recorded
from common import topology
from common.bus import rabbit
from common.bus.rabbit import RabbitBus
from common.db import Database
from common.outbox import Message, OutboxRow
from common.relay import BATCH, publish_once
from tests.harness.servers import Servers

GOAL = 4.0
MARK = text("UPDATE outbox SET published_at = now(), position = :place WHERE seq = :seq AND position IS NULL")


def measure(servers: Servers, quick: bool) -> Findings:
    many, few, rounds = (2_000, 300, 2) if quick else (8_000, 800, 5)
    url = servers.broker.url
    with staged(servers) as stage, stage.database("payments") as database:
        bus = RabbitBus(url)
        with kombu.Connection(url, transport_options={"confirm_publish": True}) as connection:
            producer = connection.Producer(exchange=kombu.Exchange(topology.EXCHANGE, type="topic"), auto_declare=False)

            def ours() -> float:
                fill(database, stage, many, url)
                return many / seconds(lambda: relay_all(database, bus))

            def one_by_one() -> float:
                fill(database, stage, few, url)
                return few / seconds(lambda: relay_one_by_one(database, producer, marking=True))

            def one_by_one_unmarked() -> float:
                fill(database, stage, few, url)
                return few / seconds(lambda: relay_one_by_one(database, producer, marking=False))

            reached, marked, unmarked = alternate(ours, one_by_one, one_by_one_unmarked, rounds=rounds)
            fill(database, stage, BATCH, url)
            with recorded(database) as statements:
                relay_all(database, bus)
        bus.close()
    return Findings(
        [
            Figure("relay, against a confirm and a mark per message", "events/s", reached, marked, GOAL),
            Figure("relay, against a confirm per message, unmarked", "events/s", reached, unmarked, GOAL),
        ],
        [f"statements per {BATCH} events relayed: {len(statements) - 1}"],  # the last one found nothing left
    )


def fill(database: Database, stage: Any, count: int, amqp_url: str) -> None:
    """`count` events in the outbox, nothing in the queues."""
    rows = [
        {
            "event_id": message.event_id,
            "business_id": stage.payers[0].business_id,
            "type": message.type,
            "routing_key": message.routing_key,
            "body": message.body.decode(),
        }
        for message in recorded_messages(stage.payers, count)
    ]
    with database.write() as session:
        session.execute(text("DELETE FROM outbox"))
        session.execute(insert(OutboxRow).values(occurred_at=func.now()), rows)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE outbox"))
    rabbit.purge(amqp_url)


def relay_all(database: Database, bus: RabbitBus) -> None:
    while publish_once("payments", database, bus):
        pass


def relay_one_by_one(database: Database, producer: Any, *, marking: bool) -> None:
    """What is usual: read a batch of the outbox, and for each row publish, wait for its confirm, mark, commit."""
    after = 0
    while messages := _after(database, after):
        for message in messages:
            producer.publish(
                message.body, routing_key=message.routing_key, delivery_mode=2, mandatory=True,
                content_type="application/json", content_encoding="utf-8", message_id=message.event_id,
            )  # fmt: skip
            if marking:
                with database.engine.begin() as connection:
                    connection.execute(MARK, {"place": message.seq, "seq": message.seq})
        after = messages[-1].seq


def _after(database: Database, seq: int) -> Sequence[Message]:
    with database.read() as session:
        rows = session.execute(
            select(OutboxRow.seq, OutboxRow.event_id, OutboxRow.type, OutboxRow.routing_key, OutboxRow.body)
            .where(OutboxRow.seq > seq)
            .order_by(OutboxRow.seq)
            .limit(BATCH)
        )
        return [Message(found, event_id, type_, key, body.encode()) for found, event_id, type_, key, body in rows]
