"""What every experiment has: a system to break, a seed, figures to print, and the invariants afterwards."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tests.faults import invariants
from tests.faults.invariants import Allowed, Facts, Finding, Past
from tests.harness.servers import Servers
from tests.harness.system import SERVICES, Business, System

STILL_SECONDS = 1.5
SETTLE_SECONDS = 240.0
CHECK_SECONDS = 20.0
UNHEARD = "not compared"

Seen = TypeVar("Seen")


@dataclass
class Stage:
    """The system under test, and what the experiments so far have broken in it on purpose."""

    system: System
    servers: Servers
    allowed: Allowed = field(default_factory=Allowed)
    past: Past = field(default_factory=Past)
    clock_offset_seconds: int = 0

    def move_clock(self, seconds: int) -> None:
        """Let time pass for the services: their backoffs and stale claims."""
        self.clock_offset_seconds += seconds
        (self.system.folder / "clock").write_text(str(self.clock_offset_seconds))

    def extra_mails(self) -> int:
        """How many mails so far came more than once."""
        mails = self.system.mails()
        return mails["deliveries"] - mails["distinct_message_ids"]

    def studio(self, clients: int, *, with_email: bool = True) -> tuple[Business, list[dict[str, str]]]:
        """A new business with clients."""
        business = self.system.api().business()
        new = [{"name": f"Client {n}", "email": f"c{n}@example.com" if with_email else None} for n in range(clients)]
        answer = business.call("POST", "billing", "/clients/batch", json={"clients": new})
        assert answer.status_code == 201, answer.text
        return business, answer.json()["clients"]

    def settle(self) -> float:
        """Wait until nothing is under way; answers after how many seconds. Where only retries of a later time are
        left, time is made to pass."""
        began = moved = time.monotonic()
        before: object = None
        while not self.system.is_quiet():
            if (now := self._under_way()) != before:
                before, moved = now, time.monotonic()
            elif time.monotonic() - moved > STILL_SECONDS:
                self.move_clock(self._seconds_to_next())
                moved = time.monotonic()
            if time.monotonic() - began > SETTLE_SECONDS:
                break  # the invariants tell what is left
            time.sleep(0.1)
        return time.monotonic() - began

    def _seconds_to_next(self) -> int:
        """How far ahead, for the services, the next retry or stale claim is."""
        query = (
            "SELECT extract(epoch FROM min(next_at) - now()) FROM (SELECT next_at FROM jobs WHERE state IN"
            " ('due', 'claimed') UNION ALL SELECT next_at FROM inbox WHERE state = 'parked') AS open"
        )
        due = [found for service in SERVICES if (found := self.system.sql(service, query)[0][0]) is not None]
        return max(0, int(min(due, default=0)) + 1 - self.clock_offset_seconds)

    def _under_way(self) -> object:
        waiting = "SELECT count(*), sum(attempts) FROM {} GROUP BY state ORDER BY 1, 2"
        return self.system.queue_depths(), [
            (
                self.system.sql(service, "SELECT count(*) FROM outbox WHERE position IS NULL"),
                self.system.sql(service, waiting.format("inbox")),
                self.system.sql(service, waiting.format("jobs")),
            )
            for service in SERVICES
        ]


@dataclass
class Run:
    """One experiment under way: it prints what it measures and what it finds."""

    name: str
    stage: Stage
    seed: int
    quick: bool
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(f"{self.seed}/{self.name}")
        self.system = self.stage.system
        self.stage.allowed.extra_mails = self._extra_before = self.stage.extra_mails()
        self._in_doubt: set[tuple[str, int]] = set()

    def extra_mails(self) -> int:
        """How many mails came more than once in this experiment."""
        return self.stage.extra_mails() - self._extra_before

    def allow_extra_mails(self, count: int) -> None:
        """So many mails more may come twice: they were taken, and could not be noted."""
        self.stage.allowed.extra_mails += count

    def mailer_died(self) -> int:
        """Whatever the mailer had in hand when it died may have been taken and not been noted, so that it may come
        once more. Answers how much that is."""
        query = "SELECT key, attempts FROM jobs WHERE kind = 'email' AND state = 'claimed'"
        found = set(self.system.sql("notifications", query)) - self._in_doubt
        self._in_doubt |= found
        self.allow_extra_mails(len(found))
        return len(found)

    def figure(self, what: str, value: object) -> None:
        shown = f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value
        print(f"  {what:<58} {shown}", flush=True)

    def require(self, what: str, holds: bool, detail: object = "") -> None:
        """One line, PASS or FAIL."""
        if not holds:
            self.failures.append(f"{self.name}: {what}")
        print(f"  {'PASS' if holds else 'FAIL'}  {what}{f' ({detail})' if detail != '' else ''}", flush=True)


@dataclass(frozen=True)
class Experiment:
    """`act` breaks things and measures; what must hold of the whole system is checked after it in any case."""

    name: str
    about: str
    act: Callable[[Run], None]


def conduct(experiment: Experiment, stage: Stage, seed: int, *, quick: bool) -> list[str]:
    """Run one experiment and check the invariants; answers what failed."""
    print(f"\n{experiment.name} (seed {seed}): {experiment.about}", flush=True)
    run = Run(experiment.name, stage, seed, quick)
    began, clock = time.monotonic(), stage.clock_offset_seconds
    try:
        experiment.act(run)
    except Exception as error:  # the others are still worth running, and the invariants worth a look
        run.require("it ran to its end", False, f"{type(error).__name__}: {error}")
    for name in stage.system.names:
        if not stage.system.is_alive(name):
            run.require(f"{name} lives", False, stage.system.log(name)[-600:])
            stage.system.start(name)
    stage.settle()
    # A batch taken from its queue and not yet committed is not seen, nor is a callback that comes a moment later.
    facts, found = _patiently(lambda: _judge(stage), lambda judged: not judged[1])
    stage.past = facts.now
    for finding in found:
        run.require(finding.name, False, finding.detail)
    run.require(f"invariants ({len(invariants.CHECKS)} checks)", not found)
    # Whether payments was heard in time says nothing about the books: of a busy machine it is asked again.
    drift = _patiently(lambda: _drift(stage), lambda lines: not any(UNHEARD in line for line in lines))
    run.require("the books prove clean", not drift, drift[:3] or "")
    if stage.clock_offset_seconds > clock:
        run.figure("the services' clock was moved on, s", stage.clock_offset_seconds - clock)
    run.figure("seconds in all", time.monotonic() - began)
    return run.failures


def _patiently(look: Callable[[], Seen], is_enough: Callable[[Seen], bool]) -> Seen:
    """Look, and again for some seconds until it is enough; twice at least, however long one look takes."""
    found = look()
    deadline = time.monotonic() + CHECK_SECONDS  # from the end of the first look: it may take longer than that
    while not is_enough(found) and time.monotonic() < deadline:
        time.sleep(0.5)
        found = look()
    return found


def _judge(stage: Stage) -> tuple[Facts, list[Finding]]:
    facts = invariants.read(stage.system, stage.past)
    return facts, invariants.findings(facts, stage.allowed)


def _drift(stage: Stage) -> list[str]:
    """What the proof of the books says against them."""
    printed = stage.system.command("billing", "do", "prove", check=False)
    if not printed:
        return ["it printed nothing"]
    return [line for line in printed.splitlines() if line.startswith("     ") or UNHEARD in line]


def at_once(acts: Sequence[Callable[[], None]]) -> None:
    """Run all at the same time, and wait for them."""
    gate = threading.Barrier(len(acts))

    def act_at_the_gate(act: Callable[[], None]) -> None:
        gate.wait()
        act()

    threads = [threading.Thread(target=act_at_the_gate, args=(act,), daemon=True) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
