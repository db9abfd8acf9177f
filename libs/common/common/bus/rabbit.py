"""RabbitMQ through kombu: declaring, publishing with pipelined confirms, consuming in batches.

kombu's own publisher waits for each confirm, and its consumer mixin takes any OSError of a handler for a lost broker;
so the publisher here keeps many messages in flight on the channel, and no handler's exception reaches kombu at all.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import amqp
import kombu
from amqp.exceptions import AMQPError
from kombu.exceptions import KombuError

from common import crash, logs, topology
from common.bus import BusUnavailable
from common.db import is_contended, is_unavailable
from common.inbox import Consumer, Delivery
from common.outbox import Message

CONNECT_TIMEOUT_SECONDS = 3
CONFIRM_TIMEOUT_SECONDS = 5
HEARTBEAT_SECONDS = 20
RECONNECT_SECONDS = 1.0
IDLE_SECONDS = 0.5
# So high that only a fault of the broker's own reaches it; poison is counted in the inbox instead.
DELIVERY_LIMIT = 1_000_000

log = logs.get("bus")

BROKER_ERRORS = (OSError, AMQPError, KombuError)


def connect(amqp_url: str, timeout_seconds: float = CONNECT_TIMEOUT_SECONDS) -> kombu.Connection:
    """An open connection; raises one of BROKER_ERRORS."""
    connection = kombu.Connection(
        amqp_url,
        connect_timeout=timeout_seconds,
        heartbeat=HEARTBEAT_SECONDS,
        transport_options={
            "read_timeout": CONFIRM_TIMEOUT_SECONDS,
            "write_timeout": CONFIRM_TIMEOUT_SECONDS,
            "max_retries": 1,
        },
    )
    connection.connect()
    return connection


def declare(amqp_url: str) -> None:
    """Declare the exchange, and every service's queue with its bindings. Safe to repeat."""
    with connect(amqp_url) as connection:
        channel = connection.default_channel
        exchange = kombu.Exchange(topology.EXCHANGE, type="topic", durable=True, channel=channel)
        exchange.declare()
        for service in topology.SUBSCRIPTIONS:
            queue = kombu.Queue(
                topology.queue_of(service),
                channel=channel,
                durable=True,
                queue_arguments={"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT},
            )
            queue.queue_declare()
            for key in topology.routing_keys(service):
                queue.bind_to(exchange, routing_key=key)


def depths(amqp_url: str) -> dict[str, int]:
    """Messages ready in each service's queue."""
    with connect(amqp_url) as connection:
        channel = connection.default_channel
        return {
            service: channel.queue_declare(topology.queue_of(service), passive=True).message_count
            for service in topology.SUBSCRIPTIONS
        }


def purge(amqp_url: str) -> int:
    """Throw away what waits in every service's queue, declaring those that are missing; answers how many went."""
    declare(amqp_url)
    with connect(amqp_url) as connection:
        channel = connection.default_channel
        return sum(channel.queue_purge(topology.queue_of(service)) or 0 for service in topology.SUBSCRIPTIONS)


def depth(amqp_url: str, service: str, timeout_seconds: float) -> int | None:
    """Messages ready in one service's queue; None when the broker does not say, or there is no such queue."""
    try:
        with connect(amqp_url, timeout_seconds) as connection:
            queue = connection.default_channel.queue_declare(topology.queue_of(service), passive=True)
            return int(queue.message_count)
    except BROKER_ERRORS:
        return None


class RabbitBus:
    """Publishes with many confirms in flight. One thread uses one of these. On any doubt the connection is thrown
    away: what was confirmed by then counts, the rest is sent again."""

    def __init__(self, amqp_url: str) -> None:
        self._url = amqp_url
        self._connection: kombu.Connection | None = None
        self._channel: Any = None
        self._confirms: _Confirms | None = None

    def publish(self, messages: Sequence[Message]) -> list[int]:
        confirms: _Confirms | None = None
        try:
            channel, confirms = self._open()
            confirms.expect(messages)
            for message in messages:
                channel._basic_publish(
                    amqp.Message(
                        message.body,
                        content_type="application/json",
                        content_encoding="utf-8",
                        delivery_mode=2,
                        message_id=message.event_id,
                        type=message.type,
                    ),
                    exchange=topology.EXCHANGE,
                    routing_key=message.routing_key,
                    mandatory=message.is_subscribed,
                    timeout=CONFIRM_TIMEOUT_SECONDS,
                )
            self._await(confirms)
        except BROKER_ERRORS as error:
            self.close()
            if confirms is None or not confirms.confirmed:
                raise BusUnavailable(f"{type(error).__name__}: {error}") from error
            log.warning("publishing broke off", confirmed=len(confirms.confirmed), reason=str(error)[:200])
        if confirms.returned:
            log.error("no queue takes these events; is the topology declared?", count=len(confirms.returned))
            if not confirms.confirmed:
                raise BusUnavailable("the exchange has no queue for what was sent; run `remit topology`")
        return list(confirms.confirmed)

    def _open(self) -> tuple[Any, "_Confirms"]:
        if self._confirms is None:
            self._connection = connect(self._url)
            self._channel = self._connection.channel()
            self._channel.confirm_select()
            self._confirms = _Confirms(self._channel)
        return self._channel, self._confirms

    def _await(self, confirms: "_Confirms") -> None:
        deadline = time.monotonic() + CONFIRM_TIMEOUT_SECONDS
        while confirms.pending:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{len(confirms.pending)} confirms did not come in {CONFIRM_TIMEOUT_SECONDS} s")
            assert self._connection is not None
            self._connection.drain_events(timeout=left)

    def keep_alive(self) -> None:
        """Send a heartbeat if one is due; called while there is nothing to publish."""
        if self._connection is not None:
            try:
                self._connection.heartbeat_check()
                with contextlib.suppress(socket.timeout):
                    self._connection.drain_events(timeout=0)
            except BROKER_ERRORS:
                self.close()

    def close(self) -> None:
        connection, self._connection, self._channel, self._confirms = self._connection, None, None, None
        if connection is not None:
            with contextlib.suppress(*BROKER_ERRORS, RuntimeError):
                # A frozen broker answers no close handshake: drop the socket.
                connection.transport.close_connection = lambda _connection: None
                connection.collect(socket_timeout=0.1)


class _Confirms:
    """Which messages in flight the broker has taken. One returned as unroutable is acked as well, later."""

    def __init__(self, channel: Any) -> None:
        self._last_tag = 0
        self.pending: dict[int, Message] = {}
        self.confirmed: list[int] = []
        self.returned: set[str] = set()
        channel.events["basic_ack"].add(self._on_ack)
        channel.events["basic_nack"].add(self._on_nack)
        channel.events["basic_return"].add(self._on_return)

    def expect(self, messages: Sequence[Message]) -> None:
        self.confirmed, self.returned = [], set()
        self.pending = dict(enumerate(messages, start=self._last_tag + 1))
        self._last_tag += len(messages)

    def _settle(self, delivery_tag: int, multiple: bool) -> Iterator[Message]:
        if not multiple:
            yield self.pending.pop(delivery_tag)
            return
        for tag in [tag for tag in self.pending if tag <= delivery_tag]:
            yield self.pending.pop(tag)

    def _on_ack(self, delivery_tag: int, multiple: bool) -> None:
        for message in self._settle(delivery_tag, multiple):
            if message.event_id not in self.returned:
                self.confirmed.append(message.seq)

    def _on_nack(self, delivery_tag: int, multiple: bool) -> None:
        for message in self._settle(delivery_tag, multiple):
            log.warning("the broker refused a message", event_id=message.event_id)

    def _on_return(self, _error: Any, _exchange: str, _routing_key: str, message: Any) -> None:
        self.returned.add(str(message.properties.get("message_id")))


def consume(
    amqp_url: str, consumer: Consumer, batch_size: int, stop: threading.Event, gather_seconds: float = 0.0
) -> None:
    """Take messages from the service's queue until `stop`: a batch, one transaction, commit, ack.

    While the database is away nothing is consumed; while the broker is away the connection is tried again."""
    while not stop.is_set():
        try:
            consumer.database.ping()
            with contextlib.closing(_Pump(amqp_url, consumer, batch_size, gather_seconds)) as pump:
                pump.run(stop.is_set)
        except BROKER_ERRORS as error:
            log.warning("broker away", reason=f"{type(error).__name__}: {error}"[:200])
            stop.wait(RECONNECT_SECONDS)
        except Exception as error:
            if not (is_unavailable(error) or is_contended(error)):
                raise
            log.warning("database away, consuming stops", reason=str(error)[:200])
            stop.wait(RECONNECT_SECONDS)


class _Pump:
    """One connection's life: it only moves messages."""

    def __init__(self, amqp_url: str, consumer: Consumer, batch_size: int, gather_seconds: float) -> None:
        self._consumer = consumer
        self._batch_size = batch_size
        self._gather_seconds = gather_seconds
        self._buffer: list[Any] = []
        self._next_at = 0.0
        self._connection = connect(amqp_url)
        self._channel = self._connection.channel()
        # Bytes as they came: a body decoded by the encoding that a message claims may not even be text again.
        self._channel.auto_decode = False
        queue = kombu.Queue(topology.queue_of(consumer.service), channel=self._channel, no_declare=True)
        # The raw message is taken: kombu acknowledges what it cannot decode, and it would vanish.
        kombu.Consumer(
            self._channel,
            [queue],
            no_ack=False,
            on_message=self._buffer.append,
            prefetch_count=2 * batch_size,
        ).consume()
        log.info("consuming", queue=queue.name)

    def run(self, should_stop: Callable[[], bool]) -> None:
        while not should_stop():
            self._fill()
            if self._buffer:
                batch = self._buffer[: self._batch_size]
                del self._buffer[: self._batch_size]
                self._consumer.consume([_delivery(message) for message in batch])
                crash.here("handled")
                self._channel.basic_ack(batch[-1].delivery_tag, multiple=True)
                self._next_at = time.monotonic() + self._gather_seconds
            self._connection.heartbeat_check()

    def _fill(self) -> None:
        """Wait for a first message, and take what is there with it, up to a batch. One begins at least `gather_seconds`
        after the last has ended: at once after a rest, and with company under load."""
        while len(self._buffer) < self._batch_size:
            timeout = max(0.0, self._next_at - time.monotonic()) if self._buffer else IDLE_SECONDS
            try:
                self._connection.drain_events(timeout=timeout)
            except TimeoutError:
                return

    def close(self) -> None:
        with contextlib.suppress(*BROKER_ERRORS, RuntimeError):
            self._connection.collect(socket_timeout=1)


def _delivery(message: Any) -> Delivery:
    # The broker writes its count as a number; a publisher may have sent a header of that name with anything in it.
    count = (message.headers or {}).get("x-delivery-count")
    return Delivery(bytes(message.body), count if isinstance(count, int) else 0)
