"""Runs that are asked at the same moment, by several pages and by several people: one balance is charged once."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from common.db import Database
from common.testing import ServiceUnderTest
from portal.usecases import runs
from portal.usecases.users import Person

SAM = Person("b1", "u1", "staff", None, "Sam", "sam@harmony.example")
PAGES = 6


class Shop:
    """Stands for billing and Stripe: everybody owes 45.00 until something is booked. `charged` are the keys of the
    charges, in their order; `entries` the ledger that `sequence` is the last entry of."""

    business_id = "b1"

    def __init__(self) -> None:
        self.charged: list[str] = []
        self.status = "succeeded"
        self.owed_minor, self.sequence = 4500, 7
        self.entries: list[dict[str, Any]] = []
        self.ledger_calls = 0
        self._lock = threading.Lock()
        self.billing = SimpleNamespace(balance=self._balance, ledger=self._ledger)
        self.stripe = SimpleNamespace(charge_saved_card=self._charge)

    def _balance(self, _client_id: str) -> dict[str, Any]:
        return {"balance_minor": -self.owed_minor, "provisional_minor": 0, "sequence": self.sequence}

    def _ledger(self, _client_id: str, _query: dict[str, Any]) -> dict[str, Any]:
        self.ledger_calls += 1
        return {"items": list(self.entries)}

    def book(self, kind: str, change_minor: int, account: str) -> None:
        self.sequence += 1
        self.owed_minor -= change_minor
        facts = {"sequence": self.sequence, "kind": kind, "change_minor": change_minor, "debit_account": account}
        self.entries.append(facts)

    def _charge(self, _body: dict[str, Any], key: str) -> dict[str, Any]:
        time.sleep(0.05)
        with self._lock:
            self.charged.append(key)
        return {"status": self.status, "detail": "No."}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.broker)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    environ = {"DATABASE_URL": request.getfixturevalue("postgresql_url")} if request.param == "postgresql" else {}
    subject = ServiceUnderTest("portal", tmp_path, **environ)
    yield subject.runtime.database
    subject.close()


def begin(database: Database, attempt: str, clients: int = 1, amount_minor: int = 4500) -> str:
    with database.write() as session:
        owed_minor = {f"c{number}": amount_minor for number in range(clients)}
        return runs.begin(session, SAM, "charge", owed_minor, "USD", attempt)


def step(shop: Shop, database: Database, run_id: str) -> str:
    return runs.step(shop, database, run_id, "c0").state  # type: ignore[arg-type]


def step_together(shop: Shop, database: Database, run_ids: list[str]) -> list[str]:
    with ThreadPoolExecutor(len(run_ids)) as pool:
        asked = [pool.submit(runs.step, shop, database, run_id, "c0") for run_id in run_ids]  # type: ignore[arg-type]
        return [one.result().state for one in asked]


def test_two_runs_at_once_charge_one_balance_once(database: Database) -> None:
    shop = Shop()
    states = step_together(shop, database, [begin(database, f"a{number}") for number in range(PAGES)])
    assert sorted(states) == ["charged", *["elsewhere"] * (PAGES - 1)]
    assert len(shop.charged) == 1


def test_what_comes_between_does_not_free_a_charge_that_is_not_booked(database: Database) -> None:
    """The payment waits for the broker; a session of 30.00 is completed meanwhile."""
    shop = Shop()
    assert step(shop, database, begin(database, "a")) == "charged"
    shop.book("session_completed", -3000, "client:c0")
    assert step(shop, database, begin(database, "b", amount_minor=7500)) == "elsewhere"
    shop.book("payment", 4500, "clearing:cash")  # another one, of the same amount
    assert step(shop, database, begin(database, "c", amount_minor=3000)) == "elsewhere"
    shop.book("session_completed", -4500, "client:c0")
    shop.book("payment", 4500, "clearing:card")
    assert step(shop, database, begin(database, "d", amount_minor=3000)) == "charged"
    assert len(shop.charged) == 2


def test_a_charge_that_is_booked_is_asked_about_once(database: Database) -> None:
    shop = Shop()
    for attempt in range(4):
        assert step(shop, database, begin(database, f"a{attempt}")) == "charged"
        shop.book("payment", 4500, "clearing:card")
        shop.book("session_completed", -4500, "client:c0")
    assert (len(shop.charged), shop.ledger_calls) == (4, 3)


def test_a_payment_that_is_booked_after_the_balance_was_read(database: Database) -> None:
    """The balance that was agreed to and read does not count it: the next run, at what is owed then, may charge."""
    shop = Shop()
    assert step(shop, database, begin(database, "a")) == "charged"
    shop.book("session_completed", -3000, "client:c0")
    stale = shop.billing.balance("c0")
    shop.book("payment", 4500, "clearing:card")
    read_now, shop.billing.balance = shop.billing.balance, lambda _client_id: stale
    assert step(shop, database, begin(database, "b", amount_minor=7500)) == "elsewhere"
    shop.billing.balance = read_now
    assert step(shop, database, begin(database, "c", amount_minor=3000)) == "charged"


def test_runs_that_read_different_balances_take_turns(database: Database) -> None:
    """Of balances that one entry lies between, the one or the other is charged."""
    shop = Shop()
    run_ids = [begin(database, f"a{number}") for number in range(PAGES)]
    sequences = iter(range(7, 7 + PAGES))
    shop.billing.balance = lambda _client_id: {
        "balance_minor": -4500, "provisional_minor": 0, "sequence": next(sequences),
    }  # fmt: skip
    states = step_together(shop, database, run_ids)
    assert sorted(states) == ["charged", *["elsewhere"] * (PAGES - 1)]


def test_one_run_on_several_pages_has_one_key(database: Database) -> None:
    shop, run_id = Shop(), begin(database, "a")
    assert set(step_together(shop, database, [run_id] * PAGES)) == {"charged"}
    assert set(shop.charged) == {f"run-{run_id}-c0"}  # Stripe's gateway charges a key once


@pytest.mark.parametrize(("sequence", "owed_minor"), [(8, 4500), (7, 4000)])
def test_a_second_page_does_not_overwrite_what_the_first_has_begun(
    database: Database, sequence: int, owed_minor: int
) -> None:
    """The first page charges while the second, which saw the row before, finds another balance."""
    shop, run_id = Shop(), begin(database, "a")
    read_now = shop.billing.balance

    def balance(client_id: str) -> dict[str, Any]:
        shop.billing.balance, shop.status = read_now, "unknown"
        assert step(shop, database, run_id) == "unknown"
        shop.sequence, shop.owed_minor = sequence, owed_minor
        return read_now(client_id)

    shop.billing.balance = balance
    assert step(shop, database, run_id) == "unknown"
    shop.sequence, shop.owed_minor = 7, 4500
    assert step(shop, database, begin(database, "b")) == "elsewhere"  # the balance is still held
    assert len(shop.charged) == 1


def test_a_declined_balance_is_free_again(database: Database) -> None:
    shop = Shop()
    shop.status = "declined"
    first, second = begin(database, "a"), begin(database, "b")
    assert step(shop, database, first) == "declined"
    shop.status = "succeeded"
    assert step(shop, database, second) == "charged"


def test_as_many_clients_as_a_run_takes(database: Database) -> None:
    run_id = begin(database, "a", clients=runs.MOST_CLIENTS)
    assert begin(database, "a", clients=runs.MOST_CLIENTS) == run_id
    with database.read() as session:
        lines = runs.lines(session, runs.find(session, "b1", run_id))
        assert [line.client_id for line in lines] == [f"c{number}" for number in range(runs.MOST_CLIENTS)]
        assert runs.unfinished(session, "b1") == []
    assert step(Shop(), database, run_id) == "charged"
    with database.read() as session:
        assert [found.left for found in runs.unfinished(session, "b1")] == [runs.MOST_CLIENTS - 1]
