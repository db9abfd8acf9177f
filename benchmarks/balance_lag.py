"""Time from a payment's 201 to the changed balance, at half of the load that recording alone reached, and at a tenth.

The client notes when it has read each 201; the balance is changed when a reader sees its entry (`entries_seen`).
"""

import orjson

from benchmarks.entries_seen import watched
from benchmarks.figure import Figure, Findings, percentile
from benchmarks.load import Connection, pay, press
from benchmarks.machine import Others
from benchmarks.record_payment import reached_per_second
from benchmarks.stage import Stage, staged
from tests.harness.servers import Servers

CONNECTIONS = 8
# Share of what the web alone takes, in words, and the goals of p50 and p99. Half is more than two cores carry once they
# also run the workers, the broker, the databases and the load; a tenth shows the path itself.
SHARES = ((0.5, "at half load", (10, 50)), (0.1, "at a tenth", (None, None)))
PROCESSES = ["payments-web", "payments-worker", "billing-worker", "notifications-worker"]


def measure(servers: Servers, quick: bool) -> Findings:
    for_seconds = 3.0 if quick else 15.0
    with staged(servers, ["payments-web"]) as stage:
        reached_per_second(stage, 1.0)
        full = reached_per_second(stage, 2.0 if quick else 5.0)
    figures: list[Figure] = []
    notes: list[str] = []
    with staged(servers, PROCESSES) as stage:
        _lags_ms(stage, full / 2, 2.0)
        for share, words, goals in SHARES:
            others = Others()
            lags = _lags_ms(stage, full * share, for_seconds)
            name = f"201 to balance visible, {words}"
            figures += [
                Figure(f"{name}, p{rank}", "ms", percentile(lags, rank / 100), None, goal, at_most=True)
                for rank, goal in zip((50, 99), goals, strict=True)
            ]
            notes.append(
                f"lag, {words}: {len(lags)} payments at {len(lags) / for_seconds:.0f} a second, where the web alone "
                f"took {full:.0f} in this run; worst {max(lags):.0f} ms; with the workers of payments, billing and "
                f"notifications running; others took {others.share():.0%} of the cores meanwhile"
            )
    return Findings(figures, notes)


def _lags_ms(stage: Stage, load_per_second: float, for_seconds: float) -> list[float]:
    """Milliseconds from 201 to changed balance, of each payment."""
    token = stage.token()

    def send(connection: Connection, number: int) -> bytes:
        return pay(connection, stage.payers[(number * 7) % len(stage.payers)], 100 + number % 900, token)

    with watched(stage.database_url("billing")) as seen:
        answers = press(stage.url("payments"), for_seconds, CONNECTIONS, send, load_per_second)
        answered_at = {f"payment:{orjson.loads(answer.json)['id']}": answer.at for answer in answers}
        seen.wait_for(answered_at)
    return [max(0.0, seen.at[source] - at) * 1000 for source, at in answered_at.items()]
