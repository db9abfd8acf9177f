"""A fact: what a gateway's object or callback means, once. Pure."""

from dataclasses import dataclass

from common.events import Event


@dataclass(frozen=True)
class Fact:
    """An event, and what makes it one of a kind: two notices of the same fact tell it once. `amount_minor`: the figure
    in it that the gateway must still show later, of payments and fees."""

    key: str
    event: Event
    amount_minor: int | None = None
