"""The services' clock is moved on, back, and to days that are not like others, while payments flow."""

import signal
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from tests.faults.experiment import Experiment, Run
from tests.faults.load import Load, at_rate

CLIENTS = 5
PER_SECOND = 4.0
SEEN_AFTER_SECONDS = 0.5  # processes look at their clock's file five times a second
# Names and how far from the machine's own time.
SHIFTS = {
    "an hour on": timedelta(hours=1), "an hour back": timedelta(hours=-1), "ten minutes back": timedelta(minutes=-10),
    "a day on": timedelta(days=1), "a day back": timedelta(days=-1),
}  # fmt: skip
# In Europe/Berlin, where the businesses are, summer time begins and ends at 01:00 UTC.
MOMENTS = {
    "summer time begins": datetime(2027, 3, 28, 1, tzinfo=UTC),
    "summer time ends": datetime(2027, 10, 31, 1, tzinfo=UTC),
    "a leap day begins": datetime(2028, 2, 28, 23, tzinfo=UTC),
}
AHEAD = timedelta(seconds=2)


def moved(run: Run) -> None:
    began = run.stage.clock_offset_seconds
    targets = {name: shift + timedelta(seconds=began) for name, shift in SHIFTS.items()}
    targets |= {name: moment - AHEAD - datetime.now(UTC) for name, moment in MOMENTS.items()}
    paid = 0
    try:
        for name, target in targets.items():
            if name == next(iter(MOMENTS)):
                _renew_workers(run)
            paid += _payments_at(run, name, int(target.total_seconds()))
    finally:
        _set_clock(run, began)  # from years ahead: the largest step back of all
    run.stage.settle()
    run.figure("payments", paid)
    extra = run.extra_mails()
    run.require("no mail was sent twice", extra == 0, extra)


def apart(run: Run) -> None:
    """The clock of one service after the other is not the others'."""
    services = ["payments", "billing", "notifications"]
    began = run.stage.clock_offset_seconds
    cases = [(service, shift) for service in services for shift in (timedelta(days=1), timedelta(hours=-1))]
    for service, shift in cases[:2] if run.quick else cases:
        offset = began + int(shift.total_seconds())
        own = run.system.folder / f"clock-{service}"
        own.write_text(str(offset))
        _restart(run, service, CLOCK_FILE=str(own))
        try:
            _payments(run, f"{service}, {shift.total_seconds() / 3600:+.0f} h", 20)
            run.stage.settle()
        finally:
            _restart(run, service)
    run.stage.settle()
    extra = run.extra_mails()
    run.require("no mail was sent twice", extra == 0, extra)


def _renew_workers(run: Run) -> None:
    """Ten minutes after its start, and every ten from then on, a worker forgets whom it had events of more than 90 days
    ago. With a clock that is years ahead those are all, rightly; that is not what is tried here."""
    _renew(run, [name for name in run.system.names if "-worker" in name])


def _restart(run: Run, service: str, **environ: str) -> None:
    _renew(run, [name for name in run.system.names if name.startswith(f"{service}-w")], **environ)


def _renew(run: Run, names: Sequence[str], **environ: str) -> None:
    for name in names:
        run.system.kill(name, signal.SIGTERM)
        run.system.start(name, **environ)
    for name in names:
        run.system.wait_ready(name)


def _payments_at(run: Run, name: str, offset_seconds: int) -> int:
    _set_clock(run, offset_seconds)
    return _payments(run, name, 20 if run.quick else 100)


def _payments(run: Run, name: str, count: int) -> int:
    business, clients = run.stage.studio(CLIENTS)
    pace = at_rate(PER_SECOND)
    load = Load(run.system, business, clients, count=count, seed=run.seed, may_send=pace).start().finish()
    began = time.monotonic()
    posted = "SELECT count(*) FROM transfers WHERE business_id = %s"
    run.system.eventually(lambda: run.system.sql("billing", posted, business.id)[0][0] == count, "all to be posted", 60)
    run.figure(f"{name}: all posted after the last answer, s", time.monotonic() - began)
    run.require(f"{name}: every payment was answered 201", len(load.paid) == count, load.refused[:3] or count)
    balances = sum(row["balance_minor"] for row in business.balances())
    run.require(f"{name}: balances = what was paid", balances == sum(load.paid.values()), f"{balances:,}")
    return len(load.paid)


def _set_clock(run: Run, offset_seconds: int) -> None:
    run.stage.move_clock(offset_seconds - run.stage.clock_offset_seconds)
    time.sleep(SEEN_AFTER_SECONDS)


EXPERIMENTS = [
    Experiment("clock", "the clock steps on and back, through summer time and a leap day", moved),
    Experiment("clock-apart", "the clock of one service is a day on, or an hour back", apart),
]
