"""Jobs: calls to the outside (mail, gateways) as rows, made outside every transaction.

One loop claims due rows, commits, calls, and records what came of it. A claim that went stale, because the process
died during the call, is in doubt, and the call is made again.
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import orjson
from sqlalchemy import String, Text, func, select, tuple_
from sqlalchemy.orm import Mapped, Session, mapped_column

from common import clock, crash, logs
from common.context import correlate, correlation_id
from common.db import Database, Model, Moment, bulk_insert, is_contended, is_unavailable, partial_index
from common.metrics import JOBS_RUN

# Longer than any call may take: each has timeouts of its own.
STALE_AFTER = timedelta(seconds=45)
IDLE_SECONDS = 1.0
FIRST_RETRY_SECONDS = 2.0
LONGEST_RETRY_SECONDS = 3_600.0

RECORD_AGAIN_SECONDS = 1.0

# Under this a job's payload holds what it belongs to, for logs and events.
CORRELATION = "correlation_id"

Outcome = Literal["done", "failed", "due"]

log = logs.get("jobs")


class TryLater(Exception):
    """Raised by a call: the other side is away or asks to wait. Tried again with backoff, up to `max_attempts`."""


class GiveUp(Exception):
    """Raised by a call: the other side refused for good. `failed` is told the reason."""


class JobRow(Model):
    """One outside call to make. state: due, claimed, done or failed."""

    __tablename__ = "jobs"
    __table_args__ = (partial_index("ix_jobs_open", "next_at", where="state IN ('due', 'claimed')"),)

    kind: Mapped[str] = mapped_column(String(50), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    business_id: Mapped[str] = mapped_column(String(64))
    payload: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int]
    next_at: Mapped[datetime] = mapped_column(Moment)
    reason: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)


@dataclass(frozen=True)
class Call:
    """What a job's functions are given."""

    business_id: str
    key: str
    payload: dict[str, Any]
    attempts: int
    correlation_id: str | None = None


@dataclass(frozen=True)
class Job:
    """A kind of outside call.

    `call(runtime, call)` runs outside every transaction and answers anything; raising TryLater or GiveUp says how
    it went wrong, and any other exception counts as TryLater. `done(session, call, answer)` and `failed(session, call,
    reason)` record the end in the transaction that closes the row; `delayed` records each attempt to be repeated.
    A call may have been made before, without anybody's having heard of it: it asks the other side first, or does the
    same under the same key.
    """

    kind: str
    call: Callable[[Any, Call], Any]
    done: Callable[[Session, Call, Any], None]
    failed: Callable[[Session, Call, str], None]
    delayed: Callable[[Session, Call, str], None] = lambda _session, _call, _reason: None
    max_attempts: int = 12


def add(session: Session, rows: Sequence[tuple[str, str, str, dict[str, Any]]]) -> None:
    """Write jobs through the caller's transaction; rows are (kind, key, business_id, payload). Each belongs to what
    is being worked on now, unless its payload names another CORRELATION."""
    now = clock.now()
    belongs = {} if correlation_id() is None else {CORRELATION: correlation_id()}
    bulk_insert(
        session,
        JobRow.__table__,  # type: ignore[arg-type]
        [
            {
                "kind": kind,
                "key": key,
                "business_id": business_id,
                "payload": orjson.dumps({**belongs, **payload}).decode(),
                "state": "due",
                "attempts": 0,
                "next_at": now,
                "created_at": now,
            }
            for kind, key, business_id, payload in rows
        ],
    )
    session.info.setdefault("wake", set()).add("jobs")


def add_if_new(session: Session, row: tuple[str, str, str, dict[str, Any]]) -> bool:
    """Write one job unless there is one of its kind and key; whether it is new."""
    if session.get(JobRow, (row[0], row[1]), with_for_update=True) is not None:
        return False
    add(session, [row])
    return True


