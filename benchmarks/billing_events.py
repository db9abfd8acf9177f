"""Events that billing takes from a full queue a second, against the best of celery, nameko and a kombu consumer, each
of which commits once per message."""

import contextlib
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import kombu
import orjson
from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from benchmarks import rivals
from benchmarks.figure import Figure, Findings, alternate
from benchmarks.stage import Stage, recorded_messages, staged
from benchmarks.statements import recorded
from billing.domain.tally import NO_DAY
from billing.models import ClientAccount, TallyChange, Transfer
from common import topology
from common.bus import rabbit
from common.bus.rabbit import RabbitBus
from common.db import Database
from common.ids import new_id
from common.inbox import Consumer, Delivery, InboxRow
from common.outbox import OutboxRow
from common.runtime import Runtime
from tests.harness.servers import Servers

GOAL = 4.0
PREFETCH = 200  # of the baseline; without one kombu takes the whole queue at once
QUEUE = topology.queue_of("billing")

accounts, transfers = ClientAccount.__table__, Transfer.__table__
inbox, outbox, tallies = InboxRow.__table__, OutboxRow.__table__, TallyChange.__table__


def measure(servers: Servers, quick: bool) -> Findings:
    many, few, rounds = (2_000, 300, 1) if quick else (6_000, 1_000, 4)
    with (
        rivals.installed() as folder,
        staged(servers) as our_stage,
        staged(servers) as bare_stage,
        our_stage.runtime("billing") as ours,
        bare_stage.database("billing") as bare,
    ):

        def batched() -> float:
            fill(our_stage, many)
            url, batch_size = our_stage.servers.broker.url, ours.settings.batch_size
            return many / _seconds_until(
                ours.database, many, lambda stop: rabbit.consume(url, ours.consumer, batch_size, stop)
            )

        def one_by_one() -> float:
            fill(bare_stage, few)
            return few / _seconds_until(bare, few, lambda stop: consume_one_by_one(bare_stage, bare, stop))

        contenders = [batched, one_by_one, *(_rival(name, folder, bare_stage, bare, few) for name in rivals.NAMES)]
        reached, *baselines = alternate(*contenders, rounds=rounds)
        found = dict(zip(("kombu", *rivals.NAMES), baselines, strict=True))
        best = max(found, key=lambda name: found[name])
        notes = [f"billing's baselines, events/s: {', '.join(f'{name} {found[name]:,.0f}' for name in found)}"]
        notes += [_statements(ours, our_stage, count) for count in (1, ours.settings.batch_size)]
    name = f"billing, from a full queue, against the best of three ({best})"
    return Findings([Figure(name, "events/s", reached, found[best], GOAL)], notes)


def fill(stage: Stage, count: int, *, as_tasks: bool = False) -> None:
    """`count` new PaymentRecorded events in billing's queue, as tasks of celery's or as they are; nothing in the
    others'."""
    url = stage.servers.broker.url
    rabbit.purge(url)
    messages = recorded_messages(stage.payers, count)
    if as_tasks:
        _send_tasks(url, [message.body for message in messages])
        return
    bus = RabbitBus(url)
    for start in range(0, count, 500):
        bus.publish(messages[start : start + 500])
    bus.close()
    with rabbit.connect(url) as connection:
        connection.default_channel.queue_purge(topology.queue_of("notifications"))


def _send_tasks(amqp_url: str, bodies: Sequence[bytes]) -> None:
    with kombu.Connection(amqp_url) as connection:
        producer = connection.Producer(auto_declare=False)
        for body, headers in rivals.as_tasks(bodies):
            producer.publish(
                body, routing_key=QUEUE, delivery_mode=2, headers=headers, correlation_id=headers["id"],
                content_type="application/json", content_encoding="utf-8",
            )  # fmt: skip


def _rival(name: str, folder: str, stage: Stage, database: Database, count: int) -> Callable[[], float]:
    """A turn of celery or nameko: events a second from the first posted to the last."""

    def turn() -> float:
        before = _posted(database)
        fill(stage, count, as_tasks=name == "celery")
        url = stage.database_url("billing")
        process = rivals.start(name, folder, stage.servers.broker.url, url, stage.folder / f"{name}.log")
        try:
            first, began = _wait_posted(database, before + 1, process)
            last, ended = _wait_posted(database, before + count, process)
        finally:
            process.terminate()
            process.wait(20)
        return (last - first) / (ended - began)

    return turn


