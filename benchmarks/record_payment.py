"""Payments recorded a second over HTTP, against a bare Flask and SQLAlchemy Core endpoint with the same statements."""

from collections.abc import Callable

from benchmarks.bare_endpoint import bare_app
from benchmarks.figure import Figure, Findings, alternate
from benchmarks.load import Connection, pay, per_second, press
from benchmarks.stage import BARE, Payer, Stage, staged
from benchmarks.statements import recorded
from common.web.app import create_app
from tests.harness.servers import Servers

CONNECTIONS = 8
TURN_SECONDS = 3.0
GOAL = 0.75


def measure(servers: Servers, quick: bool) -> Findings:
    rounds, for_seconds = (2, 1.5) if quick else (4, TURN_SECONDS)
    with staged(servers, ["payments-web"]) as ours, staged(servers, [BARE]) as bare:
        notes = [_statements(ours, with_key) for with_key in (False, True)]
        figures = []
        for with_keys in (False, True):
            name = "record payment, with Idempotency-Key" if with_keys else "record payment"
            turns = [_turn(stage, for_seconds, with_keys) for stage in (ours, bare)]
            for turn in turns:  # caches, plans and connections
                turn()
            reached, baseline = alternate(*turns, rounds=rounds)
            figures.append(Figure(name, "requests/s", reached, baseline, GOAL))
    return Findings(figures, notes)


def reached_per_second(stage: Stage, for_seconds: float) -> float:
    """Payments a second that this stage takes, pressed as hard as here."""
    return _turn(stage, for_seconds, with_keys=False)()


def _turn(stage: Stage, for_seconds: float, with_keys: bool) -> Callable[[], float]:
    token, url = stage.token(), stage.url("payments")
    turns = iter(range(1_000_000))

    def turn() -> float:
        prefix = f"turn{next(turns)}-"

        def send(connection: Connection, number: int) -> bytes:
            payer = stage.payers[(number * 7) % len(stage.payers)]
            return pay(connection, payer, 100 + number % 900, token, f"{prefix}{number}" if with_keys else None)

        return per_second(press(url, for_seconds, CONNECTIONS, send), for_seconds)

    return turn


def _statements(stage: Stage, with_key: bool) -> str:
    """How many statements a request sends. Raises unless the bare endpoint sends the same ones."""
    with stage.runtime("payments", for_web=True) as runtime:
        sent = []
        for app in (create_app(runtime), bare_app(runtime.database)):
            _post(app.test_client(), stage.payers[0], stage.token(), "warm" if with_key else None, app.name)
            with recorded(runtime.database) as statements:
                _post(app.test_client(), stage.payers[0], stage.token(), "key" if with_key else None, app.name)
            sent.append(statements)
    if sorted(sent[0]) != sorted(sent[1]):
        lines = [f"  ours: {line}" for line in sent[0]] + [f"  bare: {line}" for line in sent[1]]
        raise RuntimeError("benchmarks/bare_endpoint.py no longer sends what payments sends:\n" + "\n".join(lines))
    with_or_without = "with" if with_key else "without"
    return f"statements per payment {with_or_without} Idempotency-Key: {len(sent[0])}, the same as the bare endpoint's"


def _post(client: object, payer: Payer, token: str, key: str | None, name: str) -> None:
    headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": f"{name}-{key}"} if key else {})
    answer = client.post(  # type: ignore[attr-defined]
        f"/v1/businesses/{payer.business_id}/payments", headers=headers,
        json={"client_id": payer.client_id, "amount_minor": 100, "method": "cash"},
    )  # fmt: skip
    if answer.status_code != 201:
        raise RuntimeError(answer.text)
