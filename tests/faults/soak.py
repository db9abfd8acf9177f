"""Fault upon fault, chosen at random, while payments flow; nothing grows but what is recorded."""

import signal
import threading
import time
from collections.abc import Callable

import psutil
import requests

from tests.faults.experiment import Experiment, Run
from tests.faults.load import Load, at_rate

CLIENTS = 20
PER_SECOND = 5.0
MEGABYTE = 1_048_576
LOOKS_EVERY_SECONDS = 2.0
# What a process does for the first time costs it memory once; each is started again by some fault or other.
WARM_SECONDS = 60.0
# A rise is told apart from noise over this long at least.
SEEN_FOR_SECONDS = 120.0
MEMORY_MB_A_MINUTE = 2.0
FILES_A_MINUTE = 2.0
MAILER = "notifications-worker"


def soak(run: Run) -> None:
    minutes, every_seconds = (1, 10.0) if run.quick else (10, 30.0)
    palette = _palette(run)
    business, clients = run.stage.studio(CLIENTS)
    pace = at_rate(PER_SECOND)
    # Each process of a web is warm by the time that it is judged: one that gets its first work from a fault, which
    # moves the connections of others to it, takes some 16 MB at once, and that looks like a leak.
    load = Load(
        run.system, business, clients, count=None, seed=run.seed, may_send=pace, threads=4, keeps_connections=False
    ).start()
    watch = Watch(run).start()
    done: list[str] = []
    until = time.monotonic() + minutes * 60
    try:
        while time.monotonic() < until:
            began = time.monotonic()
            name = run.random.choice(sorted(palette))
            watch.note(name)
            palette[name]()
            done.append(name)
            time.sleep(max(0.0, began + every_seconds - time.monotonic()))
    finally:
        load.finish()
        watch.finish()
    run.stage.settle()
    run.figure("faults", len(done))
    for name in sorted(set(done)):
        run.figure(f"  {name}", done.count(name))
    run.figure("payments, requests", f"{len(load.paid)}, {len(load.attempts)}")
    run.figure("mails sent twice", run.extra_mails())
    run.require("every payment was answered 201 in the end", not load.refused, load.refused[:3] or "")
    watch.judge()


def _palette(run: Run) -> dict[str, Callable[[], None]]:
    system, servers = run.system, run.stage.servers
    names = [name for name in system.names if name != "sandbox"]

    def kill(number: signal.Signals) -> None:
        name = run.random.choice(names)
        system.kill(name, number)
        if name == MAILER:
            run.mailer_died()
        system.start(name)
        system.wait_ready(name)

    def away(go: Callable[[], None], come_back: Callable[[], None]) -> None:
        go()
        time.sleep(run.random.uniform(0.5, 5.0))
        come_back()

    def database(go: Callable[[], None], come_back: Callable[[], None]) -> None:
        away(go, come_back)
        run.mailer_died()  # it lives, and could note nothing meanwhile

    def mail() -> None:
        url = f"{system.url('sandbox')}/faults"
        requests.put(url, json={"mail": {"fail_next": 5, "code": 451}}, timeout=10).raise_for_status()

    found = {"kill -9 of a process": lambda: kill(signal.SIGKILL), "SIGTERM to a process": lambda: kill(signal.SIGTERM)}
    found |= {"mail greylisted": mail}
    if servers.kind != "environment":
        broker, data = servers.broker, servers.database
        found |= {
            "broker killed": lambda: away(broker.kill, broker.start),
            "broker frozen": lambda: away(broker.freeze, broker.thaw),
            "database stopped": lambda: database(data.stop, data.start),
            "database frozen": lambda: database(data.freeze, data.thaw),
        }
    return found


Life = tuple[str, int]
Sample = tuple[float, float, int]


