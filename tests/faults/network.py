"""A slow, lossy and silent network between the services and their database, broker and gateway."""

import contextlib
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import requests

from common.db import CONNECT_TIMEOUT_SECONDS, SIGN_OF_LIFE_SECONDS, SILENCE_SECONDS
from tests.faults.experiment import Experiment, Run
from tests.faults.gateway import Shop
from tests.faults.load import Load, at_rate, quantile
from tests.harness.proxy import WHOLE, Fault, Wire
from tests.harness.system import Business

CLIENTS = 10
PER_SECOND = 4.0
CHARGES_AT_ONCE = 4
# No request may hang for longer, whatever the network does: the waits for a statement, for a sign of life and for a
# connection may come one after the other.
DATABASE_AT_MOST_SECONDS = SILENCE_SECONDS + SIGN_OF_LIFE_SECONDS + 2 * CONNECT_TIMEOUT_SECONDS
# The web needs no broker; Stripe is given a second here, and is asked again.
BROKER_AT_MOST_SECONDS = 5.0
GATEWAY_AT_MOST_SECONDS = 14.0
AGAIN_WITHIN_SECONDS = 90.0
TO_DATABASE = ["payments-web", "payments-worker", "billing-worker"]
TO_BROKER = ["payments-worker", "billing-worker", "notifications-worker"]
TO_GATEWAY = ["gateway-stripe-web"]


@dataclass(frozen=True)
class Weather:
    """What the network is like for some seconds."""

    name: str
    fault: Fault
    seconds: float


def _weathers(run: Run) -> list[Weather]:
    seconds, slow = (6.0, 8_000) if run.quick else (15.0, 2_000)
    return [
        Weather("late by 0.2 s each way", Fault(latency_seconds=0.2), seconds),
        Weather("5 % resets", Fault(resets=0.05), seconds),
        Weather(f"{slow / 1000:.0f} kB/s", Fault(bytes_per_second=slow), seconds),
        # At full length beyond what a statement and the broker's heartbeat are given.
        Weather("silent", Fault(is_silent=True), 7.0 if run.quick else SILENCE_SECONDS + 10),
    ]


def _restart(run: Run, names: Sequence[str], environ: Callable[[str], dict[str, str]]) -> None:
    """Start processes again, each with `environ(its service)` besides its own."""
    for name in names:
        run.system.kill(name, signal.SIGTERM)
        run.system.start(name, **environ(name.partition("-w")[0]))
    for name in names:
        run.system.wait_ready(name)


def to_database(run: Run) -> None:
    wire = Wire.to(run.system.servers.database.url, run.seed)

    def environ(service: str) -> dict[str, str]:
        of_worker, of_web = run.system.database_url(service), run.system.web_database_url(service)
        return {"DATABASE_URL": wire.instead_of(of_worker), "WEB_DATABASE_URL": wire.instead_of(of_web)}

    _payments_through(run, wire, TO_DATABASE, environ, {0, 201, 409, 503}, DATABASE_AT_MOST_SECONDS)


def to_broker(run: Run) -> None:
    url = run.system.servers.broker.url
    wire = Wire.to(url, run.seed)
    environ = {"AMQP_URL": wire.instead_of(url)}
    _payments_through(run, wire, TO_BROKER, lambda _: environ, {201}, BROKER_AT_MOST_SECONDS)


def _payments_through(
    run: Run, wire: Wire, names: Sequence[str], environ: Callable[[str], dict[str, str]], statuses: set[int],
    at_most_seconds: float,
) -> None:  # fmt: skip
    _restart(run, names, environ)
    try:
        for weather in _weathers(run):
            _payments_in(run, wire, names, weather, statuses, at_most_seconds)
    finally:
        wire.fault = WHOLE
        _restart(run, names, lambda _: {})
        wire.cut()