class JobLoop:
    """Makes the calls of one service, several at a time."""

    def __init__(self, service: str, database: Database, jobs: Sequence[Job], runtime: Any, threads: int = 4) -> None:
        self._service = service
        self._database = database
        self._jobs = {job.kind: job for job in jobs}
        self._runtime = runtime
        self._threads = threads

    def run(self, wake: threading.Event, stop: threading.Event) -> None:
        with ThreadPoolExecutor(self._threads, thread_name_prefix="job") as pool:
            while not stop.is_set():
                try:
                    claimed = self._claim()
                    for failure in [future.exception() for future in [pool.submit(self._make, *c) for c in claimed]]:
                        if failure is not None:
                            raise failure
                except Exception as error:
                    if not (is_unavailable(error) or is_contended(error)):
                        raise
                    log.warning("database away, jobs wait", reason=str(error)[:200])
                    claimed = []
                if not claimed:
                    wake.wait(IDLE_SECONDS)
                    wake.clear()

    def run_due(self) -> int:
        """Make the calls that are due, in this thread; answers how many."""
        claimed = self._claim()
        for job, call in claimed:
            self._make(job, call)
        return len(claimed)

    def _claim(self) -> list[tuple[Job, Call]]:
        now = clock.now()
        with self._database.write() as session:
            rows = session.scalars(
                select(JobRow)
                .where(JobRow.state.in_(("due", "claimed")), JobRow.next_at <= now)
                .order_by(JobRow.next_at)
                .limit(self._threads)  # none waits for a thread while its claim goes stale
                .with_for_update(skip_locked=True)
            ).all()
            claimed = []
            for row in rows:
                row.state, row.attempts = "claimed", row.attempts + 1
                row.next_at = now + STALE_AFTER
                payload = orjson.loads(row.payload)
                correlation = payload.pop(CORRELATION, None)
                call = Call(row.business_id, row.key, payload, row.attempts, correlation)
                claimed.append((self._jobs[row.kind], call))
        return claimed

    def _make(self, job: Job, call: Call) -> None:
        correlate(call.correlation_id)
        outcome: Outcome = "done"
        answer: Any = None
        reason = ""
        try:
            answer = job.call(self._runtime, call)
            crash.here("called")
        except GiveUp as error:
            outcome, reason = "failed", str(error)
        except Exception as error:
            if is_unavailable(error):
                raise
            reason = str(error) if isinstance(error, TryLater) else f"{type(error).__name__}: {error}"
            outcome = "failed" if call.attempts >= job.max_attempts else "due"
        self._record_patiently(job, call, outcome, answer, reason)

    def _record_patiently(self, job: Job, call: Call, outcome: Outcome, answer: Any, reason: str) -> None:
        """Record what came of a call, also when the database went away meanwhile: a call not recorded is made again."""
        deadline = time.monotonic() + STALE_AFTER.total_seconds()
        while True:
            try:
                self._record(job, call, outcome, answer, reason)
                return
            except Exception as error:
                if time.monotonic() > deadline or not (is_unavailable(error) or is_contended(error)):
                    raise
                time.sleep(RECORD_AGAIN_SECONDS)

    def _record(self, job: Job, call: Call, outcome: Outcome, answer: Any, reason: str) -> None:
        JOBS_RUN.labels(self._service, job.kind, outcome).inc()
        if not reason:
            log.info("job done", kind=job.kind, key=call.key, attempts=call.attempts)
        else:
            log.warning("job " + outcome, kind=job.kind, key=call.key, attempts=call.attempts, reason=reason[:200])
        with self._database.write() as session:
            row = session.get_one(JobRow, (job.kind, call.key), with_for_update=True)
            if row.state != "claimed" or row.attempts != call.attempts:
                return  # another worker took it over as stale, and records what it saw
            row.state, row.reason = outcome, reason[:2000] or None
            if outcome == "done":
                job.done(session, call, answer)
            elif outcome == "failed":
                job.failed(session, call, reason)
            else:
                seconds = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** (call.attempts - 1))
                row.next_at = clock.now() + timedelta(seconds=seconds * random.uniform(0.8, 1.2))
                job.delayed(session, call, reason)


def retry(session: Session, kind: str, key: str) -> bool:
    """Make an ended job due again; False when there is none, or it is still running."""
    row = session.get(JobRow, (kind, key), with_for_update=True)
    if row is None or row.state not in ("done", "failed"):
        return False
    row.state, row.attempts, row.next_at = "due", 0, clock.now()
    session.info.setdefault("wake", set()).add("jobs")
    return True


NOT_DONE = ("due", "claimed", "failed")


def not_done(
    session: Session, states: Sequence[str], limit: int, after: tuple[datetime, str, str] | None = None
) -> Sequence[JobRow]:
    """Jobs that are due, claimed or failed, oldest first; `after`: (created_at, kind, key) of the last one seen."""
    key = tuple_(JobRow.created_at, JobRow.kind, JobRow.key)
    query = select(JobRow).where(JobRow.state.in_(states)).order_by(JobRow.created_at, JobRow.kind, JobRow.key)
    if after is not None:
        query = query.where(key > after)
    return session.scalars(query.limit(limit)).all()


def count_in_doubt(session: Session) -> int:
    """How many claims went stale: whoever made the call is gone, and nobody knows yet what became of it."""
    stale = select(func.count()).where(JobRow.state == "claimed", JobRow.next_at < clock.now())
    return session.execute(stale).scalar_one()


def count_open(session: Session) -> dict[str, int]:
    """How many jobs are due or claimed, and how many failed."""
    rows = session.execute(select(JobRow.state, func.count()).where(JobRow.state != "done").group_by(JobRow.state))
    return {"due": 0, "claimed": 0, "failed": 0} | dict(rows.all())
