"""What billing does by the clock. Each is safe to run twice at once: rows are locked, or unique."""

from datetime import time

from billing.usecases import deactivations, invoicing, proof, reminders, tallies
from common.runtime import Runtime
from common.timers import Timer


def fold_tallies(runtime: Runtime) -> None:
    folded = 1
    while folded:
        with runtime.database.write() as session:
            folded = tallies.fold(session)


def announce_deactivated(runtime: Runtime) -> None:
    told = 1
    while told:
        with runtime.database.write() as session:
            told = deactivations.announce(session)


def warn_of_deactivations(runtime: Runtime) -> None:
    with runtime.database.write() as session:
        deactivations.warn(session)


def invoice_due(runtime: Runtime) -> None:
    found = True
    while found:
        with runtime.database.write() as session:
            found = invoicing.invoice_next(session, runtime.pay_links)


def remind(runtime: Runtime) -> None:
    with runtime.database.read() as session:
        ids = reminders.businesses_that_remind(session)
    for business_id in ids:
        with runtime.database.write() as session:
            reminders.remind(session, business_id, runtime.pay_links)


def prove(runtime: Runtime) -> None:
    with runtime.database.read() as session:
        ids = proof.businesses(session)
    for business_id in ids:
        proof.prove(runtime, business_id)


TIMERS = [
    Timer("fold_tallies", fold_tallies, every_seconds=5),
    Timer("announce_deactivated", announce_deactivated, every_seconds=15),
    Timer("warn_of_deactivations", warn_of_deactivations, every_seconds=300),
    Timer("invoice_due", invoice_due, every_seconds=60),
    Timer("remind", remind, every_seconds=600),
    Timer("prove", prove, daily_at=time(3, 0)),
]
