"""Time from a payment's 201 to the changed balance, at half of the load that recording alone reached.

The client notes when it has read each 201. The balance is changed when its transaction is committed; a reader asks
billing's database every few milliseconds for entries not seen before (BalanceChanged stands in the outbox by the same
commit), so what is measured is never less than what passed.
"""

import threading
import time

import orjson
import psycopg

from benchmarks.figure import Figure, Findings, percentile
from benchmarks.load import Connection, pay, press
from benchmarks.machine import Others
from benchmarks.record_payment import reached_per_second
from benchmarks.stage import Stage, staged
from tests.harness.servers import Servers

LOOK_SECONDS = 0.003
CONNECTIONS = 8
GOAL_MILLISECONDS = 100
PROCESSES = ["payments-web", "payments-worker", "billing-worker", "notifications-worker"]
NEW_ENTRIES = """
    SELECT seq, CAST(body AS json) -> 'data' ->> 'entry_source' FROM outbox
    WHERE seq > %s AND type = 'BalanceChanged' ORDER BY seq
"""


def measure(servers: Servers, quick: bool) -> Findings:
    for_seconds = 3.0 if quick else 15.0
    with staged(servers, ["payments-web"]) as stage:
        reached_per_second(stage, 1.0)
        full = reached_per_second(stage, 2.0 if quick else 5.0)
    with staged(servers, PROCESSES) as stage:
        _lags(stage, full / 2, 2.0)
        others = Others()
        lags = _lags(stage, full / 2, for_seconds)
        others_share = others.share()
    milliseconds = [lag * 1000 for lag in lags]
    return Findings(
        [
            Figure("201 to balance changed, p50", "ms", percentile(milliseconds, 0.5)),
            Figure("201 to balance changed, p99", "ms", percentile(milliseconds, 0.99), None, GOAL_MILLISECONDS, True),
        ],
        [
            f"lag: {len(lags)} payments at {len(lags) / for_seconds:.0f} a second, half of the {full:.0f} that the web "
            f"alone took in this run; worst {max(milliseconds):.0f} ms; with the workers of payments, billing and "
            f"notifications running; others took {others_share:.0%} of the cores meanwhile"
        ],
    )


def _lags(stage: Stage, load_per_second: float, for_seconds: float) -> list[float]:
    """Seconds from 201 to changed balance, of each payment."""
    token = stage.token()
    seen: dict[str, float] = {}
    stop = threading.Event()
    reader = threading.Thread(target=_read, args=(stage.database_url("billing"), seen, stop))
    reader.start()
    time.sleep(0.2)

    def send(connection: Connection, number: int) -> bytes:
        return pay(connection, stage.payers[(number * 7) % len(stage.payers)], 100 + number % 900, token)

    answers = press(stage.url("payments"), for_seconds, CONNECTIONS, send, load_per_second)
    answered_at = {f"payment:{orjson.loads(answer.json)['id']}": answer.at for answer in answers}
    deadline = time.monotonic() + 30
    while not answered_at.keys() <= seen.keys() and time.monotonic() < deadline:
        time.sleep(0.05)
    stop.set()
    reader.join()
    missing = answered_at.keys() - seen.keys()
    if missing:
        raise RuntimeError(f"{len(missing)} payments changed no balance in 30 s")
    return [max(0.0, seen[source] - at) for source, at in answered_at.items()]


def _read(database_url: str, seen: dict[str, float], stop: threading.Event) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute("SELECT coalesce(max(seq), 0) FROM outbox").fetchone()
        last = row[0] if row else 0
        while not stop.is_set():
            rows = connection.execute(NEW_ENTRIES, [last]).fetchall()
            now = time.time()
            for seq, source in rows:
                seen[source] = now
                last = seq
            time.sleep(LOOK_SECONDS)