def _wait_posted(database: Database, target: int, process: subprocess.Popen[bytes]) -> tuple[int, float]:
    """How many transfers there were, and when, once there were `target`."""
    deadline = time.perf_counter() + 60
    while (posted := _posted(database)) < target:
        if process.poll() is not None or time.perf_counter() > deadline:
            raise RuntimeError(f"{posted} of {target} posted by {process.args}; see its log beside the stage's")
        time.sleep(0.02)
    return posted, time.perf_counter()


def _seconds_until(database: Database, count: int, consume: Callable[[threading.Event], None]) -> float:
    """How long `consume` takes to post `count` more transfers, its connecting included."""
    target = _posted(database) + count
    stop = threading.Event()
    thread = threading.Thread(target=consume, args=(stop,))
    started = time.perf_counter()
    thread.start()
    while _posted(database) < target:
        if not thread.is_alive() or time.perf_counter() - started > 120:
            raise RuntimeError("the consumer came to an end too early")
        time.sleep(0.02)
    took = time.perf_counter() - started
    stop.set()
    thread.join()
    return took


def _posted(database: Database) -> int:
    with database.engine.connect() as connection:
        return int(connection.execute(select(func.coalesce(func.sum(accounts.c.sequence), 0))).scalar_one())


def consume_one_by_one(stage: Stage, database: Database, stop: threading.Event) -> None:
    """What is usual: for each message a transaction with the same inserts and updates, a commit and an ack."""

    def on_message(message: Any) -> None:
        with database.engine.begin() as connection:
            post(connection, orjson.loads(message.body))
        message.ack()

    queue = kombu.Queue(QUEUE, no_declare=True)
    with (
        kombu.Connection(stage.servers.broker.url) as connection,
        connection.Consumer([queue], on_message=on_message, prefetch_count=PREFETCH),
    ):
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                connection.drain_events(timeout=0.1)


def post(connection: Connection, envelope: dict[str, Any]) -> None:
    """One payment on the ledger: inbox row, locked account, transfer, tallies, total, BalanceChanged."""
    data, business_id, now = envelope["data"], envelope["businessid"], func.now()
    is_new = connection.execute(
        upsert(inbox)
        .values(
            event_id=envelope["id"], type=envelope["type"], business_id=business_id, state="done", attempts=1,
            received_at=now,
        )
        .on_conflict_do_nothing()
        .returning(inbox.c.event_id)
    ).first()  # fmt: skip
    if is_new is None:
        return
    mine = (accounts.c.business_id == business_id) & (accounts.c.client_id == data["client_id"])
    balance_minor, sequence = connection.execute(
        select(accounts.c.balance_minor, accounts.c.sequence).where(mine).with_for_update()
    ).one()
    balance_minor, sequence = balance_minor + data["amount_minor"], sequence + 1
    connection.execute(
        insert(transfers).values(
            business_id=business_id, client_id=data["client_id"], sequence=sequence,
            debit_account=f"clearing:{data['method']}", credit_account=f"client:{data['client_id']}",
            amount_minor=data["amount_minor"], currency=data["currency"], kind="payment",
            source=f"payment:{data['payment_id']}", line=0, effective_on=data["received_on"], recorded_at=now,
            recorded_by=orjson.dumps(data["recorded_by"]).decode(), memo=None, balance_after_minor=balance_minor,
            payment_id=data["payment_id"],
        )
    )  # fmt: skip
    connection.execute(
        insert(tallies),
        [
            {"business_id": business_id, "change_id": new_id(), "day": day, "name": name,
             "amount_minor": data["amount_minor"], "items": 1}
            for day, name in ((NO_DAY, "prepaid"), (data["received_on"], f"received:{data['method']}"))
        ],
    )  # fmt: skip
    connection.execute(update(accounts).where(mine).values(balance_minor=balance_minor, sequence=sequence))
    told = {
        "id": new_id(), "type": "BalanceChanged", "businessid": business_id, "correlationid": envelope["id"],
        "data": {
            "client_id": data["client_id"], "balance_minor": balance_minor, "change_minor": data["amount_minor"],
            "currency": data["currency"], "entry_source": f"payment:{data['payment_id']}",
        },
    }  # fmt: skip
    connection.execute(
        insert(outbox).values(
            event_id=told["id"], business_id=business_id, type=told["type"],
            routing_key="billing.balance_changed.v1", body=orjson.dumps(told).decode(), occurred_at=now,
        )
    )  # fmt: skip


def _statements(runtime: Runtime, stage: Stage, count: int) -> str:
    deliveries = [Delivery(message.body) for message in recorded_messages(stage.payers, count)]
    consumer = Consumer("billing", runtime.database, runtime.service.handlers)
    with recorded(runtime.database) as statements:
        consumer.consume(deliveries)
    return f"statements per batch of {count} events in billing: {len(statements)} (COPY not counted)"
