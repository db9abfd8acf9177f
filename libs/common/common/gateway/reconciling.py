"""The command that reconciles every business, the same at every gateway: after a restore, or a long outage."""

import argparse
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from common import clock
from common.gateway import calls
from common.gateway.seals import DoesNotOpen
from common.runtime import Runtime

Reconcile = Callable[[Runtime, str, datetime], dict[str, Any]]
USUAL = timedelta(hours=24)
NOT_ASKED = 2  # the exit status where a gateway could not be asked


def command(
    service: str, ready: Callable[[Session], Sequence[str]], reconcile: Reconcile
) -> Callable[[Runtime, Sequence[str]], int]:
    """`ready` answers the businesses whose keys are there, `reconcile` does one."""

    def reconcile_each(runtime: Runtime, arguments: Sequence[str]) -> int:
        """Ask the gateway what it has of every business, and tell what was missed. Exit status 1: something differs,
        2: a gateway could not be asked."""
        parser = argparse.ArgumentParser(prog=f"remit {service} do reconcile", description=reconcile_each.__doc__)
        parser.add_argument("--since", type=_moment, default=clock.now() - USUAL, help="such as 2026-11-25T10:00:00Z")
        since = parser.parse_args(arguments).since
        with runtime.database.read() as session:
            business_ids = ready(session)
        statuses = [_reconcile_one(runtime, business_id, since, reconcile) for business_id in business_ids]
        asked = sum(status < NOT_ASKED for status in statuses)
        print(f"remit: {service}: {asked} of {len(statuses)} businesses asked since {since:%Y-%m-%d %H:%M:%S} UTC")
        return max(statuses, default=0)

    return reconcile_each


def _reconcile_one(runtime: Runtime, business_id: str, since: datetime, reconcile: Reconcile) -> int:
    try:
        report = reconcile(runtime, business_id, since)
    except calls.NOT_ASKED as error:
        next_ = "have its keys entered anew" if isinstance(error, DoesNotOpen) else "run it again later"
        print(json.dumps({"business_id": business_id, "error": str(error)[:300], "next": next_}))
        return NOT_ASKED
    figures = {"compared": report["compared"], "healed": len(report["healed"]), "drift": report["drift"]}
    print(json.dumps({"business_id": business_id, **figures}))
    return 1 if report["drift"] else 0


def _moment(given: str) -> datetime:
    moment = datetime.fromisoformat(given)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
