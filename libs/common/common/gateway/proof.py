"""A gateway's test: steps that are green, or red with what to do about it, the last of them its callback back through
the bus. What comes after a red step is not tried. Never touches the ledger."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy.orm import Session

from common import clock
from common.db import Database
from common.events.gateways import GatewayTestNoticed
from common.gateway.calls import Unknown
from common.gateway.models import TestRun
from common.jobs import TryLater

WAIT_SECONDS = 12.0
LOOK_SECONDS = 0.1
Step = dict[str, Any]


class Red(Exception):
    """A step that failed: what was seen, and what to do."""

    def __init__(self, detail: str, fix: str) -> None:
        super().__init__(detail)
        self.detail, self.fix = detail, fix


def prove(gateway: str, contact: str, steps: Sequence[tuple[str, Callable[[], str]]]) -> dict[str, Any]:
    """{"ok", "steps": [{"name", "ok", "detail", "fix"?, "contact"?}]}. Each act answers what it saw, or raises Red."""
    taken = list(_taken(gateway, steps))
    for step in taken:
        if not step["ok"]:
            step["contact"] = contact
    return {"ok": all(step["ok"] for step in taken), "steps": taken}


def _taken(gateway: str, steps: Sequence[tuple[str, Callable[[], str]]]) -> Iterator[Step]:
    for name, act in steps:
        step = _step(gateway, name, act)
        yield step
        if not step["ok"]:
            return


def _step(gateway: str, name: str, act: Callable[[], str]) -> Step:
    try:
        return {"name": name, "ok": True, "detail": act()}
    except Red as red:
        return {"name": name, "ok": False, "detail": red.detail, "fix": red.fix}
    except (Unknown, TryLater) as silence:
        fix = f"{gateway} did not answer. Try again in a minute."
        return {"name": name, "ok": False, "detail": str(silence), "fix": fix}


def begin(database: Database, business_id: str, test_id: str) -> None:
    """Note that a test's callback is awaited."""
    with database.write() as session:
        session.add(TestRun(business_id=business_id, test_id=test_id, started_at=clock.now(), noticed_at=None))


def wait(
    database: Database, business_id: str, test_id: str, meanwhile: Callable[[float], None] = lambda _seconds: None
) -> float | None:
    """Seconds until the callback was heard of through the bus, or None when it was not in time. `meanwhile` is called
    each round with the seconds so far."""
    began = time.monotonic()
    while (waited := time.monotonic() - began) < WAIT_SECONDS:
        meanwhile(waited)
        with database.read() as session:
            if session.get_one(TestRun, (business_id, test_id)).noticed_at is not None:
                return time.monotonic() - began
        time.sleep(LOOK_SECONDS)
    return None


def note(events: Sequence[GatewayTestNoticed], session: Session) -> None:
    """The handler: a test's callback is back, through the bus. Another gateway's test is not known here."""
    for event in events:
        run = session.get(TestRun, (event.business_id, event.test_id))
        if run is not None and run.noticed_at is None:
            run.noticed_at = clock.now()
    session.flush()
