"""What happens by itself after a while of the sandbox's clock: fees, disputes, slow refunds, bank debits."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from sandbox.stripe.call import Call
from sandbox.stripe.errors import StripeError
from sandbox.stripe.keys import world_named

if TYPE_CHECKING:
    from sandbox.stripe.engine import Engine

Task = Callable[[Call, str], None]
AnyTask = TypeVar("AnyTask", bound=Task)
_TASKS: dict[str, Task] = {}
log = logging.getLogger(__name__)


def task(name: str) -> Callable[[AnyTask], AnyTask]:
    """Register what `Call.later` names; it gets the id that was given there."""

    def register(act: AnyTask) -> AnyTask:
        _TASKS[name] = act
        return act

    return register


def run_due(engine: Engine) -> int:
    """Do what is due, each in its own transaction, and answer how many those were."""
    due = engine.store.rows(
        "SELECT seq, world, name, ref FROM task WHERE due <= ? ORDER BY due, seq LIMIT 200", engine.clock.now()
    )
    for seq, world, name, ref in due:
        try:
            with engine.call(world_named(world)) as call:
                # Deleted first: whoever deletes it does it, also when the control API empties the store meanwhile.
                if engine.store.run("DELETE FROM task WHERE seq = ?", seq):
                    _TASKS[name](call, ref)
        except StripeError as error:
            # Things went another way meanwhile (a dispute was opened by hand, say): there is nothing left to do.
            log.info("task %s of %s is dropped: %s", name, ref, error)
            engine.store.run("DELETE FROM task WHERE seq = ?", seq)
    return len(due)
