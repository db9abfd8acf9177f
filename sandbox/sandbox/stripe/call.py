"""One request, or one task, at work: the objects of its world, and the events it causes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.stripe import webhooks
from sandbox.stripe.bodies import new_id
from sandbox.stripe.errors import no_such
from sandbox.stripe.keys import World, world_named
from sandbox.stripe.store import Body

if TYPE_CHECKING:
    from sandbox.stripe.engine import Engine

# How errors call what is not there.
WORDS = {"payment_intent": "payment_intent", "payment_method": "PaymentMethod", "setup_intent": "setupintent"}


@dataclass
class Call:
    """Inside one transaction. now: Unix seconds of the sandbox's clock; browser: asked for with a publishable key.

    address: of /stripe as the client sees it.
    """

    engine: Engine
    world: World
    now: int
    browser: bool = False
    request_id: str | None = None
    idempotency_key: str | None = None
    address: str = ""

    def head(self, prefix: str, kind: str) -> Body:
        """What every new object begins with; refunds and balance transactions do not tell their mode."""
        mode = {} if kind in ("refund", "balance_transaction") else {"livemode": self.world.livemode}
        return {"id": new_id(prefix), "object": kind, "created": self.now, **mode}

    def add(self, body: Body) -> Body:
        """Keep a new object."""
        self.engine.store.insert(self.world.name, body)
        return body

    def save(self, body: Body) -> Body:
        """Keep an object as it is now."""
        self.engine.store.update(body)
        return body

    def find(self, kind: str, key: str | None) -> Body | None:
        """The object of this world, or None."""
        return self.engine.store.find(self.world.name, key, kind) if key else None

    def get(self, kind: str, key: str, param: str | None = None) -> Body:
        """The object of this world. param: the parameter that named it; without one the path did.

        Raises StripeError, 400 or 404, when there is none.
        """
        body = self.find(kind, key)
        if body is None:
            elsewhere = self.engine.store.world_of(key)
            mode = None
            if elsewhere == self.world.other_mode.name:
                mode = "live" if world_named(elsewhere).livemode else "test"
            what = WORDS.get(kind, kind)
            raise no_such(what, key, param or "id", status=400 if param else 404, elsewhere=mode)
        return body

    def emit(self, kind: str, body: Body, previous: dict[str, Any] | None = None) -> Body:
        """Tell of something: an event, and its deliveries to the endpoints that asked for it."""
        return webhooks.emit(self, kind, body, previous)

    def later(self, seconds: float, task: str, ref: str) -> None:
        """Have a task done after so many seconds of the sandbox's clock."""
        self.engine.store.run(
            "INSERT INTO task (due, world, name, ref) VALUES (?,?,?,?)",
            self.engine.clock.now() + seconds, self.world.name, task, ref,
        )  # fmt: skip
