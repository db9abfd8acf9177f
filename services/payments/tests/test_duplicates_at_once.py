"""The same money sent twice in the same moment: one is recorded, and the other told so, on both databases."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy.orm import Session

from common.testing import ServiceUnderTest
from payments.usecases import locks
from payments.usecases import payments as recording
from services.payments.tests.gateway import B

BATCH = "client,amount,method,received_on\n" + "".join(f"ada,{n}.00,cash,2026-03-01\n" for n in range(1, 51))
PAYMENT = {"client_id": "ada", "amount_minor": 4500, "method": "cash"}
SENT = {"csv": BATCH, "body": None}, {"csv": None, "body": {**PAYMENT, "check_duplicates": True}}


def send(payments: ServiceUnderTest, csv: str | None, body: dict[str, Any] | None) -> int:
    path = f"{B}/payments/batch" if csv else f"{B}/payments"
    return int(payments.call("POST", path, body, csv=csv).status_code)


def assert_one_of_two_is_recorded(
    payments: ServiceUnderTest, monkeypatch: pytest.MonkeyPatch, sent: dict[str, Any]
) -> None:
    insert = recording.insert

    def insert_late(session: Session, rows: Sequence[dict[str, Any]]) -> None:
        time.sleep(0.5)  # so that both have looked before one inserts, where they look at once
        insert(session, rows)

    monkeypatch.setattr(recording, "insert", insert_late)
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(send, payments, **sent) for _ in range(2)]
        assert sorted(answer.result() for answer in answers) == [201, 409]


@pytest.mark.parametrize("sent", SENT, ids=["batch", "payment"])
def test_on_sqlite(payments: ServiceUnderTest, monkeypatch: pytest.MonkeyPatch, sent: dict[str, Any]) -> None:
    assert_one_of_two_is_recorded(payments, monkeypatch, sent)


@pytest.mark.broker
@pytest.mark.parametrize("sent", SENT, ids=["batch", "payment"])
def test_on_postgresql(
    payments_on_postgresql: ServiceUnderTest, monkeypatch: pytest.MonkeyPatch, sent: dict[str, Any]
) -> None:
    assert_one_of_two_is_recorded(payments_on_postgresql, monkeypatch, sent)


@pytest.mark.broker
def test_only_those_who_look_for_duplicates_wait_on_postgresql(payments_on_postgresql: ServiceUnderTest) -> None:
    subject = payments_on_postgresql
    with subject.runtime.database.write() as other:
        locks.hold_recording(other, "b1")
        assert send(subject, None, PAYMENT) == 201
        refused = subject.call("POST", f"{B}/payments/batch", csv=BATCH)
        assert (refused.status_code, refused.json["code"]) == (503, "busy")
        assert subject.call("POST", f"{B}/payments/batch?allow_duplicates=true", csv=BATCH).status_code == 201
        assert subject.call("POST", f"{B}/payments/batch/preview", csv=BATCH).status_code == 200
