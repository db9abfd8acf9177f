"""What the machine did for others while a figure was measured: on a shared machine it says how far to trust it."""

import contextlib

import psutil


class Others:
    """The share of all cores that others took since this was made. The servers and processes of the run are ours."""

    def __init__(self) -> None:
        self._busy, self._all = _machine()
        self._own = _own()

    def share(self) -> float:
        """0 to 1."""
        busy, everything = _machine()
        own = _own()
        ours = sum(seconds - self._own.get(pid, 0.0) for pid, seconds in own.items())
        return max(0.0, (busy - self._busy - ours) / max(0.01, everything - self._all))


def _machine() -> tuple[float, float]:
    times = psutil.cpu_times()
    everything = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return everything - times.idle - getattr(times, "iowait", 0.0), everything


def _own() -> dict[int, float]:
    found = {}
    me = psutil.Process()
    for process in [me, *me.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            found[process.pid] = times.user + times.system
    return found
