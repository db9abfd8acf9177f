"""Money and invoices that are heard of in the same moment, by several workers on PostgreSQL: nothing twice, and nothing
left behind."""

from concurrent.futures import ThreadPoolExecutor, TimeoutError

import pytest

from common.events import Event
from common.testing import ServiceUnderTest
from services.payments.tests.gateway import B, Told
from services.payments.tests.invoices import Asked, assign, tray

pytestmark = pytest.mark.broker

TERMINAL = {"client_id": None, "source": "virtual_terminal", "method": "paypal"}
MANY = 40


@pytest.fixture
def payments(payments_on_postgresql: ServiceUnderTest) -> ServiceUnderTest:
    return payments_on_postgresql


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
