"""Memory of each web and worker process, once it has served: its proportional share (PSS), which counts what several
processes hold together once."""

import psutil

from benchmarks.figure import Figure, Findings
from benchmarks.load import Connection, pay, press
from benchmarks.stage import Stage, staged
from tests.harness.servers import Servers
from tests.harness.system import SERVICES

GOAL_MB = 120
CONNECTIONS = 8
PROCESSES = [f"{service}-{role}" for service in SERVICES for role in ("web", "worker")]


def measure(servers: Servers, quick: bool) -> Findings:
    for_seconds = 3.0 if quick else 20.0
    with staged(servers, PROCESSES) as stage:
        token = stage.token()

        def send(connection: Connection, number: int) -> bytes:
            return pay(connection, stage.payers[number % len(stage.payers)], 100 + number % 900, token)

        paid = press(stage.url("payments"), for_seconds, CONNECTIONS, send)
        stage.eventually(stage.is_quiet, "nothing under way", 120)
        held_mb = {name: _held_mb(stage, name) for name in PROCESSES}
    figures = []
    for role, words in (("web", "a web worker"), ("worker", "a worker process")):
        name = max((name for name in PROCESSES if name.endswith(f"-{role}")), key=lambda name: held_mb[name])
        said = f"memory of {words}, the largest ({name}), PSS"
        figures.append(Figure(said, "MB", held_mb[name], goal=GOAL_MB, at_most=True))
    each = ", ".join(f"{name} {held_mb[name]:.0f}" for name in PROCESSES)
    return Findings(figures, [f"memory in MB after {len(paid):,} payments and all that follows from them: {each}"])


def _held_mb(stage: Stage, name: str) -> float:
    """Of the process; of a web the largest of those that serve, which are its children."""
    process = psutil.Process(stage.pid(name))
    serving = process.children() or [process]
    return max(one.memory_full_info().pss for one in serving) / 1e6
