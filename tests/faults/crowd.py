"""Many at once: one request, one till of receipt numbers, one client's threshold."""

import itertools
import threading
import time
from typing import Any

import orjson
import requests

from tests.faults.experiment import Experiment, Run, at_once
from tests.faults.load import quantile
from tests.harness.system import Business

TWINS = 50
DESKS = 10
DESK_WAITS_AT_MOST_SECONDS = 2.0
THRESHOLD_MINOR = 10_000
ACTORS = 16


def same_request(run: Run) -> None:
    for number in range(1 if run.quick else 5):
        business, clients = run.stage.studio(1)
        answers: list[requests.Response] = []
        apis = [run.system.api() for _ in range(TWINS)]
        url = run.system.url("payments") + business.path + "/payments"
        body = {"client_id": clients[0]["id"], "amount_minor": 700, "method": "cash"}

        def send(http: requests.Session, url: str = url, body: Any = body, key: str = f"twin-{number}") -> None:
            answers.append(http.post(url, json=body, headers={"Idempotency-Key": key}, timeout=30))  # noqa: B023

        began = time.monotonic()
        at_once([lambda http=api.http: send(http) for api in apis])
        run.figure("fifty answers within, s", time.monotonic() - began)
        run.stage.settle()
        statuses = sorted({answer.status_code for answer in answers})
        run.require(
            "50 equal answers",
            len(answers) == TWINS and len({(a.status_code, a.content) for a in answers}) == 1,
            statuses,
        )
        replayed = sum(answer.headers.get("Idempotent-Replayed") == "true" for answer in answers)
        run.require("49 of them marked as replayed", replayed == TWINS - 1, replayed)
        counts = [
            run.system.sql(service, f"SELECT count(*) FROM {table} WHERE business_id = %s", business.id)[0][0]
            for service, table in (("payments", "payments"), ("billing", "transfers"), ("notifications", "emails"))
        ]
        run.require("one payment, one posting, one receipt", counts == [1, 1, 1], counts)


def desks(run: Run) -> None:
    rows = 2_000 if run.quick else 10_000
    # Without addresses: ten thousand receipts would be mailed long after what is measured here.
    business, clients = run.stage.studio(200, with_email=False)
    lines = [
        f"{client['id']},{n % 90 + 1}.00,cash" for n, client in zip(range(rows), itertools.cycle(clients), strict=False)
    ]
    waits: list[float] = []
    failed: list[str] = []
    is_over = threading.Event()
    batch: dict[str, Any] = {}

    def desk() -> None:
        mine = Business(run.system.api(), business.id)
        while not is_over.is_set():
            began = time.monotonic()
            answer = mine.pay(clients[0]["id"], 100)
            waits.append(time.monotonic() - began)
            if answer.status_code != 201:
                failed.append(answer.text[:200])

    def office() -> None:
        time.sleep(0.5)
        began = time.monotonic()
        answer = business.upload("client,amount,method\n" + "\n".join(lines), allow_duplicates="true")
        batch.update(status=answer.status_code, seconds=time.monotonic() - began, text=answer.text[:300])
        time.sleep(0.5)
        is_over.set()

    at_once([office, *[desk] * DESKS])
    run.require(
        f"the batch of {rows:,} was recorded",
        batch["status"] in (200, 201),
        batch["text"] if batch["status"] > 201 else "",
    )
    run.figure("the batch took, s", batch["seconds"])
    run.figure("single payments meanwhile", len(waits))
    run.figure("  slowest, s", max(waits))
    run.figure("  99 of 100 within, s", quantile(waits, 0.99))
    run.figure("  median, s", quantile(waits, 0.5))
    run.require(f"no desk waits more than {DESK_WAITS_AT_MOST_SECONDS:.0f} s", max(waits) <= DESK_WAITS_AT_MOST_SECONDS)
    run.require("every single payment was recorded", not failed, failed[:2] or "")
    numbers = run.system.sql(
        "payments", "SELECT count(*), max(number) FROM receipts WHERE business_id = %s", business.id
    )
    run.require("receipt numbers are gapless", numbers[0] == (rows + len(waits) - len(failed),) * 2, numbers[0])


