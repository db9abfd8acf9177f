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
    """Stands for billing and Stripe: everybody owes 45.00 until it is booked, which it never is here. `charged` are the
    keys of the charges, in their order."""

    business_id = "b1"

    def __init__(self) -> None:
        self.charged: list[str] = []
        self.status = "succeeded"
        self._lock = threading.Lock()
        self.billing = SimpleNamespace(balance=self._balance)
        self.stripe = SimpleNamespace(charge_saved_card=self._charge)

    def _balance(self, _client_id: str) -> dict[str, Any]:
        return {"balance_minor": -4500, "provisional_minor": 0, "sequence": 7}

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


def begin(database: Database, attempt: str, clients: int = 1) -> str:
    with database.write() as session:
        owed_minor = {f"c{number}": 4500 for number in range(clients)}
        return runs.begin(session, SAM, "charge", owed_minor, "USD", attempt)


def step_together(shop: Shop, database: Database, run_ids: list[str]) -> list[str]:
    with ThreadPoolExecutor(len(run_ids)) as pool:
        asked = [pool.submit(runs.step, shop, database, run_id, "c0") for run_id in run_ids]  # type: ignore[arg-type]
        return [one.result().state for one in asked]


def test_two_runs_at_once_charge_one_balance_once(database: Database) -> None:
    shop = Shop()
    states = step_together(shop, database, [begin(database, f"a{number}") for number in range(PAGES)])
    assert sorted(states) == ["charged", *["elsewhere"] * (PAGES - 1)]
    assert len(shop.charged) == 1


def test_one_run_on_several_pages_has_one_key(database: Database) -> None:
    shop, run_id = Shop(), begin(database, "a")
    assert set(step_together(shop, database, [run_id] * PAGES)) == {"charged"}
    assert set(shop.charged) == {f"run-{run_id}-c0"}  # Stripe's gateway charges a key once


def test_a_declined_balance_is_free_again(database: Database) -> None:
    shop = Shop()
    shop.status = "declined"
    first, second = begin(database, "a"), begin(database, "b")
    assert runs.step(shop, database, first, "c0").state == "declined"  # type: ignore[arg-type]
    shop.status = "succeeded"
    assert runs.step(shop, database, second, "c0").state == "charged"  # type: ignore[arg-type]


def test_as_many_clients_as_a_run_takes(database: Database) -> None:
    run_id = begin(database, "a", clients=runs.MOST_CLIENTS)
    assert begin(database, "a", clients=runs.MOST_CLIENTS) == run_id
    with database.read() as session:
        lines = runs.lines(session, runs.find(session, "b1", run_id))
        assert [line.client_id for line in lines] == [f"c{number}" for number in range(runs.MOST_CLIENTS)]
        assert runs.unfinished(session, "b1") == []
    assert runs.step(Shop(), database, run_id, "c0").state == "charged"  # type: ignore[arg-type]
    with database.read() as session:
        assert [found.left for found in runs.unfinished(session, "b1")] == [runs.MOST_CLIENTS - 1]