def _payments_in(
    run: Run, wire: Wire, names: Sequence[str], weather: Weather, allowed: set[int], at_most_seconds: float
) -> None:  # fmt: skip
    business, clients = run.stage.studio(CLIENTS)
    load = Load(
        run.system, business, clients, count=None, seed=run.seed, may_send=at_rate(PER_SECOND),
        request_seconds=at_most_seconds + 10,
    ).start()  # fmt: skip
    resets, wire.fault = wire.reset_count, weather.fault
    time.sleep(weather.seconds)
    wire.fault, ended = WHOLE, time.monotonic()
    load.finish()
    run.stage.settle()
    seconds = [attempt.seconds for attempt in load.attempts]
    statuses = sorted({attempt.status for attempt in load.attempts})
    run.figure(f"{weather.name}: payments, requests, statuses", f"{len(load.paid)}, {len(seconds)}, {statuses}")
    run.figure("  99 of 100 within, s; slowest", f"{quantile(seconds, 0.99):.1f}; {max(seconds):.1f}")
    run.figure("  connections reset", wire.reset_count - resets)
    run.figure("  settled after its end, s", time.monotonic() - ended)
    run.require(f"{weather.name}: every payment was answered 201 in the end", not load.refused, load.refused[:3] or "")
    if "payments-web" in names and weather.fault.latency_seconds:
        # Each of its statements waits both ways: it did not go round the wire.
        felt = max(seconds) > 6 * weather.fault.latency_seconds
        run.require(f"{weather.name}: it was felt", felt, f"{max(seconds):.1f} s")
    run.require(f"{weather.name}: no request hung", max(seconds) <= at_most_seconds, f"{max(seconds):.1f} s")
    run.require(f"{weather.name}: answered as it should be", set(statuses) <= allowed, statuses)


def to_gateway(run: Run) -> None:
    """Saved cards are charged, and asked for again until there is an answer."""
    wire = Wire.to(run.system.url("sandbox"), run.seed)
    shop = Shop(run, CLIENTS)
    shop.save_cards()
    run.system.eventually(lambda: shop.recorded() == CLIENTS, "the first payments", 60)
    _restart(run, TO_GATEWAY, lambda _: {"STRIPE_API_BASE": f"{wire.url}/stripe"})
    count = 0
    try:
        for weather in _weathers(run):
            count += _charges_in(run, wire, shop, weather)
    finally:
        wire.fault = WHOLE
        _restart(run, TO_GATEWAY, lambda _: {})
        wire.cut()
    wanted = CLIENTS + count
    run.system.eventually(lambda: shop.recorded() >= wanted, f"{wanted} payments", 120)
    run.stage.settle()
    shop.judge(wanted)


def _charges_in(run: Run, wire: Wire, shop: Shop, weather: Weather) -> int:
    count = 8 if run.quick else 40
    wire.fault = weather.fault
    with ThreadPoolExecutor(CHARGES_AT_ONCE) as pool:
        asked_for = [pool.submit(_charge, run, shop, f"{weather.name}-{n}", n) for n in range(count)]
        time.sleep(weather.seconds)
        wire.fault, ended = WHOLE, time.monotonic()
        answered = [future.result() for future in asked_for]
    slowest = max(seconds for _, seconds in answered)
    run.figure(f"{weather.name}: charges, requests", f"{count}, {sum(times for times, _ in answered)}")
    run.figure("  all answered after its end, s", time.monotonic() - ended)
    run.require(f"{weather.name}: no request hung", slowest <= GATEWAY_AT_MOST_SECONDS, f"{slowest:.1f} s")
    return count


def _charge(run: Run, shop: Shop, key: str, number: int) -> tuple[int, float]:
    """Charge a saved card until it is known to be charged: (requests sent, seconds of the slowest)."""
    mine = Business(run.system.api(), shop.id)
    body = {"client_id": shop.clients[number % CLIENTS]["id"], "amount_minor": 2_000 + number}
    deadline = time.monotonic() + AGAIN_WITHIN_SECONDS
    slowest, times = 0.0, 0
    while time.monotonic() < deadline:
        began, times = time.monotonic(), times + 1
        status = ""
        with contextlib.suppress(requests.RequestException):
            answer = mine.call("POST", "gateway-stripe", "/stripe/charges", json=body, key=key, timeout=30)
            status = answer.json().get("status", "")
        slowest = max(slowest, time.monotonic() - began)
        if status == "succeeded":
            return times, slowest
        time.sleep(0.3)
    raise AssertionError(f"no answer to charge {key} in {AGAIN_WITHIN_SECONDS:.0f} s")


EXPERIMENTS = [
    Experiment("network-database", "slow, lossy and silent between services and their databases", to_database),
    Experiment("network-broker", "slow, lossy and silent between workers and the broker", to_broker),
    Experiment("network-gateway", "slow, lossy and silent between gateway-stripe and Stripe", to_gateway),
]
