"""What a worker measures every few seconds, so that a scrape costs nothing: one place for what waits where."""

import math
from collections.abc import Callable
from datetime import datetime
from typing import get_args

from common import clock, inbox, jobs, outbox
from common.metrics import (
    DRIFT_FOUND,
    EVENT_LAG_SECONDS,
    EVENTS_PUBLISHED,
    INBOX_TROUBLED,
    JOBS_OPEN,
    JOBS_RUN,
    MEASURED_SECONDS,
    OUTBOX_OLDEST_SECONDS,
    OUTBOX_WAITING,
    QUEUE_DEPTH,
)
from common.runtime import Runtime
from common.service import Service


def begin_at_zero(service: Service) -> None:
    """Show what alerts take increases of before it counts anything: of a sample that appears with its first 1,
    Prometheus sees no increase."""
    for metric in (DRIFT_FOUND, EVENTS_PUBLISHED, EVENT_LAG_SECONDS):
        metric.labels(service.name)
    for job in service.jobs:
        for outcome in get_args(jobs.Outcome):
            JOBS_RUN.labels(service.name, job.kind, outcome)


def measure(runtime: Runtime, queue_depth: Callable[[], int | None]) -> None:
    """Set the gauges of the service. `queue_depth`: asks the bus what waits in its queue; None when it does not say."""
    name = runtime.service.name
    with runtime.database.read() as session:
        waiting, oldest = outbox.waiting(session)
        OUTBOX_WAITING.labels(name).set(waiting)
        OUTBOX_OLDEST_SECONDS.labels(name).set(age_seconds(oldest))
        for state, count in inbox.count_by_state(session).items():
            INBOX_TROUBLED.labels(name, state).set(count)
        for state, count in (jobs.count_open(session) | {"in_doubt": jobs.count_in_doubt(session)}).items():
            JOBS_OPEN.labels(name, state).set(count)
        for measure_own in runtime.service.measures:
            measure_own(name, session)
    MEASURED_SECONDS.labels(name).set_to_current_time()
    # Last: a broker that is away may let one wait, for its name alone, and what is in the database is known by then.
    depth = queue_depth()
    QUEUE_DEPTH.labels(name).set(math.nan if depth is None else depth)


def age_seconds(moment: datetime | None) -> float:
    """How long ago that was; 0 without a moment."""
    return 0.0 if moment is None else max(0.0, (clock.now() - moment).total_seconds())
