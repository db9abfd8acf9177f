"""The bus of one process: the outbox itself. Each batch goes to the consumers that subscribe to it; a message counts
as published when each of them has done or parked it."""

from collections.abc import Callable, Sequence

from common import topology
from common.bus import BusUnavailable
from common.db import is_unavailable
from common.inbox import Consumer, Delivery
from common.outbox import Message


class EmbeddedBus:
    """Delivers to `consumers` in the caller's thread. Same handlers, same inbox, as with a broker."""

    def __init__(self, consumers: Callable[[], Sequence[Consumer]]) -> None:
        self._consumers = consumers

    def publish(self, messages: Sequence[Message]) -> list[int]:
        try:
            for consumer in self._consumers():
                mine = [
                    Delivery(message.body)
                    for message in messages
                    if consumer.service in topology.subscribers_of(message.routing_key)
                ]
                if mine:
                    consumer.consume(mine)
        except Exception as error:
            if is_unavailable(error):
                raise BusUnavailable(str(error)) from error
            raise
        return [message.seq for message in messages]

    def close(self) -> None:
        """Nothing is held open."""
