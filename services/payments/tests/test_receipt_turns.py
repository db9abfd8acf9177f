"""Many who want a receipt's number of one business while nobody can have a receipt: each is answered in time."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from common import clock, db
from common.db import Database, is_contended
from common.testing import ServiceUnderTest
from payments.usecases import receipts

pytestmark = pytest.mark.broker

LOCK_WAIT_SECONDS = 3.0
AT_ONCE = 16


@pytest.fixture
def web(payments_on_postgresql: ServiceUnderTest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(db, "LOCK_WAIT_SECONDS", LOCK_WAIT_SECONDS)
    found = Database(payments_on_postgresql.runtime.database.url, pool_size=AT_ONCE, is_confined=True)
    yield found
    found.close()


def seconds_to_be_refused(web: Database, place: int) -> float:
    time.sleep(place * 1.5 * LOCK_WAIT_SECONDS / AT_ONCE)
    began = time.monotonic()
    with pytest.raises(DBAPIError) as raised, web.write() as session:
        receipts.issue(session, "b1", [{"payment_id": f"p{place}", "recorded_at": clock.now()}])
    assert is_contended(raised.value)
    return time.monotonic() - began


def test_whoever_queues_for_a_number_waits_for_locks_once(web: Database) -> None:
    with psycopg.connect(web.url) as other, ThreadPoolExecutor(AT_ONCE) as pool:
        other.execute("LOCK TABLE receipts IN ACCESS EXCLUSIVE MODE")
        took = list(pool.map(lambda place: seconds_to_be_refused(web, place), range(AT_ONCE)))
    assert max(took) < 1.5 * LOCK_WAIT_SECONDS
