"""A mail server that refuses, puts off and breaks off: one receipt per payment all the same."""

import time
from typing import Any

import requests

from tests.faults.experiment import Experiment, Run
from tests.faults.load import Load, at_rate
from tests.harness.proxy import Fault, Wire

MAILER = "notifications-worker"
SLOW_SECONDS = 50.0  # longer than one mail may take
HUNG_SECONDS = 14.0  # longer than the mailer waits for a word


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


def slow_and_broken(run: Run) -> None:
    """What a network or a certificate does to mail: the mailer is started anew before it, and after it."""
    system = run.system
    usual = system.environ("notifications")["SMTP_URL"]
    wire = Wire.to(usual, run.seed)
    wire.fault = Fault(bytes_per_second=1)
    try:
        _through(run, "a byte a second", wire.instead_of(usual), SLOW_SECONDS)
        _through(run, "no TLS where it is asked for", usual.replace("smtp://", "smtps://"), 5.0)
    finally:
        wire.cut()
    _hung(run)


def _through(run: Run, name: str, url: str, seconds: float) -> None:
    payments = 10 if run.quick else 60
    business, clients = run.stage.studio(5)
    run.stage.settle()
    run.system.kill(MAILER)
    run.system.start(MAILER, SMTP_URL=url)
    run.system.wait_ready(MAILER)
    load = Load(run.system, business, clients, count=payments, seed=run.seed, may_send=at_rate(20)).start().finish()
    time.sleep(seconds)
    sent = run.system.mails()["deliveries"]
    tries = _tries(run, business.id)
    run.system.kill(MAILER)
    run.system.start(MAILER)
    run.stage.settle()
    _judge(run, name, business.id, load, payments, 0)
    run.figure("  tries meanwhile", tries)
    arrived = run.system.mails()["deliveries"] - sent
    run.require(f"{name}: it was tried, and all came after it", tries > 0 and arrived == payments, arrived)


def _hung(run: Run) -> None:
    """Each message is stored long after the mailer has given up on it: it may come again, under its one Message-ID."""
    payments = 6 if run.quick else 40
    business, clients = run.stage.studio(5)
    _put(run, {"delay_seconds": HUNG_SECONDS})
    load = Load(run.system, business, clients, count=payments, seed=run.seed, may_send=at_rate(20)).start().finish()
    time.sleep(HUNG_SECONDS)
    _put(run, {})
    tries = _tries(run, business.id)
    run.allow_extra_mails(tries)
    run.stage.settle()
    _judge(run, "hangs after DATA", business.id, load, payments, tries)


def _tries(run: Run, business_id: str) -> int:
    query = "SELECT coalesce(sum(attempts), 0) FROM jobs WHERE kind = 'email' AND business_id = %s"
    return int(run.system.sql("notifications", query, business_id)[0][0])


def _judge(run: Run, name: str, business_id: str, load: Load, payments: int, extra_at_most: int) -> None:
    query = "SELECT state, count(*) FROM emails WHERE business_id = %s GROUP BY 1"
    states = dict(run.system.sql("notifications", query, business_id))
    slowest = max(attempt.seconds for attempt in load.attempts)
    extra = run.extra_mails()
    run.require(f"{name}: one receipt per payment", states == {"sent": payments}, states)
    run.require(f"{name}: extra mails at most {extra_at_most}", extra <= extra_at_most, extra)
    run.require(f"{name}: payments were not held up", len(load.paid) == payments and slowest < 5, f"{slowest:.2f} s")


def _one(run: Run, name: str, faults: dict[str, Any], payments: int) -> None:
    business, clients = run.stage.studio(5)
    extra_before = run.stage.extra_mails()
    _put(run, faults)
    load = Load(run.system, business, clients, count=payments, seed=run.seed, may_send=at_rate(20)).start().finish()
    refused = faults.get("fail_next", 0) if faults.get("code") == 550 else 0
    cuts = faults.get("close_after_data", 0)
    run.stage.allowed.failed_mails += refused
    run.allow_extra_mails(cuts)
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


EXPERIMENTS = [
    Experiment("smtp", "the mail server refuses, puts off and breaks off", faulty_mail),
    Experiment("smtp-slow", "the mail server is slow, silent and without TLS", slow_and_broken),
]
