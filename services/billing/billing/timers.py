"""What billing does by the clock. Each is safe to run twice at once: rows are locked, or unique."""

from datetime import time

from billing.usecases import deactivations, invoicing, proof, reminders, tallies
from common.runtime import Runtime
from common.timers import Timer, each


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
    with runtime.database.read() as session:
        due = invoicing.due(session)

    def invoice(client: invoicing.Key) -> None:
        # One client per transaction: the next one's account must not be waited for with the number counter in hand.
        with runtime.database.write() as session:
            invoicing.invoice(session, *client, runtime.pay_links)

    each(due, invoice)


def remind(runtime: Runtime) -> None:
    with runtime.database.read() as session:
        ids = reminders.businesses_that_remind(session)

    def remind_one(business_id: str) -> None:
        with runtime.database.write() as session:
            reminders.remind(session, business_id, runtime.pay_links)

    each(ids, remind_one)


def prove(runtime: Runtime) -> None:
    with runtime.database.read() as session:
        ids = proof.businesses(session)
    each(ids, lambda business_id: proof.prove(runtime, business_id))


TIMERS = [
    Timer("fold_tallies", fold_tallies, every_seconds=5),
    Timer("announce_deactivated", announce_deactivated, every_seconds=15),
    Timer("warn_of_deactivations", warn_of_deactivations, every_seconds=300),
    Timer("invoice_due", invoice_due, every_seconds=60),
    Timer("remind", remind, every_seconds=600),
    Timer("prove", prove, daily_at=time(3, 0)),
]
