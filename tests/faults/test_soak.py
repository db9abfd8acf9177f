"""A leak is told apart from noise, and what leaked is told."""

import random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.faults.soak import Watch, rise, step, without_a_step


@pytest.mark.parametrize("a_second", [0.0, 0.05, -0.05])
def test_a_rise_is_found_in_noise(a_second: float):
    chance = random.Random(1)
    samples = [(float(second), 100 + a_second * second + chance.uniform(-2, 2)) for second in range(0, 300, 2)]

    assert rise(samples) == pytest.approx(a_second, abs=0.005)


@pytest.mark.parametrize(
    ("steps", "a_minute"),
    [([100], 0.0), ([100, 130, 160, 190, 220, 250], 6.0), ([20, 80, 140, 200, 260], 3.0)],
)  # fmt: skip
def test_one_step_is_no_leak_and_many_are(steps: list[int], a_minute: float):
    samples = [(float(second), 3.0 * sum(second >= at for at in steps)) for second in range(0, 300, 2)]

    found = rise(without_a_step(samples)) * 60

    assert found < 0.1 if not a_minute else found > 2
    assert step(samples) == (3.0, max(steps) + 2)


def test_a_leak_is_found_beside_a_step():
    samples = [(float(second), 0.05 * second + (16 if second >= 150 else 0)) for second in range(0, 300, 2)]

    assert rise(without_a_step(samples)) == pytest.approx(0.05, rel=0.02)


def test_a_life_that_leaks_is_told_with_its_faults():
    told: list[tuple[str, object]] = []
    found: dict[str, bool] = {}
    run = SimpleNamespace(
        figure=lambda what, value: told.append((what, value)),
        require=lambda what, holds, _detail: found.update({what: holds}),
    )
    leaking = [(float(second), 100 + 0.05 * second, 20) for second in range(0, 300, 2)]
    steady = [(float(second), 100.0, 20) for second in range(0, 300, 2)]
    watch = Watch(cast(Any, run), {("a-web", 1): leaking, ("b-web", 2): steady}, [(31.0, "broker killed")])

    watch.judge()

    assert found == {
        "none rises by more than 2 MB a minute": False,
        "none rises by more than 2 open files a minute": True,
    }
    assert ("    a-web (1) after 31 s", "broker killed") in told
    assert ("    a-web (1) after 298 s", "114.9 MB, 20 files") in told
    assert not [what for what, _ in told if "b-web (2) after" in what]