def threshold(run: Run) -> None:
    count = 300 if run.quick else 1_000
    business, _ = run.stage.studio(1)
    client_id = business.client("On the Edge", threshold_minor=THRESHOLD_MINOR)["id"]
    body = {"name": "Lesson", "price_minor": 1_000, "duration_minutes": 60}
    service_id = business.call("POST", "billing", "/services", json=body).json()["id"]
    assert business.pay(client_id, THRESHOLD_MINOR).status_code == 201
    # Each charges while the balance was last seen above the threshold and pays while it was below: it crosses often.
    # Some pay by an adjustment, whose answer tells the balance at once.
    changes = [(run.random.randint(1, 4_000), run.random.random() < 0.3) for _ in range(count)]
    seen_minor = THRESHOLD_MINOR
    failed: list[str] = []

    def actor(part: list[tuple[int, bool]]) -> None:
        nonlocal seen_minor
        mine = Business(run.system.api(), business.id)
        for amount_minor, pays in part:
            if seen_minor >= THRESHOLD_MINOR:
                answer = _charge(mine, client_id, service_id, amount_minor)
                seen_minor -= amount_minor  # near enough to choose the next step by
            elif pays:
                answer = mine.pay(client_id, amount_minor)
                seen_minor += amount_minor
            else:
                body = {"kind": "credit", "amount_minor": amount_minor, "reason": "threshold"}
                answer = mine.call("POST", "billing", f"/clients/{client_id}/adjustments", json=body)
                seen_minor = answer.json().get("balance_minor", seen_minor)
            if not answer.ok:
                failed.append(f"{answer.status_code} {answer.text[:200]}")

    began = time.monotonic()
    at_once([lambda part=changes[n::ACTORS]: actor(part) for n in range(ACTORS)])
    run.figure("charges and payments at once, s", time.monotonic() - began)
    run.stage.settle()
    balances = [0] + [
        row[0]
        for row in run.system.sql(
            "billing", "SELECT balance_after_minor FROM transfers WHERE client_id = %s ORDER BY sequence", client_id
        )
    ]
    was_below = [balance < THRESHOLD_MINOR for balance in balances]
    falls = [n for n in range(1, len(balances)) if was_below[n] and not was_below[n - 1]]
    rises = [n for n in range(1, len(balances)) if was_below[n - 1] and not was_below[n]]
    run.require("none was refused", not failed, failed[:2] or "")
    run.require("every one is in the ledger", len(balances) - 1 == count + 1, len(balances) - 1)
    for told, crossings in (("BalanceBelowThreshold", falls), ("BalanceRestored", rises)):
        bodies = run.system.sql(
            "billing", "SELECT body FROM outbox WHERE business_id = %s AND type = %s", business.id, told
        )
        events = sorted(orjson.loads(body)["sequence"] for (body,) in bodies)
        run.require(f"{told} exactly once per crossing", events == crossings, f"{len(events)} of {len(crossings)}")


def _charge(mine: Business, client_id: str, service_id: str, amount_minor: int) -> requests.Response:
    """A session, held."""
    body = {
        "client_id": client_id, "service_id": service_id, "price_minor": amount_minor,
        "starts_at": "2026-03-02T10:00:00Z",
    }  # fmt: skip
    added = mine.call("POST", "billing", "/sessions", json=body)
    if not added.ok:
        return added
    return mine.call("POST", "billing", f"/sessions/{added.json()['id']}/complete")


EXPERIMENTS = [
    Experiment("idempotency", "one request 50 times at once", same_request),
    Experiment("desks", "ten desks beside a large batch of the same business", desks),
    Experiment("threshold", "concurrent charges and payments across one client's threshold", threshold),
]
