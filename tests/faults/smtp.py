"""A mail server that refuses, puts off and breaks off: one receipt per payment all the same."""

from typing import Any

import requests

from tests.faults.experiment import Experiment, Run
from tests.faults.load import Load, at_rate


def faulty_mail(run: Run) -> None:
    payments, times = (15, 4) if run.quick else (60, 20)
    cases: list[tuple[str, dict[str, Any]]] = [
        ("421, and the connection closed", {"fail_next": times, "code": 421}),
        ("451 (greylisted)", {"fail_next": times, "code": 451}),
        ("451 after DATA", {"fail_next": times, "code": 451, "fail_at": "data"}),
        ("550 (refused for good)", {"fail_next": times, "code": 550}),
        ("cut after DATA", {"close_after_data": times}),
        ("a server that takes its time", {"delay_seconds": 1}),
    ]
    for name, faults in cases:
        _one(run, name, faults, payments)
    run.figure("mails made to fail for good", run.stage.allowed.failed_mails)


def _one(run: Run, name: str, faults: dict[str, Any], payments: int) -> None:
    business, clients = run.stage.studio(5)
    extra_before = run.stage.extra_mails()
    _put(run, faults)
    load = Load(run.system, business, clients, count=payments, seed=run.seed, may_send=at_rate(20)).start().finish()
    refused = faults.get("fail_next", 0) if faults.get("code") == 550 else 0
    cuts = faults.get("close_after_data", 0)
    run.stage.allowed.failed_mails += refused
    run.stage.allowed.extra_mails = extra_before + cuts
    run.stage.settle()
    _put(run, {})
    states = dict(
        run.system.sql(
            "notifications", "SELECT state, count(*) FROM emails WHERE business_id = %s GROUP BY 1", business.id
        )
    )
    attempts = run.system.sql("notifications", "SELECT sum(attempts) FROM emails WHERE business_id = %s", business.id)
    extra = run.stage.extra_mails() - extra_before
    slowest = max(attempt.seconds for attempt in load.attempts)
    run.figure(
        f"{name}: sent, failed, attempts, extra",
        f"{states.get('sent', 0)}, {states.get('failed', 0)}, {attempts[0][0]}, {extra}",
    )
    wanted = {"sent": payments - refused, **({"failed": refused} if refused else {})}
    run.require(f"{name}: one receipt per payment, {refused} refused for good", states == wanted, states)
    run.require(f"{name}: extra mails at most {cuts}", extra <= cuts, extra)
    run.require(
        f"{name}: payments were not held up", len(load.paid) == payments and slowest < 5, f"slowest {slowest:.2f} s"
    )


def _put(run: Run, faults: dict[str, Any]) -> None:
    requests.put(f"{run.system.url('sandbox')}/faults", json={"mail": faults}, timeout=10).raise_for_status()


EXPERIMENTS = [Experiment("smtp", "the mail server refuses, puts off and breaks off", faulty_mail)]
