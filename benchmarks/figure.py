"""A figure: what we did and what the baseline did in the same run, turn by turn."""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One line of the table. `goal` is for the ratio, or for `ours` when there is no baseline to compare with."""

    name: str
    unit: str
    ours: float
    baseline: float | None = None
    goal: float | None = None
    at_most: bool = False

    @property
    def ratio(self) -> float | None:
        return self.ours / self.baseline if self.baseline else None

    @property
    def is_reached(self) -> bool | None:
        if self.goal is None:
            return None
        value = self.ours if self.ratio is None else self.ratio
        return value <= self.goal if self.at_most else value >= self.goal


@dataclass(frozen=True)
class Findings:
    """What one measurement found: lines of the table, and what is to be said about them."""

    figures: Sequence[Figure]
    notes: Sequence[str] = ()


def alternate(*contenders: Callable[[], float], rounds: int) -> list[float]:
    """Each contender's median over `rounds`. They take turns, and the order turns round every time, so that what
    else the machine does falls on all of them."""
    found: list[list[float]] = [[] for _ in contenders]
    for number in range(rounds):
        turn = range(len(contenders))
        for place in turn if number % 2 == 0 else reversed(turn):
            found[place].append(contenders[place]())
    return [statistics.median(values) for values in found]


def seconds(act: Callable[[], object]) -> float:
    """How long `act` takes."""
    gc.collect()
    gc.freeze()  # what is left stays: looking through it before each act took longer than the acts
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of `values` (0 to 1) do not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
