"""A run over clients who owe, charged by their saved cards, with the portal and gateway-stripe killed in the middle."""

import contextlib
import os
import random
import subprocess
import threading
import time
from collections.abc import Iterator

import psycopg
import requests

from tests.faults.experiment import Experiment, Run
from tests.faults.gateway import Shop
from tests.harness.portal import PASSWORD, Visitor, token_of
from tests.harness.system import REMIT
from tests.integration.story import confirm_as_browser

PORTAL = "portal-web"
GATEWAY = "gateway-stripe-web"
EMAIL = "office@studio.example"
FIRST_MINOR = 500
OPEN_SECONDS = 120.0  # after the last kill


def killed_in_the_middle(run: Run) -> None:
    """Two pages of one run ask for client after client; whoever gets no answer goes on."""
    count, kills = (12, 4) if run.quick else (100, 20)
    shop = Shop(run, count)
    owed = _who_owe(run, shop)
    with _portal(run) as environ:
        visitor = _signed_in(run, shop, environ)
        run_id = _begin(visitor, owed)
        began = time.monotonic()
        states: list[dict[str, str]] = [{}, {}]
        closed = threading.Event()
        pages = [
            threading.Thread(target=_page, args=(run, run_id, list(owed), states[n], f"{run.seed}/{n}", closed))
            for n in range(len(states))
        ]
        for page in pages:
            page.start()
        try:
            for number in range(kills):
                time.sleep(run.random.uniform(0.2, 1.5))
                name = (PORTAL, GATEWAY)[number % 2]
                run.system.kill(name)
                run.system.start(name, **(environ if name == PORTAL else {}))
                run.system.wait_ready(name)
            killed = time.monotonic()
            for page in pages:
                page.join(max(0.0, killed + OPEN_SECONDS - time.monotonic()))
        finally:
            closed.set()
        for page in pages:
            page.join()
        run.figure("clients, kills", f"{count}, {kills}")
        run.figure("the run took, s", time.monotonic() - began)
        run.figure("  after the last kill, s", time.monotonic() - killed)
    run.stage.settle()
    said = sorted({state for each in states for state in each.values()})
    charges: dict[str, int] = {}
    for charge in shop.captured():
        charges[charge["metadata"]["remit_client"]] = charges.get(charge["metadata"]["remit_client"], 0) + 1
    run.require("every client came to an end", all(len(each) == count for each in states), [len(s) for s in states])
    run.require("each is said to be charged", said == ["charged"], said)
    run.require(
        "each card was charged once", charges == dict.fromkeys(owed, 2), sorted(set(charges.values()))
    )  # the first charge of each saved the card
    wrong = [row["balance_minor"] for row in shop.business.balances() if row["balance_minor"] != 0]
    run.require("nobody owes anything, or has credit", not wrong, wrong[:3] or "")


def _who_owe(run: Run, shop: Shop) -> dict[str, int]:
    """Every client has a saved card, and owes: client id → minor units."""
    owed = {}
    for number, client in enumerate(shop.clients):
        asked = {"client_id": client["id"], "amount_minor": FIRST_MINOR, "save_card": True}
        confirm_as_browser(shop, shop.call("POST", "gateway-stripe", "/stripe/payment-intents", json=asked).json())
        owed[client["id"]] = 1_000 + number
        body = {"kind": "debit", "amount_minor": FIRST_MINOR + 1_000 + number, "reason": "Lessons"}
        assert shop.call("POST", "billing", f"/clients/{client['id']}/adjustments", json=body).ok
    run.system.eventually(lambda: shop.recorded() == len(owed), "the first payments", 90)
    run.stage.settle()
    return owed


@contextlib.contextmanager
def _portal(run: Run) -> Iterator[dict[str, str]]:
    """The portal beside the other services; with what it is started."""
    name = f"remit_{run.system.id}_portal"
    admin = run.system.servers.database.url
    environ = {
        "DATABASE_URL": admin.rsplit("/", 1)[0] + "/" + name,
        "SERVICE_KEY_FILE": str(run.system.folder / "keys" / "portal.key.json"),
    }
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        _do(run, environ, "migrate")
        run.system.start(PORTAL, **environ)
        run.system.wait_ready(PORTAL)
        yield environ
    finally:
        run.system.kill(PORTAL)
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _do(run: Run, environ: dict[str, str], *arguments: str) -> str:
    command = [*REMIT, "portal", *arguments]
    told = subprocess.run(
        command, env={**os.environ, **run.system.environ("portal"), **environ}, capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip
    return told.stdout


def _signed_in(run: Run, shop: Shop, environ: dict[str, str]) -> Visitor:
    invite = ["do", "invite", "--business", shop.id, "--email", EMAIL, "--role", "administrator"]
    link = _do(run, environ, *invite).strip().splitlines()[-1]
    http = requests.Session()
    said = {"password": PASSWORD, "again": PASSWORD, "csrf": token_of(http.get(link, timeout=30))}
    assert http.post(link, data=said, timeout=30).ok
    return Visitor(run.system.url("portal")).sign_in(EMAIL)


def _begin(visitor: Visitor, owed: dict[str, int]) -> str:
    clients = [f"{client_id}:{amount_minor}" for client_id, amount_minor in owed.items()]
    answer = visitor.post("/balances", {"what": "charge", "client": clients, "attempt": "one"})
    assert answer.status_code == 303, answer.text[:300]
    return answer.headers["Location"].rpartition("/")[2]


def _page(
    run: Run, run_id: str, clients: list[str], states: dict[str, str], seed: str, closed: threading.Event
) -> None:
    """What run.js does on a page, with a person who clicks again: each client until it is not open any more."""
    visitor = Visitor(run.system.url("portal"))
    left, is_signed_in = list(clients), False
    random.Random(seed).shuffle(left)
    while left and not closed.is_set():
        client_id = left.pop(0)
        try:
            if not is_signed_in:
                visitor.sign_in(EMAIL)
                is_signed_in = True
            line = visitor.post(
                f"/balances/runs/{run_id}/{client_id}", {}, headers={"Accept": "application/json"}
            ).json()
            if not line["is_open"]:
                states[client_id] = line["state"]
                continue
        except (requests.RequestException, AssertionError, KeyError):
            time.sleep(0.3)
        left.append(client_id)


EXPERIMENTS = [
    Experiment("run-killed", "a run of charges is killed in the middle, and gone on with", killed_in_the_middle),
]