class Watch:
    """Memory and open files of each process: samples of (when, MB, files) of each life, by its pid."""

    def __init__(
        self,
        run: Run,
        lives: dict[Life, list[Sample]] | None = None,
        faults: list[tuple[float, str]] | None = None,
    ) -> None:
        self._run = run
        self._lives = lives or {}
        self._faults = faults or []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)

    def start(self) -> "Watch":
        self._thread.start()
        return self

    def note(self, fault: str) -> None:
        """A fault begins: where a life rises too fast, what happened meanwhile is told."""
        self._faults.append((time.monotonic(), fault))

    def finish(self) -> None:
        self._is_over.set()
        self._thread.join()

    def _look_on(self) -> None:
        while not self._is_over.wait(LOOKS_EVERY_SECONDS):
            for name in self._run.system.names:
                try:
                    parent = psutil.Process(self._run.system.pid(name))
                    for process in [parent, *parent.children(recursive=True)]:
                        with process.oneshot():
                            seen = time.monotonic(), process.memory_info().rss / MEGABYTE, process.num_fds()
                        self._lives.setdefault((name, process.pid), []).append(seen)
                except psutil.Error:
                    continue  # it died just now

    def judge(self) -> None:
        """No life that was seen for long enough rises faster than allowed after it is warm."""
        memory: dict[Life, float] = {}
        steps: list[float] = []
        files: dict[Life, float] = {}
        for life, samples in self._lives.items():
            warm = [sample for sample in samples if sample[0] - samples[0][0] >= WARM_SECONDS]
            if warm and warm[-1][0] - warm[0][0] >= SEEN_FOR_SECONDS:
                megabytes = [(when, mb) for when, mb, _ in warm]
                memory[life] = rise(without_a_step(megabytes)) * 60
                steps.append(step(megabytes)[0])
                files[life] = rise([(when, float(count)) for when, _, count in warm]) * 60
        run = self._run
        run.figure("processes seen for long enough", len(memory))
        most_mb = max(mb for samples in self._lives.values() for _, mb, _ in samples)
        most_files = max(count for samples in self._lives.values() for _, _, count in samples)
        run.figure("most memory of one, MB; most open files", f"{most_mb:.0f}; {most_files}")
        if not memory:
            run.figure("growth is judged at full length only", "")
            return
        run.figure("  greatest step of one, MB", max(steps))
        for what, found, allowed in (("MB", memory, MEMORY_MB_A_MINUTE), ("open files", files, FILES_A_MINUTE)):
            life, fastest = max(found.items(), key=lambda item: item[1])
            run.figure(f"  fastest rise, {what} a minute", f"{fastest:.2f} {life[0]} ({life[1]})")
            run.require(f"none rises by more than {allowed:.0f} {what} a minute", fastest <= allowed, f"{fastest:.2f}")
            if fastest > allowed:
                self._tell(life)

    def _tell(self, life: Life) -> None:
        """All that was seen of one life, and the faults meanwhile: a leak and a step look alike in one number."""
        samples = self._lives[life]
        born, died = samples[0][0], samples[-1][0]
        lines = [(when, f"{mb:.1f} MB, {count} files") for when, mb, count in samples]
        lines += [(when, fault) for when, fault in self._faults if born <= when <= died]
        for when, line in sorted(lines):
            self._run.figure(f"    {life[0]} ({life[1]}) after {when - born:.0f} s", line)


def without_a_step(samples: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The samples without their greatest step. Each process does something for the first time, at any time: a web's
    first payments or a timer's first look at what Stripe has take some 14 MB at once. A leak goes on."""
    height, when = step(samples)
    return [(x, y - height if x >= when else y) for x, y in samples]


def step(samples: list[tuple[float, float]]) -> tuple[float, float]:
    """The greatest rise within two looks, 0 when there is none, and the x at which it was over."""
    rises = [(later[1] - earlier[1], later[0]) for earlier, later in zip(samples, samples[2:], strict=False)]
    return max([(0.0, samples[0][0]), *rises])


def rise(samples: list[tuple[float, float]]) -> float:
    """The slope of the line through (x, y) that is nearest to all of them."""
    middle_x = sum(x for x, _ in samples) / len(samples)
    middle_y = sum(y for _, y in samples) / len(samples)
    spread = sum((x - middle_x) ** 2 for x, _ in samples)
    return sum((x - middle_x) * (y - middle_y) for x, y in samples) / spread if spread else 0.0


EXPERIMENTS = [Experiment("soak", "a fault at random every half minute, for ten minutes", soak)]
