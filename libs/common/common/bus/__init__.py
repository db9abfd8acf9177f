"""The bus moves messages; it knows nothing of what they mean.

`rabbit` is RabbitMQ through kombu; `embedded` hands the outbox straight to the consumers of the same process.
"""

from collections.abc import Sequence
from typing import Protocol

from common.outbox import Message


class BusUnavailable(Exception):
    """The bus did not take the messages; they stay in the outbox."""


class Bus(Protocol):
    def publish(self, messages: Sequence[Message]) -> list[int]:
        """Hand over `messages`; answers the seq of each that the bus now answers for, in that order.

        Raises BusUnavailable when none could be handed over.
        """

    def close(self) -> None: ...
