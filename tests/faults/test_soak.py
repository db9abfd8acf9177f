"""A leak is told apart from noise."""

import random

import pytest

from tests.faults.soak import rise


@pytest.mark.parametrize("a_second", [0.0, 0.05, -0.05])
def test_a_rise_is_found_in_noise(a_second: float):
    chance = random.Random(1)
    samples = [(float(second), 100 + a_second * second + chance.uniform(-2, 2)) for second in range(0, 300, 2)]

    assert rise(samples) == pytest.approx(a_second, abs=0.005)
