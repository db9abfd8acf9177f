"""A client that does what a good client does: single payments, each repeated under its one Idempotency-Key until it
is answered, from several threads. It survives connection errors and 5xx, and ends in bounded time."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import requests

from tests.harness.system import Business, System

REQUEST_SECONDS = 15.0
PAUSE_SECONDS = 0.3
# Worth repeating: nobody answered, the same request is under way, or the service cannot right now.
NO_ANSWER = 0
REPEATED = frozenset({NO_ANSWER, 409, 500, 502, 503, 504})


@dataclass(frozen=True)
class Attempt:
    """One request: when it began (time.monotonic), how long it took, and its status (0 = no answer)."""

    began: float
    seconds: float
    status: int


class Load:
    """`count` payments (None: until `finish`), payment n not before `may_send(n)`. A connection that is kept stays
    with one process of a web; without, each process gets its part."""

    def __init__(
        self,
        system: System,
        business: Business,
        clients: Sequence[dict[str, str]],
        *,
        count: int | None,
        seed: int,
        threads: int = 6,
        within_seconds: float = 900,
        request_seconds: float = REQUEST_SECONDS,
        may_send: Callable[[int], bool] = lambda _: True,
        keeps_connections: bool = True,
    ) -> None:
        self.attempts: list[Attempt] = []
        self.paid: dict[str, int] = {}  # payment id → amount
        self.refused: list[str] = []
        self.tries: Counter[int] = Counter()  # payment's number → requests sent for it
        # Where payments' web answers; with several, each try goes to the next one.
        self.entrances = [system.url("payments")]
        self.replayed = 0  # answers to a request that was done before, and not answered then
        self._system = system
        self._business_id = business.id
        self._clients = clients
        self._count = count
        self._seed = seed
        self._may_send = may_send
        self._keeps_connections = keeps_connections
        self._request_seconds = request_seconds
        self._deadline = time.monotonic() + within_seconds
        self._next = 0
        self._lock = threading.Lock()
        self._finish = threading.Event()
        self._threads = [threading.Thread(target=self._send_all, daemon=True) for _ in range(threads)]

    def start(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def finish(self) -> "Load":
        """Begin no more payments than were promised, and wait until each begun one is answered."""
        if self._count is None:
            self._finish.set()
        for thread in self._threads:
            thread.join(max(0.0, self._deadline - time.monotonic()) + self._request_seconds)
        return self

    def during(self, began: float, ended: float) -> list[Attempt]:
        """The attempts that began in a span of time.monotonic."""
        return [attempt for attempt in list(self.attempts) if began <= attempt.began <= ended]

    def _send_all(self) -> None:
        http = self._system.api().http
        if not self._keeps_connections:
            http.headers["Connection"] = "close"
        while (number := self._take()) is not None:
            self._pay(http, number)

    def _take(self) -> int | None:
        with self._lock:
            number, self._next = self._next, self._next + 1
        while not self._is_over(number):
            if self._may_send(number):
                return number
            time.sleep(0.01)
        return None

    def _is_over(self, number: int) -> bool:
        is_enough = self._finish.is_set() if self._count is None else number >= self._count
        return is_enough or time.monotonic() > self._deadline

    def _pay(self, http: requests.Session, number: int) -> None:
        chance = random.Random(f"{self._seed}/{number}")
        body = {
            "client_id": chance.choice(self._clients)["id"],
            "amount_minor": chance.randint(1, 50_000),
            "method": chance.choice(["cash", "check", "bank_transfer"]),
        }
        path = f"/v1/businesses/{self._business_id}/payments"
        key = f"load-{self._seed}-{self._business_id}-{number}"
        while time.monotonic() < self._deadline:
            entrances = self.entrances
            url = entrances[(number + self.tries[number]) % len(entrances)] + path
            self.tries[number] += 1
            began = time.monotonic()
            try:
                answer = http.post(url, json=body, headers={"Idempotency-Key": key}, timeout=self._request_seconds)
                status = answer.status_code
            except requests.RequestException:
                status = NO_ANSWER
            self.attempts.append(Attempt(began, time.monotonic() - began, status))
            if status == 201:
                self.paid[answer.json()["id"]] = body["amount_minor"]
                self.replayed += answer.headers.get("Idempotent-Replayed") == "true"
                return
            if status not in REPEATED:
                self.refused.append(f"{status}: {answer.text[:200]}")
                return
            time.sleep(PAUSE_SECONDS * chance.uniform(0.5, 1.5))
        self.refused.append(f"payment {number} had no answer in time")


def at_rate(per_second: float) -> Callable[[int], bool]:
    """A pace: payment n is sent n / per_second after now."""
    began = time.monotonic()
    return lambda number: time.monotonic() - began >= number / per_second


def quantile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0
