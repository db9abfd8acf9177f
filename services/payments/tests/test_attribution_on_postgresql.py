"""Money and invoices that are heard of in the same moment, by several workers on PostgreSQL: nothing twice, and nothing
left behind."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from common.events import Event
from common.events.billing import BusinessRegistered, ClientRegistered
from common.testing import ServiceUnderTest
from services.payments.tests.gateway import B, Told
from services.payments.tests.invoices import Asked, assign, tray
from tests.harness.servers import NoServers, running

pytestmark = pytest.mark.broker

TERMINAL = {"client_id": None, "source": "virtual_terminal", "method": "paypal"}
MANY = 40


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    try:
        with running() as servers:
            yield servers.database.url
    except NoServers as reason:
        if os.environ.get("CI") or os.environ.get("REQUIRE_DOCKER") == "1":
            pytest.fail(f"no database to test against: {reason}")
        pytest.skip(str(reason))


@pytest.fixture
def payments(database_url: str, tmp_path: Path) -> Iterator[ServiceUnderTest]:
    fresh = f"payments_{uuid4().hex[:8]}"
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{fresh}"')
        subject = ServiceUnderTest("payments", tmp_path, DATABASE_URL=f"{database_url.rsplit('/', 1)[0]}/{fresh}")
        subject.take(
            BusinessRegistered(business_id="b1", name="Studio", currency="USD", time_zone="UTC"),
            ClientRegistered(business_id="b1", client_id="ada", name="Ada Byron"),
            ClientRegistered(business_id="b1", client_id="sam1", name="Sam Twin"),
        )
        yield subject
        subject.close()
        admin.execute(f'DROP DATABASE "{fresh}" WITH (FORCE)')


def assert_each_recorded_once(payments: ServiceUnderTest) -> None:
    assert tray(payments) == []
    listed = payments.call("GET", f"{B}/payments?limit=200").json["items"]
    assert len({one["gateway_payment_id"] for one in listed}) == len(listed) == MANY
    assert sorted(one["receipt_number"] for one in listed) == list(range(1, MANY + 1))


def money(n: int) -> Event:
    return Told(f"pi_{n}").succeeded(**TERMINAL, invoice_number=f"inv {n}", payer_id=f"P{n}", payer_client_ids=["ada"])


def test_by_hand_and_by_itself_at_once_on_postgresql(payments: ServiceUnderTest) -> None:
    payments.take(*(money(n) for n in range(1, MANY + 1)))
    lines = {line["gateway_payment_id"]: line["id"] for line in tray(payments)}

    def by_hand(n: int) -> int:
        return int(assign(payments, lines[f"pi_{n}"], client_id="sam1", remember_payer=True).status_code)

    with ThreadPoolExecutor(8) as pool:
        hands = [pool.submit(by_hand, n) for n in range(1, MANY + 1)]
        itself = [pool.submit(payments.take, Asked(n).issued(), Asked(n).paid()) for n in range(MANY, 0, -1)]
        assert {hand.result() for hand in hands} <= {201, 409, 503}
        assert {one.result() for one in itself} == {None}
    assert_each_recorded_once(payments)


def test_money_and_its_invoice_at_once_on_postgresql(payments: ServiceUnderTest) -> None:
    with ThreadPoolExecutor(4) as pool:
        told = []
        for n in range(1, MANY + 1):
            told += [pool.submit(payments.take, money(n)), pool.submit(payments.take, Asked(n).issued())]
        assert {one.result() for one in told} == {None}
    assert_each_recorded_once(payments)


def test_money_waits_for_an_invoice_that_is_being_kept_on_postgresql(payments: ServiceUnderTest) -> None:
    issued = Asked(1).issued()
    with payments.runtime.database.write() as keeping, ThreadPoolExecutor(1) as pool:
        payments.runtime.service.handlers[type(issued)]([issued], keeping)
        late = pool.submit(payments.take, money(1))
        with pytest.raises(TimeoutError):
            late.result(timeout=0.3)
        keeping.commit()
        late.result()
    assert tray(payments) == []


def test_the_tray_is_shown_on_postgresql(payments: ServiceUnderTest) -> None:
    payments.take(Asked(12).issued(), Told("pi_1").succeeded(**TERMINAL, invoice_number="13", payer_client_ids=["ada"]))
    (line,) = tray(payments)
    assert [one["why"] for one in line["suggestions"]] == [["payer_email", "invoice_like", "amount"]]
