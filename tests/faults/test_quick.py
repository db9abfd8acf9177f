"""The experiments that matter most, cut short; all of them at full length: `make faults`."""

from collections.abc import Iterator

import pytest

from tests.faults import away, crash, gateway, kill, poison, restore
from tests.faults.experiment import Experiment, Stage, conduct
from tests.harness.servers import Servers
from tests.harness.system import System

SEED = 20261122
NAMES = (
    "poison",
    "gateway-silence",
    "broker-stopped",
    "database-stopped",
    "kill",
    "crash-places",
    "crash-charging",
    "restore",
)
PARTS = (poison, gateway, away, kill, crash, restore)
QUICK = [experiment for part in PARTS for experiment in part.EXPERIMENTS if experiment.name in NAMES]

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def stage(servers: Servers) -> Iterator[Stage]:
    with System(servers, workers={"billing": 2}, environ={"STRIPE_TIMEOUT_SECONDS": "1"}) as system:
        yield Stage(system, servers)


@pytest.mark.parametrize("experiment", QUICK, ids=lambda experiment: experiment.name)
def test_nothing_is_lost(experiment: Experiment, stage: Stage):
    if experiment in away.EXPERIMENTS and stage.servers.kind == "environment":
        pytest.skip("these servers are not ours to stop")

    assert conduct(experiment, stage, SEED, quick=True) == []
